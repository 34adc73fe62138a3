#!/bin/sh
# When something is wrong on our side the client is told so, with a code that
# makes it come back, and the log says what to do.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
plan 52
make_conf 'min-free = 1M' '[example.com]'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    DATA 'text' . QUIT >"$tmp/in"

# ---- configuration ----

# bad NAME REGEX: with the configuration $tmp/bad.conf
bad()
{
	exits "$1: status 78" 78 bmx-receive -c "$tmp/bad.conf" <"$tmp/in"
	is "$1: the client is told 421" "$(codes "$tmp/out")" '421 4.3.5'
	like "$1: the reason has file and line" "$(cat "$tmp/err")" "$2"
	exits "$1: --check-config says it too" 78 \
	    bmx-receive -c "$tmp/bad.conf" --check-config
	unlike "$1: and talks to no client" "$(cat "$tmp/out")" '^421'
}

sed 's/^min-free/min-fre/' "$BMX_CONF" >"$tmp/bad.conf"
bad 'an unknown key' "$tmp/bad\\.conf:[56]: .*min-fre"
sed 's/1M/1X/' "$BMX_CONF" >"$tmp/bad.conf"
bad 'a bad value' "$tmp/bad\\.conf:[56]: .*min-free"
rm "$tmp/bad.conf"
bad 'no such file' "$tmp/bad\\.conf"

cat >"$tmp/two.py" <<'E'
"""two.py PROGRAM...: which has two sockets to listen on. Prints what a client
of each is told, the second first."""
import os, socket, sys
listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
pid = os.fork()
if pid == 0:
    copies = [os.dup(l.fileno()) for l in listeners]
    for i, copy in enumerate(copies):
        os.dup2(copy, 3 + i)
        os.set_inheritable(3 + i, True)
    os.environ["LISTEN_FDS"] = "2"
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execvp(sys.argv[1], sys.argv[1:])
for listener in reversed(listeners):
    with socket.create_connection(listener.getsockname(), 20) as client:
        print(client.makefile().readline()[:9])
os.kill(pid, 15)
os.waitpid(pid, 0)
E
sed 's/^min-free/min-fre/' "$BMX_CONF" >"$tmp/bad.conf"
if command -v python3 >/dev/null; then
	is 'clients of each of two sockets are told 421' \
	    "$(python3 "$tmp/two.py" bmx-receive -c "$tmp/bad.conf" 2>"$tmp/err")" \
	    '421 4.3.5
421 4.3.5'
else
	skip 'clients of each of two sockets are told 421' 'python3 is not installed'
fi

bmx-receive -c "$tmp/bad.conf" <"$tmp/in" >/dev/full 2>"$tmp/err"
is 'a client that is gone: status 78 all the same' $? 78
like 'and the reason' "$(cat "$tmp/err")" 'min-fre'

exits 'a mistaken option: status 64' 64 bmx-receive --frob <"$tmp/in"
is 'and the client is told 421' "$(codes "$tmp/out")" '421 4.3.5'
exits '--check-config prints what holds' 0 bmx-receive --check-config
like 'as bmx.conf has it' "$(cat "$tmp/out")" '^min-free = '

# ---- the spool ----

# broken NAME CODE REGEX [COMMAND...]
broken()
{
	broken_what=$1
	broken_code=$2
	broken_why=$3
	shift 3
	: >"$tmp/bmx.log"
	"$@" bmx-receive <"$tmp/in" >"$tmp/out" 2>"$tmp/err"
	is "$broken_what: $broken_code" "$(codes "$tmp/out" | grep -m 1 '^4')" "$broken_code"
	like "$broken_what: the log has file name and cure" "$(cat "$tmp/bmx.log")" "alarm=yes .*$broken_why"
}

mv "$tmp/spool" "$tmp/away"
broken 'no spool' '421 4.3.0' "$tmp/spool does not exist: mkdir" env
: >"$tmp/spool"
broken 'a file for a spool' '421 4.3.0' "$tmp/spool is not a directory" env
rm "$tmp/spool"
mv "$tmp/away" "$tmp/spool"
chmod 777 "$tmp/spool"
broken 'a spool that others may write to' '421 4.3.0' "$tmp/spool: chmod 700" env
chmod 700 "$tmp/spool"

if [ "$(id -u)" -eq 0 ]; then
	chown 12345 "$tmp/spool"
	broken 'a spool of another user' '421 4.3.0' "$tmp/spool belongs to uid 12345.*chown" env
	chown 0 "$tmp/spool"
else
	skip 'a spool of another user: 421 4.3.0' 'needs root'
	skip 'a spool of another user: the log has file name and cure' 'needs root'
fi

# As root file modes do not bind: another user, who may write to the log.
as_user='env'
if [ "$(id -u)" -eq 0 ]; then
	as_user='setpriv --reuid=65534 --regid=65534 --clear-groups --'
	chown -R 65534 "$tmp/spool" "$tmp/bmx.log"
	chmod 711 "$tmp"
fi
chmod 500 "$tmp/spool"
if $as_user bmx-receive --version >/dev/null 2>&1; then
	# shellcheck disable=SC2086 # it is a command
	broken 'a spool without write permission' '451 4.3.0' "spool=$tmp/spool error=.*example.com" $as_user
else
	skip 'a spool without write permission: 451 4.3.0' 'setpriv is not installed'
	skip 'a spool without write permission: the log has file name and cure' 'setpriv is not installed'
fi
chmod 700 "$tmp/spool"
[ "$(id -u)" -ne 0 ] || chown -R 0 "$tmp/spool" "$tmp/bmx.log"

