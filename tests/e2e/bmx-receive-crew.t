#!/bin/sh
# Listening mode with sessions-per-process: one client of a process after
# another, and nothing of one is left for the next.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh source=tests/lib/listen.sh
# shellcheck source=tests/fake/primary.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/listen.sh"
. "$top_srcdir/tests/fake/primary.sh"
need python3
need certtool
[ -r /proc/self/stat ] || skip_all 'no /proc'

cat >"$tmp/talk.py" <<'E'
"""talk.py PORT: the lines of stdin, each when the one before was answered, up
to the dot after DATA; all replies are printed. After STARTTLS comes TLS; HANGUP
closes, WAIT awaits one more reply."""
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
f = s.makefile("rb")

def hear():
    while line := f.readline():
        print(line.decode().rstrip(), flush=True)
        if line[3:4] == b" ":
            return line[:3]
    return b""

code = hear()
for line in sys.stdin.read().split("\n"):
    if line == "HANGUP":
        break
    if line != "WAIT":
        try:
            s.sendall(line.encode() + b"\r\n")
        except OSError:
            break
    if code == b"354" and line != ".":
        continue
    code = hear()
    if line == "STARTTLS" and code == b"220":
        import ssl
        s = ssl._create_unverified_context().wrap_socket(s)
        f = s.makefile("rb")
    if code in (b"", b"221", b"421"):
        break
f.close()
s.close()
E

lines()
{
	printf '%s\n' "$@"
}

# message NAME: its lines
message()
{
	lines "MAIL FROM:<$1@s.example>" 'RCPT TO:<1@example.com>' \
	    DATA "Subject: $1" '' text .
}

# what the log says of sessions that ended: their processes, in order
processes()
{
	log_lines ' disconnected$' | sed 's/.*bmx-receive\[\([0-9]*\)\].*/\1/'
}

# is_waiting FDS PID: a process that waits to be given a client. It sleeps, and
# has nothing open but its channel to the listener, the recipient memory and what
# is not of a session.
cat >"$tmp/is_waiting" <<'E'
[ "$(sed 's/.*) //; s/ .*//' "/proc/$2/stat" 2>/dev/null)" = S ] &&
    ls -l "/proc/$2/fd" >"$1" 2>/dev/null &&
    [ "$(grep -c 'socket:' "$1")" -eq 1 ] &&
    ! sed '/\/state\/recipients/d' "$1" | grep -q '/spool\|/state'
E

is_waiting()
{
	sh "$tmp/is_waiting" "$tmp/fds" "$1"
}

# The last of N sessions: its process, in $last, waits or is gone.
settled()
{
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c '[ "$(grep -c " disconnected$" "$0")" -ge "$1" ]' \
	    "$tmp/bmx.log" "$1"
	last=$(processes | sed -n "$1p")
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c 'sh "$0" "$1" "$2" || ! kill -0 "$2"' \
	    "$tmp/is_waiting" "$tmp/fds" "$last"
}

# start CONF-LINE...: with a first session, which is that of wait_port
start()
{
	empty_spool
	rm -rf "$tmp/state"
	mkdir -m 700 "$tmp/state"
	: >"$tmp/bmx.log"
	make_conf 'min-free = 1M' "state = $tmp/state" \
	    'sessions-per-network = 100' "$@"
	port=$(free_port)
	listen_start systemd "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
	n=1
	settled 1
	listener=$(sed -n 's/^started //p' "$tmp/systemd.log" | tail -n 1)
}

# run FILE: one more session, of these lines; the replies are in $tmp/out
run()
{
	python3 -IS "$tmp/talk.py" "$port" <"$1" >"$tmp/out" 2>&1
	n=$((n + 1))
	settled $n
}

# Anew: no process, no mail and no line in the log is left.
fresh()
{
	kill -s HUP "$listener"
	wait_for 20 grep -q ' reloaded$' "$tmp/bmx.log"
	wait_gone "$last"
	find "$tmp/spool" -type f -delete
	: >"$tmp/bmx.log"
	n=0
}

# together FILE...: a session of each in one process, $first. On a machine that
# is slow the time of a process may be over before: then all of them again.
together()
{
	for _ in 1 2 3 4 5; do
		fresh
		for together_file; do
			run "$together_file"
		done
		first=$(processes | head -n 1)
		[ "$(processes | sort -u | wc -l)" -ne 1 ] || return 0
	done
	return 1
}

