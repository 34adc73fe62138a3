#!/bin/sh
# The steps of a session of bmx-probe: each timed, up to the one that is asked
# for, with RCPT as a dry run; patience, tries, families, and where it comes
# from.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'reply-timeout = 5s'

# said: the commands of the last session but EHLO.
said()
{
	grep -a ' C: ' "$primary/log" | sed 's/^[0-9]* C: //; /^EHLO/d' | tr '\n' ' '
}
word()
{
	cut -f 4,5 "$tmp/out" | tr '\t' ' '
}

# ---- how far it goes ----

primary_start
exits "by default nothing follows EHLO: 0" 0 bmx-probe -n
is "but QUIT" "$(said)" 'QUIT '

# until STEP COMMANDS: what the primary gets to hear
until_step()
{
	primary_renew
	exits "--until $1: 0" 0 bmx-probe -nv --until "$1"
	is "--until $1: says this" "$(said)" "$2"
	like "--until $1: the step is timed" "$(cat "$tmp/out")" " $1=[0-9]\.[0-9]{3}"
}
until_step banner 'QUIT '
until_step ehlo 'QUIT '
until_step mail 'MAIL FROM:<> RSET QUIT '
until_step rcpt 'MAIL FROM:<> RCPT TO:<postmaster@example.com> RSET QUIT '
primary_renew
exits "--until connect: 0" 0 bmx-probe -n --until connect
is "no QUIT is said before the greeting" "$(said)" ''

primary_renew
exits "--rcpt: 0" 0 bmx-probe -n --rcpt user+tag@example.com
is "asks for that one" "$(said)" \
    'MAIL FROM:<> RCPT TO:<user+tag@example.com> RSET QUIT '
unlike "DATA is never said" "$(said)" 'DATA|BDAT'
is "nothing was stored" "$(primary_count)" 0

# rcpt "test" STATUS RESULT ROW: of the dry run
rcpt()
{
	primary_renew "$4"
	exits "$1: $2" "$2" bmx-probe -n --until rcpt
	is "$1: $3" "$(word)" "$3"
	like "$1: it left in good order" "$(said)" 'QUIT $'
}
rcpt 'greylisting is deferring' 75 'deferring deferred' 'rcpt 450 4.2.0 Greylisted'
rcpt 'a full disk is deferring' 75 'deferring deferred' 'mail 452 4.3.1 full'
rcpt 'a policy is down, with its own word' 69 'down refused-by-policy' \
    'rcpt 554 5.7.1 Client host blocked'
rcpt '5yz to MAIL is a policy too' 69 'down refused-by-policy' 'mail 550 5.7.1 no'
primary_renew 'rcpt 421 4.7.0 slow down'
exits "D32: 421 to RCPT: 75" 75 bmx-probe -n --until rcpt
is "is deferring" "$(word)" 'deferring deferred'
for wrong in '--until data' '--until dns' '--rcpt nobody' '--rcpt a@b@c'; do
	# shellcheck disable=SC2086 # words
	exits "$wrong: 64" 64 bmx-probe -n $wrong
done

# ---- patience ----

primary_renew 'connect raw 220-primary.test wait\r\n220-a little\r\n220 primary.test ESMTP\r\n'
exits "a greeting of several lines is read to its end: 0" 0 bmx-probe -n
is "before EHLO" "$(grep -ac ' C: EHLO' "$primary/log")" 1
primary_renew 'connect slow 1300'
exits "a slow greeting, and little time for it: 69" 69 bmx-probe -n --banner-timeout 1
is "is a timeout" "$(word)" 'down timeout'
like "of the greeting" "$(cut -f 9 "$tmp/out")" '^greeting: timeout'
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'reply-timeout = 1s'
primary_renew 'connect slow 1300'
exits "the greeting may take longer than a reply: 0" 0 bmx-probe -n --banner-timeout 9
primary_renew 'connect stall'
exits "--deadline ends the whole run: 69" 69 \
    timeout 10 bmx-probe -n --deadline 1 --banner-timeout 20

closed=$(free_port)
make_conf '[a.example]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    '[b.example]' "primary = 127.0.0.1:$closed"
exits "what no time was left for: 71" 71 timeout 10 bmx-probe --brief --deadline 1 --jobs 1
is "is not called down" "$(sed -n 2p "$tmp/out" | cut -f 1,4,5)" 'b.example	unknown	not-tried'
ok "and not learned" test ! -e "$tmp/spool/b.example/primary"
exits "--nagios: 2" 2 timeout 10 bmx-probe --nagios --deadline 1 --jobs 1 -n
like "counts it neither as up nor as down" "$(cat "$tmp/out")" 'up=0;;;0;2 .*down=1;;;0;2'
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'reply-timeout = 1s'

