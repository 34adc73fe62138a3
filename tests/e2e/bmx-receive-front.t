#!/bin/sh
# D47 Trusted front ends: the PROXY protocol and XCLIENT, from listed networks
# alone.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"

make_conf 'min-free = 1M' 'proxy = 198.51.100.0/24' 'xclient = 203.0.113.1' \
    '[example.com]'
mail()
{
	say 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA text . QUIT
}
# from CLIENT: a session with it; the new message's client
from()
{
	empty_spool
	: >"$tmp/bmx.log"
	TCPREMOTEIP=$1 TCPREMOTEPORT=4000 bmx-receive >"$tmp/out"
	file=$(queued example.com)
	[ -z "$file" ] || tr -d '\r' <"$file" | sed -n 's/^Bmx-Client: //p'
}

# ---- PROXY ----

is 'a header of version 1 names the client' \
    "$({ say 'PROXY TCP4 192.0.2.1 198.51.100.1 40312 25' 'EHLO c'; mail; } |
	from 198.51.100.9)" 'addr=192.0.2.1 port=40312 helo=c proto=ESMTP'
like 'also in the log' "$(cat "$tmp/bmx.log")" 'peer=192\.0\.2\.1:40312 .* connected$'
is 'one of version 2 too' \
    "$({
		printf '\r\n\r\n\0\r\nQUIT\n\041\021\0\014\300\0\002\001\306\063\144\001\0\001\0\031'
		say 'EHLO c'
		mail
	} | from 198.51.100.9)" 'addr=192.0.2.1 port=1 helo=c proto=ESMTP'
is 'LOCAL is the front end itself' \
    "$({ printf '\r\n\r\n\0\r\nQUIT\n\040\0\0\0'; say 'EHLO c'; mail; } |
	from 198.51.100.9)" 'addr=198.51.100.9 port=4000 helo=c proto=ESMTP'
{ say 'EHLO c'; mail; } | from 198.51.100.9 >"$tmp/client"
is 'without a header a listed front end is told 421' "$(codes "$tmp/out")" '421 4.3.5'
like 'and the log says why' "$(cat "$tmp/bmx.log")" 'no PROXY header came'
ok 'and nothing is taken' nothing_queued
# Told to end while it waits for the header: when the signals are caught.
mkfifo "$tmp/fifo"
: >"$tmp/bmx.log"
TCPREMOTEIP=198.51.100.9 bmx-receive <"$tmp/fifo" >"$tmp/out" &
pid=$!
exec 9>"$tmp/fifo"
wait_for 20 grep -Eq '^SigCgt:.*[67ef]...$' "/proc/$pid/status"
kill -TERM "$pid"
wait "$pid"
exec 9>&-
is 'D16 SIGTERM in place of a header: 421 4.3.2' "$(codes "$tmp/out")" '421 4.3.2'
unlike 'which is not the front end'\''s fault' "$(cat "$tmp/bmx.log")" 'PROXY'
is 'a header from anybody else is no command' \
    "$({ say 'PROXY TCP4 192.0.2.1 198.51.100.1 40312 25' 'EHLO c'; mail; } |
	from 198.51.101.9)" 'addr=198.51.101.9 port=4000 helo=c proto=ESMTP'
is 'D47 it is told 500' "$(codes "$tmp/out" | sed -n 2p)" '500 5.5.1'

# ---- XCLIENT ----

is 'XCLIENT names the client' \
    "$({
		say 'EHLO front' \
		    'XCLIENT ADDR=IPV6:2001:db8::1 PORT=77 NAME=mx.example.org HELO=there PROTO=SMTP'
		say 'EHLO front'
		mail
	} | from 203.0.113.1)" \
    'addr=2001:db8::1 port=77 name=mx.example.org helo=there proto=SMTP'
like 'EHLO offers it' "$(cat "$tmp/out")" '^250.XCLIENT ADDR NAME PORT PROTO HELO LOGIN'
is 'it begins the session anew' "$(codes "$tmp/out" | head -n 5)" '220
250
220
250
250 2.1.0'
like 'the log knows both' "$(cat "$tmp/bmx.log")" \
    'peer=\[2001:db8::1\]:77 name=mx\.example\.org front=203\.0\.113\.1:4000 connected$'
like 'D19 Received has the client' "$(cat "$(queued example.com)")" \
    '^Received: from there \(mx\.example\.org \[IPv6:2001:db8::1\]\)'
say 'EHLO c' 'XCLIENT ADDR=192.0.2.1' 'MAIL FROM:<a@s.example>' QUIT | from 203.0.113.1
is 'EHLO is needed again' "$(codes "$tmp/out" | tail -n 2 | head -n 1)" '503 5.5.1'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'XCLIENT ADDR=192.0.2.1' QUIT | from 203.0.113.1
is 'not inside a transaction' "$(codes "$tmp/out" | sed -n 4p)" '503 5.5.1'
is 'bad values are 501, and change nothing' \
    "$({ say 'EHLO c' 'XCLIENT ADDR=192.0.2.1 NAME=a+0Ab'; mail; } |
	from 203.0.113.1)" 'addr=203.0.113.1 port=4000 helo=c proto=ESMTP'
is 'nor what an XCLIENT before them said' \
    "$({
		say 'XCLIENT ADDR=192.0.2.1 HELO=there PROTO=SMTP' \
		    'EHLO front' 'XCLIENT PORT=none' 'EHLO front'
		mail
	} | from 203.0.113.1)" 'addr=192.0.2.1 port=4000 helo=there proto=SMTP'
is 'D47 anybody else is told 550' \
    "$({ say 'EHLO c' 'XCLIENT ADDR=192.0.2.1'; mail; } | from 203.0.113.2)
$(codes "$tmp/out" | sed -n 3p)" 'addr=203.0.113.2 port=4000 helo=c proto=ESMTP
550 5.7.0'
unlike 'and not offered it' "$(cat "$tmp/out")" '^250.XCLIENT'
done_testing
