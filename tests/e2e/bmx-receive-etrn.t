#!/bin/sh
# D40 ETRN: who may ask, what is answered, what is started; and what a client that
# may ask starts by sending mail (D36).
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"

make_conf 'min-free = 1M' '[example.com]' 'etrn = 192.0.2.0/24, 2001:db8::/32' \
    '[sub.example.com]' 'etrn = 192.0.2.1' '[example.org]'
# what is started instead of bmx-flush: it tells, and waits for the fifo
mkfifo "$tmp/fifo"
exec 8<>"$tmp/fifo" # so that nobody waits for a reader
cat >"$tmp/flush" <<-E
	#!/bin/sh
	echo "\$@" >>"$tmp/runs"
	ls -l /proc/self/fd | sed 's/.*-> //' | grep -v '^/proc' | sort -u >"$tmp/fds"
	: >"$tmp/started"
	read line <"$tmp/fifo"
	: >"$tmp/done"
E
chmod 755 "$tmp/flush"
BMX_FLUSH=$tmp/flush
export BMX_FLUSH

# etrn CLIENT LINE...: the replies after that to EHLO
etrn()
{
	TCPREMOTEIP=$1
	export TCPREMOTEIP
	shift
	say 'EHLO c' "$@" QUIT | bmx-receive >"$tmp/out" 8>&-
	codes "$tmp/out" | sed '1,2d; $d'
}

# queue DOMAIN [CLIENT]: mail for it
queue()
{
	TCPREMOTEIP=${2:-198.51.100.1} bmx-receive <<-E >/dev/null
		EHLO c$(printf '\r')
		MAIL FROM:<a@s.example>$(printf '\r')
		RCPT TO:<1@$1>$(printf '\r')
		DATA$(printf '\r')
		text$(printf '\r')
		.$(printf '\r')
	E
}

etrn 192.0.2.7 NOOP >/dev/null
like 'it is offered to whom a domain allows it' "$(cat "$tmp/out")" '^250.ETRN'
etrn 198.51.100.1 NOOP >/dev/null
unlike 'and to nobody else' "$(cat "$tmp/out")" '^250.ETRN'
is '502 then' "$(etrn 198.51.100.1 'ETRN example.com')" '502 5.5.1'
is '459 for what it may not ask' "$(etrn 192.0.2.7 'ETRN example.org' \
    'ETRN sub.example.com' 'ETRN elsewhere.example' 'ETRN @example.org' 'ETRN #queue' |
    sort -u)" '459 4.7.1'
is '501 for syntax' "$(etrn 192.0.2.7 ETRN 'ETRN a b' 'ETRN ../x' | sort -u)" '501 5.5.4'
is '503 inside a transaction' \
    "$(etrn 192.0.2.7 'MAIL FROM:<a@s.example>' 'ETRN example.com' | tail -n 1)" '503 5.5.1'
is '251 when nothing waits' "$(etrn 192.0.2.7 'ETRN example.com' 'ETRN @example.com')" \
    '251 2.0.0
251 2.0.0'

queue example.com
queue example.com
queue sub.example.com
is '253 n when it starts' "$(etrn 2001:db8::1 'ETRN example.com')" '253 2.0.0'
like 'with their number' "$(cat "$tmp/out")" '^253 2.0.0 2 pending'
ok 'bmx-flush is started, and goes on without the session' \
    wait_for 20 test -e "$tmp/started"
is 'for that domain' "$(cat "$tmp/runs")" "-c $BMX_CONF --now example.com"
is 'with nothing of ours open' "$(sed 's/pipe.*//; s/socket.*/socket/' "$tmp/fds" |
    grep -v '^$\|^total')" /dev/null
is '458 when it is asked again at once' "$(etrn 192.0.2.7 'ETRN example.com')" '458 4.7.1'
echo go >"$tmp/fifo"
wait_for 20 test -e "$tmp/done"

# ---- a flusher at work: its lock is held ----

rm -f "$tmp/started" "$tmp/spool/example.com/etrn"
cat >"$tmp/lock.py" <<'E'
"""lock.py FILE MARK FIFO: hold an open file description lock."""
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
F_OFD_SETLK = 37
fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
open(sys.argv[2], "w").close()
open(sys.argv[3]).read()
E
if command -v python3 >/dev/null; then
	mkfifo "$tmp/hold"
	start_bg lock python3 "$tmp/lock.py" "$tmp/spool/example.com/lock" \
	    "$tmp/locked" "$tmp/hold"
	wait_for 20 test -e "$tmp/locked"
	is '252 while one runs' "$(etrn 192.0.2.7 'ETRN example.com')" '252 2.0.0'
	is 'and no second is started' "$(wc -l <"$tmp/runs")" 1
	wait_for 20 sh -c "echo >'$tmp/hold'"
	wait_gone "$(pid_of lock)"