# on a clock that nobody can set: the time of day runs a thousand times as fast
primary_renew 'connect stall'
if faketime_works; then
	exits "the time of day runs away: 69" 69 \
	    env FAKETIME_DONT_FAKE_MONOTONIC=1 timeout 10 \
	    faketime -f '+0 x1000' bmx-probe -n --brief -t 1 --banner-timeout 20
	like "the deadline is a second as before" "$(cut -f 8 "$tmp/out")" '^(0\.99.|1\..*)$'
else
	skip "the time of day runs away: 69" "$faketime_why"
	skip "the deadline is a second as before" "$faketime_why"
fi

# ---- tries ----

primary_renew 'connect#1 421 4.3.2 busy' 'connect#2 hangup'
exits "a third try is good: 0" 0 bmx-probe -nv --tries 3 --gap 0
like "the tries are shown" "$(cat "$tmp/out")" ' tries=3$'
primary_renew 'connect#1 421 4.3.2 busy' 'connect#2 hangup'
exits "two are not enough: 69" 69 bmx-probe -n --tries 2 --gap 0
primary_renew 'connect 554 5.7.1 no'
exits "a refusal for good: 69" 69 bmx-probe -n --tries 3 --gap 0
is "is not tried again" "$(grep -ac ' C: QUIT' "$primary/log")" 1
primary_renew 'connect 421 4.3.2 busy'
exits "--json: 75" 75 bmx-probe -n --json --tries 2 --gap 0
like "has them too" "$(cat "$tmp/out")" '"tries":2'

# ---- families, and where it comes from ----

primary_renew
exits "-6, and there are IPv4 addresses alone: 71" 71 bmx-probe -n -6
is "nothing is known" "$(word)" 'unknown not-tried'
like "of this family" "$(cut -f 9 "$tmp/out")" '^no address of this family$'
like "which is said" "$(cat "$tmp/err")" '^bmx-probe: example\.com: no address of this family$'
exits "--nagios: unknown: 3" 3 bmx-probe -n -6 --nagios
if python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
	closed=$(free_port)
	make_conf '[example.com]' 'tls = none' \
	    "primary = 127.0.0.1:$primary_port [::1]:$closed"
	exits "IPv4 is good, IPv6 is not: 0" 0 bmx-probe -n
	is "both are seen" "$(cut -f 4,12,13 "$tmp/out")" 'up	up	down'
	exits "-4: 0" 0 bmx-probe -n -4
	is "-4 looks at one" "$(cut -f 12,13 "$tmp/out")" 'up	-'
	exits "-6: 69" 69 bmx-probe -n -6
	is "-6 at the other" "$(cut -f 4,12,13 "$tmp/out")" 'down	-	down'
	exits "--nagios: a dead family is a warning: 1" 1 bmx-probe -n --nagios
	like "by name" "$(cat "$tmp/out")" 'WARNING - .*ipv6 does not answer'
	exits "--json: 0" 0 bmx-probe -n --json
	like "has both" "$(cat "$tmp/out")" '"ipv4":"up","ipv6":"down"'
else
	for what in 'IPv4 is good, IPv6 is not: 0' 'both are seen' '-4: 0' \
	    '-4 looks at one' '-6: 69' '-6 at the other' \
	    '--nagios: a dead family is a warning: 1' 'by name' '--json: 0' 'has both'; do
		skip "$what" 'there is no IPv6 here'
	done
fi
make_conf '[example.com]' 'tls = none' "primary = 127.0.0.1:$primary_port"
primary_renew "connect run echo \$BMX_PEER >$tmp/peer"
exits "--source, an address of this host: 0" 0 bmx-probe -n --source 127.0.0.3
is "is where it comes from" "$(cat "$tmp/peer")" 127.0.0.3
exits "--source, one for each family: 0" 0 bmx-probe -n --source 127.0.0.4,::1
is "the one that fits" "$(cat "$tmp/peer")" 127.0.0.4
exits "--source, one of another host: 71" 71 bmx-probe -n --source 192.0.2.77
is "is our own trouble" "$(word)" 'unknown own-trouble'
exits "--source, none: 64" 64 bmx-probe -n --source nowhere
exits "--source, a socket: 64" 64 bmx-probe -n --source lmtp:/run/socket
primary_check
done_testing
