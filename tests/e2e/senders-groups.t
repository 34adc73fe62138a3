#!/bin/sh
# D21: commands that must end a group (RFC 2920 section 3.1) with bytes behind
# them: each is answered, in order, and the log counts the offence.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
plan 22
make_conf 'min-free = 1M' 'xclient = 192.0.2.1' '[example.com]' 'etrn = 192.0.2.1'
TCPREMOTEIP=192.0.2.1
TCPREMOTEPORT=4711
export TCPREMOTEIP TCPREMOTEPORT

# group NAME OVERRUNS CODES LINE...: LINEs in one write, after EHLO.
group()
{
	group_name=$1
	group_overruns=$2
	group_codes=$3
	shift 3
	: >"$tmp/bmx.log"
	rm -f "$tmp/out"
	say "$@" >"$tmp/group"
	{
		say 'EHLO c.example'
		wait_for 20 grep -q '^250 ' "$tmp/out"
		cat "$tmp/group"
	} | bmx-receive >"$tmp/out"
	is "D21 $group_name: answered in order" \
	    "$(codes "$tmp/out" | tail -n +3 | tr '\n' ' ')" "$group_codes "
	like "D21 $group_name: $group_overruns counted" "$(log_lines disconnected)" \
	    "overruns=$group_overruns "
}

# behind VERB CODE [ARGUMENT]
behind()
{
	group "$1 with commands behind it" 1 "$2 250 2.0.0 221 2.0.0" \
	    "$1${3:+ $3}" RSET QUIT
}
behind EHLO 250 again.example
behind HELO 250 again.example
behind VRFY '252 2.0.0' a@example.com
behind EXPN '502 5.5.1' list
behind NOOP '250 2.0.0'
behind ETRN '251 2.0.0' example.com
group 'QUIT with a command behind it' 1 '221 2.0.0' QUIT RSET
group 'XCLIENT, then EHLO, with commands behind them' 2 \
    '220 250 250 2.0.0 221 2.0.0' 'XCLIENT NAME=a.example' 'EHLO c' RSET QUIT
group 'DATA with the message behind it' 1 \
    '250 2.1.0 250 2.1.5 354 250 2.0.0 221 2.0.0' 'MAIL FROM:<a@s.example>' \
    'RCPT TO:<1@example.com>' DATA text . QUIT
group 'TURN, which is not known' 0 '500 5.5.1 250 2.0.0 221 2.0.0' TURN RSET QUIT
group 'a group as it may be' 0 '250 2.1.0 250 2.1.5 250 2.0.0 221 2.0.0' \
    'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' RSET QUIT
