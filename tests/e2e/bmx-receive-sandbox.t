#!/bin/sh
# A session has no more rights than it needs.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh source=tests/lib/listen.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/listen.sh"

make_conf 'min-free = 1M' '[example.com]'
mkfifo "$tmp/fifo"
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    DATA 'text' . QUIT >"$tmp/in"

# in_session COMMAND...: while a session waits, its process id in $pid
in_session()
{
	: >"$tmp/out"
	bmx-receive <"$tmp/fifo" >"$tmp/out" 2>&1 &
	pid=$!
	exec 9>"$tmp/fifo"
	wait_for 20 grep -q '^220 ' "$tmp/out"
	"$@"
	cat "$tmp/in" >&9
	exec 9>&-
	wait "$pid"
}

exits '--check-config' 0 bmx-receive --check-config
sandbox=$(grep '^# sandbox:' "$tmp/out")
like 'says what is in force' "$sandbox" \
    '^# sandbox: no_new_privs=(yes|no) landlock=[0-9]+ seccomp=(yes|no)$'
diag "$sandbox"
cp "$tmp/out" "$tmp/printed.conf"
exits 'and prints a configuration' 0 bmx-receive -c "$tmp/printed.conf" --check-config

if [ -r /proc/self/status ]; then
	# shellcheck disable=SC2016 # evaluated there
	in_session eval 'cp "/proc/$pid/status" "$tmp/status"'
	case $sandbox in
	*no_new_privs=yes*)
		like 'no new privileges' "$(cat "$tmp/status")" '^NoNewPrivs:[[:space:]]1$' ;;
	*) skip 'no new privileges' 'the kernel has none' ;;
	esac
	case $sandbox in
	*seccomp=yes*)
		like 'a filter for system calls' "$(cat "$tmp/status")" '^Seccomp:[[:space:]]2$' ;;
	*) skip 'a filter for system calls' 'built without it' ;;
	esac
else
	skip 'no new privileges' 'no /proc'
	skip 'a filter for system calls' 'no /proc'
fi
unlike 'nothing is refused that a session needs' "$(cat "$tmp/bmx.log")" \
    'alarm=yes (landlock|seccomp|no_new_privs)|Permission|not permitted'

# ---- root ----

if [ "$(id -u)" -eq 0 ]; then
	sed '/^user = /d' "$BMX_CONF" >"$tmp/none.conf"
	exits 'root without user is refused' 78 bmx-receive -c "$tmp/none.conf" <"$tmp/in"
	is 'the client is told 421' "$(codes "$tmp/out")" '421 4.3.5'
	sed 's/^user = .*/user = nosuchuser/' "$BMX_CONF" >"$tmp/none.conf"
	exits 'so is a user that is not there' 78 bmx-receive -c "$tmp/none.conf" <"$tmp/in"

	empty_spool
	sed 's/^user = .*/user = nobody/' "$BMX_CONF" >"$tmp/nobody.conf"
	BMX_CONF=$tmp/nobody.conf
	chown nobody "$tmp/spool" "$tmp/bmx.log" "$BMX_CONF"
	# shellcheck disable=SC2016 # evaluated there
	in_session eval 'cp "/proc/$pid/status" "$tmp/status"'
	uid=$(id -u nobody)
	like 'root becomes the user, for good' "$(tr '\t' ' ' <"$tmp/status")" \
	    "^Uid: $uid $uid $uid $uid$"
	like 'with its group' "$(tr '\t' ' ' <"$tmp/status")" \
	    "^Gid: $(id -g nobody) $(id -g nobody) "
	like 'and no others' "$(tr '\t' ' ' <"$tmp/status")" '^Groups: *$'
	is 'the mail is that user'"'s" "$(stat -c %U "$(queued example.com)")" nobody
	exits '--check-config looks as that user' 0 bmx-receive --check-config
	if command -v python3 >/dev/null; then
		say 'Subject: x' '' text >"$tmp/message"
		empty_spool
		chown nobody "$tmp/spool"
		port=$(free_port)
		listen_start systemd "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
		like 'in listening mode too' "$(python3 "$top_srcdir/tests/lib/send.py" \
		    "$port" a@s.example "$tmp/message" 1@example.com 2>&1)" '^250 '
		is 'the mail is that user'"'s, too" \
		    "$(stat -c %U "$(queued example.com)")" nobody
	else
		skip 'in listening mode too' 'python3 is not installed'
		skip 'the mail is its' 'python3 is not installed'
	fi
else
	for what in 1 2 3 4 5 6 7 8 9 10; do
		skip "root $what" 'needs root'
	done
fi
done_testing