# session LINE...: as run
session()
{
	lines "$@" >"$tmp/lines"
	run "$tmp/lines"
}

{ lines 'EHLO plain' && message one && lines QUIT; } >"$tmp/plain"
{ lines 'EHLO out' STARTTLS 'EHLO inside' && message two && message three &&
	lines QUIT; } >"$tmp/tls"
{ lines 'EHLO c' 'MAIL FROM:<a@s.example>' &&
	seq -f 'RCPT TO:<%g@example.com>' 100 && lines DATA x . QUIT; } >"$tmp/hundred"
certtool --generate-privkey --key-type ecdsa --outfile "$tmp/key" 2>/dev/null
lines 'cn = x' tls_www_server 'expiration_days = 10' >"$tmp/template"
certtool --generate-self-signed --load-privkey "$tmp/key" \
    --template "$tmp/template" --outfile "$tmp/pem" 2>/dev/null

# ---- nothing is left of a session ----

start 'sessions-per-process = 100' "tls-certificate = $tmp/pem" "tls-key = $tmp/key" \
    'max-messages-per-session = 2' 'max-recipients = 100' '[example.com]' \
    'unknown = accept'
# beside all that follows, one that gets a single client
sed "s,$tmp/bmx.log,$tmp/idle.log," "$BMX_CONF" >"$tmp/idle.conf"
idle_port=$(free_port)
start_bg idle python3 "$top_srcdir/tests/lib/activate.py" "$idle_port" \
    "$top_builddir/bmx-receive" -c "$tmp/idle.conf"
wait_port "$idle_port"
python3 -IS "$tmp/talk.py" "$idle_port" <"$tmp/plain" >/dev/null
wait_for 20 grep -q ' messages=1 .* disconnected$' "$tmp/idle.log"
idle=$(sed -n 's/.*bmx-receive\[\([0-9]*\)\].* messages=1 .* disconnected$/\1/p' \
    "$tmp/idle.log")
ok 'a process waits for its second client' wait_for 10 sh "$tmp/is_waiting" \
    "$tmp/fds" "$idle"

run "$tmp/plain"
ok 'a clean session leaves its process, which waits' is_waiting "$last"
cp "$tmp/out" "$tmp/out.1"
cp "$tmp/fds" "$tmp/fds.1"
ok 'TLS and plain sessions in turn, in one process' \
    together "$tmp/plain" "$tmp/tls" "$tmp/plain" "$tmp/tls" "$tmp/tls"
is 'each may send as many messages as a session may' \
    "$(grep -c '^250 2\.0\.0 Queued' "$tmp/out")" 2
is 'each is counted alone' "$(log_lines ' disconnected$' |
	sed 's/.* messages=\([0-9]*\) refused=0 overruns=0 tls=\([^ ]*\) .*/\1 \2/
	    s/TLS.*/tls/')" '1 no
2 tls
1 no
2 tls
2 tls'
is 'no two messages have one id' \
    "$(log_lines ' queued$' | sed 's/.* id=\([^ ]*\) .*/\1/' | sort | uniq -d)" ''
is 'all are queued' "$(queued example.com | wc -l)" 8
is 'each with how it came, and no more' "$(log_lines ' queued$' |
	sed 's/.* from=<\([^@]*\).* helo=\([^ ]*\) proto=\([^ ]*\) tls=\([^ ]*\) .*/\1 \2 \3 \4/
	    s/TLS.*/tls/' | sort | uniq -c | xargs)" \
    '2 one plain ESMTP no 3 three inside ESMTPS tls 3 two inside ESMTPS tls'
is 'no descriptor is left' "$(wc -l <"$tmp/fds")" "$(wc -l <"$tmp/fds.1")"

ok 'a plain session after TLS' together "$tmp/tls" "$tmp/plain"
is 'is told what the first was, word for word but for the id' \
    "$(sed 's/Queued as .*//' "$tmp/out")" "$(sed 's/Queued as .*//' "$tmp/out.1")"
like 'so STARTTLS is offered again' "$(cat "$tmp/out")" '^250.STARTTLS'

ok 'as many recipients as a message may have, twice' \
    together "$tmp/hundred" "$tmp/hundred"