if unshare -m true 2>/dev/null; then
	cat >"$tmp/readonly" <<-E
		#!/bin/sh
		mount --bind "$tmp/spool" "$tmp/spool" &&
		mount -o remount,bind,ro "$tmp/spool" || exit 1
		exec "\$@"
	E
	chmod 755 "$tmp/readonly"
	broken 'a spool on a read-only file system' '451 4.3.0' "$tmp/spool .*read-only" \
	    unshare -m "$tmp/readonly"
	exits '--check says so too: status 75' 75 unshare -m "$tmp/readonly" \
	    bmx-receive --check 192.0.2.1 c '' 1@example.com
	like 'with the reply and where to look' "$(cat "$tmp/out")" \
	    '^MAIL FROM:<>: 451 4\.3\.0 .* \(trouble of our own, see the log\)$'
else
	skip '--check says so too: status 75' 'unshare -m is not possible'
	skip 'with the reply and where to look' 'unshare -m is not possible'
	skip 'a spool on a read-only file system: 451 4.3.0' 'unshare -m is not possible'
	skip 'a spool on a read-only file system: the log has file name and cure' 'unshare -m is not possible'
fi

make_conf 'min-free = 0' '[example.com]'
if unshare -m mount -t tmpfs -o nr_inodes=50,mode=700 tmpfs "$tmp/spool" 2>"$tmp/err"; then
	cat >"$tmp/few" <<-E
		#!/bin/sh
		mount -t tmpfs -o nr_inodes=50,mode=700 tmpfs "$tmp/spool" &&
		exec "\$@"
	E
	chmod 755 "$tmp/few"
	broken 'D23 a disk with room, but few inodes' '452 4.3.1' \
	    "disk of the spool $tmp/spool is full: .* and 4[0-9] inodes are free" \
	    unshare -m "$tmp/few"
else
	skip 'D23 a disk with room, but few inodes: 452 4.3.1' 'unshare -m is not possible'
	skip 'D23 a disk with room, but few inodes: the log has file name and cure' 'unshare -m is not possible'
fi

make_conf 'min-free = 1000000G' '[example.com]'
broken 'D23 a disk that is too full' '452 4.3.1' "disk of the spool $tmp/spool is full" env
is 'D23 already at MAIL' "$(codes "$tmp/out" | sed -n 3p)" '452 4.3.1'
# With min-free it is more than a number holds.
make_conf 'min-free = 1M' 'max-size = 0' '[example.com]'
say 'EHLO c' 'MAIL FROM:<> SIZE=18446744073709551615' QUIT | bmx-receive >"$tmp/out"
is 'D23 a size that no disk has' "$(last_code "$tmp/out")" '452 4.3.1'
make_conf 'min-free = 0' 'max-size = 0' '[example.com]'

# D49: SIGXFSZ is ignored, so a file size limit is a disk that fills up.
{
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA
	yes "$(printf '%098d\r' 0)" | head -c 3000000
	say '' . 'NOOP' QUIT
} >"$tmp/big"
: >"$tmp/bmx.log"
(ulimit -f 2000 && bmx-receive) <"$tmp/big" >"$tmp/out"
is 'D49 a disk that fills up while content comes: 452 at its end' \
    "$(codes "$tmp/out" | tail -n 3)" '452 4.3.1
250 2.0.0
221 2.0.0'
ok 'D49 and nothing is left' nothing_queued

# ---- time and signals ----

mkfifo "$tmp/fifo"
make_conf 'command-timeout = 1' 'data-timeout = 1' '[example.com]'
# The other end stays open and says no more.
hang()
{
	: >"$tmp/out"
	bmx-receive <"$tmp/fifo" >"$tmp/out" &
	hang_pid=$!
	exec 9>"$tmp/fifo"
	"$@" >&9
	wait "$hang_pid"
	exec 9>&-
}
hang say 'EHLO c'
is 'D16 a client that says nothing: 421 4.4.2' "$(last_code "$tmp/out")" '421 4.4.2'
hang head -c 66 "$tmp/in"
is 'D16 a client that stops in the middle: 421 4.4.2' "$(last_code "$tmp/out")" '421 4.4.2'
ok 'D16 and nothing is left' nothing_queued

make_conf '[example.com]'
: >"$tmp/out"
bmx-receive <"$tmp/fifo" >"$tmp/out" &
pid=$!
exec 9>"$tmp/fifo"
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA 'te' >&9
wait_for 20 grep -q '^354' "$tmp/out"
kill -TERM "$pid"
wait "$pid"
exec 9>&-
is 'D16 SIGTERM: 421 4.3.2' "$(last_code "$tmp/out")" '421 4.3.2'
ok 'and the message under way is dropped' nothing_queued

# ---- fd 2 ----

cat >"$tmp/all3" <<-E
	#!/bin/sh
	exec "\$@" 2>&1
E
chmod 755 "$tmp/all3"
"$tmp/all3" bmx-receive -c "$tmp/none.conf" <"$tmp/in" >"$tmp/out"
is 'where fd 2 is the client, nothing is written to it' "$(wc -l <"$tmp/out")" 1
sed "s,^log = .*,log = stderr," "$BMX_CONF" >"$tmp/stderr.conf"
bmx-receive -c "$tmp/stderr.conf" <"$tmp/in" >"$tmp/out" 2>"$tmp/err"
like 'log = stderr: fd 2 has the log' "$(cat "$tmp/err")" ' queued$'
"$tmp/all3" bmx-receive -c "$tmp/stderr.conf" <"$tmp/in" >"$tmp/out"
unlike 'log = stderr: but never the client' "$(cat "$tmp/out")" 'queued$'