else
	skip '252 while one runs' 'python3 is not installed'
	skip 'and no second is started' 'python3 is not installed'
fi

is '@ is for the domains below too' "$(etrn 192.0.2.1 'ETRN @Example.COM')" '253 2.0.0'
like 'all of them' "$(cat "$tmp/out")" '^253 2.0.0 3 pending'
ok 'it is started' wait_for 20 test -e "$tmp/started"
is 'once, for both' "$(tail -n 1 "$tmp/runs")" \
    "-c $BMX_CONF --now example.com sub.example.com"
echo go >"$tmp/fifo"

wait_for 20 test -e "$tmp/done"

# ---- an operator has paused the domain: bmx-flush would do nothing ----

before=$(wc -l <"$tmp/runs")
rm -f "$tmp/started" "$tmp/spool"/*/etrn
date -u '+since %Y-%m-%dT%H:%M:%SZ' >"$tmp/spool/example.com/paused"
is '458 while it is paused' "$(etrn 192.0.2.7 'ETRN example.com')" '458 4.3.0'
is 'and nothing is started' "$(wc -l <"$tmp/runs")" "$before"
rm "$tmp/spool/example.com/paused"
is 'nor counted: once it is resumed it can be asked for at once' \
    "$(etrn 192.0.2.7 'ETRN example.com')" '253 2.0.0'
wait_for 20 test -e "$tmp/started"
rm -f "$tmp/done"
echo go >"$tmp/fifo"
wait_for 20 test -e "$tmp/done"

# ---- D36: mail from the primary says that it is up ----

# runs: how many were started
runs()
{
	wc -l <"$tmp/runs" | tr -d ' '
}

before=$(runs)
rm -f "$tmp/started" "$tmp/spool"/*/etrn
queue example.org
etrn 192.0.2.7 NOOP 'MAIL FROM:<a@s.example>' >/dev/null
is 'D36: a stranger with mail, or the primary without, starts nothing' \
    "$(runs)" "$before"
queue example.org 192.0.2.7
ok 'D36: mail from the primary does' wait_for 20 test -e "$tmp/started"
is 'D36: for the domain whose list it is in, as if it had asked' \
    "$(tail -n 1 "$tmp/runs")" "-c $BMX_CONF --now example.com"
like 'D36: the log says why' "$(grep 'is up' "$tmp/bmx.log")" \
    'peer=192.0.2.7 has sent mail, so it is up: 2 messages that wait are tried'
queue example.org 192.0.2.7
is 'D36: once a minute' "$(runs)" "$((before + 1))"
echo go >"$tmp/fifo"

# More domains than are started at once: those where nothing waits do not count.
rm -f "$tmp/started"
i=10
while [ "$i" -lt 80 ]; do
	set -- "$@" "[d$i.example.org]" 'etrn = 192.0.2.7'
	i=$((i + 1))
done
cp "$BMX_CONF" "$tmp/few.conf"
make_conf 'min-free = 1M' "$@"
queue d79.example.org
is 'the last of many' "$(etrn 192.0.2.7 'ETRN @example.org')" '253 2.0.0'
ok 'is started' wait_for 20 test -e "$tmp/started"
echo go >"$tmp/fifo"
cp "$tmp/few.conf" "$BMX_CONF"

rm -f "$tmp/spool/example.com/etrn"
touch -d @1000000000 "$tmp/elsewhere"
ln "$tmp/elsewhere" "$tmp/spool/example.com/etrn"
is '458 where its time would be set elsewhere' \
    "$(etrn 192.0.2.7 'ETRN example.com')" '458 4.3.0'
is 'and is not' "$(stat -c %Y "$tmp/elsewhere")" 1000000000
like 'which is told' "$(cat "$tmp/bmx.log")" \
    'example\.com: etrn has another name \(a hard link\)'

BMX_FLUSH=$tmp/none
rm -f "$tmp/spool/example.com/etrn"
etrn 192.0.2.7 'ETRN example.com' >/dev/null
ok 'what cannot be started is an alarm' \
    wait_for 20 grep -q "alarm=yes $tmp/none: No such file" "$tmp/bmx.log"

rm -r "$tmp/spool/example.com"
: >"$tmp/spool/example.com"
is 'a spool that cannot be looked at: 458 4.3.0' \
    "$(etrn 192.0.2.7 'ETRN example.com')" '458 4.3.0'
like 'and an alarm' "$(cat "$tmp/bmx.log")" \
    'alarm=yes ETRN: .*/example.com is not a directory'
done_testing