like 'are taken' "$(cat "$tmp/out")" '^250 2\.0\.0 Queued'
lines 'EHLO c' 'MAIL FROM:<half@s.example>' 'RCPT TO:<1@example.com>' QUIT >"$tmp/half"
lines 'EHLO c' 'RCPT TO:<1@example.com>' QUIT >"$tmp/rest"
ok 'after a transaction that was given up' together "$tmp/half" "$tmp/rest"
like 'the next client does not inherit it' "$(cat "$tmp/out")" '^503 5\.5\.1'
lines 'MAIL FROM:<a@s.example>' QUIT >"$tmp/rest"
ok 'after a session' together "$tmp/plain" "$tmp/rest"
like 'nobody inherits its greeting' "$(cat "$tmp/out")" '^503 5\.5\.1'

# ---- the recipient memory, which stays open ----

memory=$tmp/state/recipients
# as together, and something is done to the memory between the two sessions
between()
{
	for _ in 1 2 3 4 5; do
		fresh
		run "$tmp/plain"
		first=$last
		"$@" >"$tmp/between" 2>&1 || break
		run "$tmp/plain"
		[ "$last" != "$first" ] || return 0
	done
	return 1
}

# why the two recipients were let in
reasons()
{
	log_lines ' admit=spool ' | sed 's/.* reason=\([^ ]*\) .*/\1/' | xargs
}

forget()
{
	bmx-queue recipients --yes forget example.com
}

import()
{
	forget || return 1
	echo 1@example.com | bmx-queue recipients import example.com -
}

swap()
{
	mv "$memory" "$tmp/state/old-$n" && import
}

spoil()
{
	dd if=/dev/urandom of="$memory/data.mdb" bs=4096 count=2 conv=notrunc
}

shorten()
{
	truncate -s 0 "$memory/data.mdb"
}

forget >/dev/null
ok 'between two sessions of a process recipients are imported' between import
is 'which the second knows' "$(reasons)" 'unknown known'
like 'for the memory stays open' "$(cat "$tmp/fds")" '/state/recipients/data.mdb$'
ok 'between two they are forgotten' between forget
is 'which the second sees' "$(reasons)" 'known unknown'
ok 'between two another memory takes its place' between swap
is 'in which the second looks' "$(reasons)" 'unknown known'
ok 'between two it is removed' between rm -r "$memory"
is 'and the second has a new one' "$(reasons)" 'known unknown'
import >/dev/null
ok 'between two it is cut to nothing' between shorten
is 'which is an empty one' "$(reasons)" 'known unknown'
import >/dev/null
ok 'between two it is damaged' between spoil
is 'the second forgets it' "$(reasons)" 'known unknown'
is 'with one alarm' "$(log_lines 'alarm=yes .*recipients .*damaged' | wc -l)" 1
is 'and both take their mail' "$(queued example.com | wc -l)" 2
sed -i '/ alarm=yes /d' "$tmp/bmx.log"

# ---- rights ----

together "$tmp/plain" "$tmp/plain"
ok 'a process that waits, after two sessions' is_waiting "$last"
tr '\t' ' ' <"/proc/$last/status" >"$tmp/status"
case $(bmx-receive --check-config | grep '^# sandbox:') in
*no_new_privs=yes*seccomp=yes)
	like 'has given up new privileges' "$(cat "$tmp/status")" '^NoNewPrivs: 1$'
	like 'and calls' "$(cat "$tmp/status")" '^Seccomp: 2$'
	unlike 'once' "$(cat "$tmp/status")" '^Seccomp_filters: ([02-9]|1.)' ;;
*) for what in privileges calls once; do
	skip "$what" 'the sandbox is not in force'
done ;;
esac

# ---- the end of a process ----

kill -s HUP "$listener"
wait_for 20 grep -q ' reloaded$' "$tmp/bmx.log"
ok 'SIGHUP: who waits is sent away' wait_gone "$last"
old=$last
run "$tmp/plain"
unlike 'and the next client has another process' "$last" "^$old$"

kill -s KILL "$last"
ok 'kill -9 of one that waits is seen' wait_for 20 grep -q \
    "alarm=yes session=$last killed by signal 9" "$tmp/bmx.log"
run "$tmp/plain"
like 'and the next client is served' "$(cat "$tmp/out")" '^250 2\.0\.0 Queued'

run "$tmp/plain"
ok 'one waits' is_waiting "$last"
kill -s KILL "$listener"
ok 'kill -9 of the listener ends it, too' wait_gone "$last"
wait_for 20 grep -q '^ended -9' "$tmp/systemd.log"
run "$tmp/plain"
ok 'one waits again' is_waiting "$last"
kill -s TERM "$(sed -n 's/^started //p' "$tmp/systemd.log" | tail -n 1)"
ok 'SIGTERM: it is sent away' wait_gone "$last"
ok 'and the listener ends' wait_for 20 grep -q '^ended 0' "$tmp/systemd.log"
stop systemd

# ---- a session that is not clean is the last of its process ----

start 'sessions-per-process = 100' 'max-errors = 2' 'command-timeout = 1s' \
    '[example.com]' 'unknown = accept'
# last_of WHAT LINE...: a clean session, and this one in the same process
last_of()
{
	last_of=$1
	shift
	lines "$@" >"$tmp/lines"
	ok "$last_of: in a process that served before" \
	    together "$tmp/plain" "$tmp/lines"
	ok "$last_of: it ends" wait_gone "$first"
}
last_of 'a recipient that is refused' 'EHLO c' 'MAIL FROM:<a@s.example>' \
    'RCPT TO:<1@other.example>' QUIT
last_of 'a client that hangs up' 'EHLO c' HANGUP
last_of 'too many errors' 'EHLO c' FOO BAR BAZ
last_of 'a client that is silent for too long' 'EHLO c' WAIT
like 'which is told so as ever' "$(cat "$tmp/out")" '^421 4\.4\.2'
last_of 'what is no SMTP' 'GET / HTTP/1.0'
last_of 'bytes behind a command that ends its group' \
    "$(printf 'EHLO c\r\nNOOP')" WAIT QUIT
stop systemd

# ---- so many, and no more ----

start 'sessions-per-process = 3' '[example.com]' 'unknown = accept'
ok 'sessions-per-process = 3: three' together "$tmp/plain" "$tmp/plain" "$tmp/plain"
ok 'after which it ends' wait_gone "$first"
run "$tmp/plain"
unlike 'and the fourth has another' "$last" "^$first$"
stop systemd

start '[example.com]' 'unknown = accept'
run "$tmp/plain"
run "$tmp/plain"
is 'by default there is a process for each' \
    "$(processes | sed 1d | sort -u | wc -l)" 2
stop systemd

start 'sessions-per-process = 100' '[example.com]' 'unknown = accept' \
    'etrn = 127.0.0.1'
run "$tmp/plain"
run "$tmp/plain"
like 'D40 who may say ETRN is offered it' "$(cat "$tmp/out")" '^250.ETRN'
is 'and has a process of its own' "$(processes | sed 1d | sort -u | wc -l)" 2
stop systemd

# ---- the live relay ----

primary_make
primary_start
start 'sessions-per-process = 100' '[example.com]' \
    "primary = 127.0.0.1:$primary_port" 'tls = none' 'admit = through'
run "$tmp/plain"
cp "$tmp/fds" "$tmp/fds.1"
ok 'live relay: two clients of one process' together "$tmp/plain" "$tmp/plain"
is 'no two have a session with the primary' "$(sed -n 's/^session //p' \
    "$primary"/*.env | sort | uniq -d)" ''
is 'and leave no descriptor' "$(wc -l <"$tmp/fds")" "$(wc -l <"$tmp/fds.1")"
primary_check
stop systemd

# ---- how many at once: who waits is no session ----

start 'sessions-per-process = 100' 'sessions = 2' '[example.com]' 'unknown = accept'
cat >"$tmp/three.py" <<'E'
"""three.py PORT: what three sessions at once are greeted with; then the first
two end as they should."""
import socket, sys
sockets, files = [], []
for _ in range(3):
    sockets.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60))
    files.append(sockets[-1].makefile("rb"))
    print(files[-1].readline().decode()[:3])
for s, f in zip(sockets[:2], files):
    s.sendall(b"QUIT\r\n")
    f.read()
E
for round in 1 2; do
	is "sessions = 2, for the ${round}. time: three at once" \
	    "$(python3 "$tmp/three.py" "$port" | xargs)" '220 220 421'
	n=$((n + 2))
	settled $((n - 1))
	settled $n
done
ok 'one that waited for 15 seconds was sent away' wait_gone "$idle"
unlike 'no alarm' "$(cat "$tmp/bmx.log")" 'alarm=yes'
done_testing
