#!/bin/sh
# Servers that mean no good, or speak something else, at each step of a session
# of bmx-probe: always a record with a reason, in time, and a clean terminal.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'reply-timeout = 60s'
kib64=$(awk 'BEGIN { for (i = 0; i < 65536; i++) printf "a" }')

# hostile "test" STATUS WORDS REASON ROW...: with $seconds for all of it
seconds=20
hostile()
{
	hostile_what=$1
	hostile_status=$2
	hostile_words=$3
	hostile_reason=$4
	shift 4
	primary_renew "$@"
	exits "$hostile_what: $hostile_status" "$hostile_status" \
	    timeout 30 bmx-probe -n --brief -t "$seconds" --until rcpt
	is "$hostile_what: $hostile_words" "$(cut -f 4,5 "$tmp/out" | tr '\t' ' ')" \
	    "$hostile_words"
	like "$hostile_what: the reason" "$(cut -f 9 "$tmp/out")" "$hostile_reason"
	is "$hostile_what: one short line that can be printed" "$(LC_ALL=C awk '
		/[^ -~\t]/ || length > 800 { print "bad" } END { print NR }' "$tmp/out")" 1
}

# ---- slow, but right ----

primary_start
hostile 'a greeting in two halves, with a pause' 0 'up ok' '^-$' \
    'connect parts 400 220-primary.test wait\r\n|220 primary.test ESMTP\r\n'
is "nothing is said in the pause" \
    "$(sed -n '/220 primary/q; / C: /p' "$primary/log")" ''
hostile 'a reply that comes byte by byte' 0 'up ok' '^-$' \
    'ehlo parts 20 2|5|0|-|h|i|\r|\n2|5|0| |S|I|Z|E|\r|\n'

# ---- slow for ever ----

seconds=1
drip=$(awk 'BEGIN { for (i = 0; i < 200; i++) printf "a|" }')
hostile 'a greeting that drips' 69 'down timeout' '^greeting: timeout' \
    "connect parts 100 220 $drip"
hostile 'a line after another, in time, without an end' 69 'down timeout' \
    '^greeting: timeout' "connect parts 100 220-x\\r\\n|$(echo "$drip" |
	sed 's/a|/220-x\\r\\n|/g')"
hostile 'an EHLO that drips' 69 'down timeout' '^EHLO: timeout' "ehlo parts 100 250 $drip"
hostile 'nothing to MAIL' 69 'down timeout' '^MAIL FROM.*: timeout' 'mail stall'
hostile 'nothing to QUIT' 0 'up ok' '^-$' 'quit stall'

# ---- too much ----

seconds=20
hostile 'a greeting without an end' 69 'down protocol-error' 'more than 100 lines' \
    'connect flood'
hostile 'an EHLO without an end' 69 'down protocol-error' 'more than 100 lines' 'ehlo flood'
hostile 'a RCPT without an end' 69 'down protocol-error' 'more than 100 lines' 'rcpt flood'
hostile 'a QUIT without an end' 0 'up ok' '^-$' 'quit flood'
hostile 'a greeting of 64 KiB in one line' 69 'down protocol-error' 'too long' \
    "connect raw 220 $kib64\\r\\n"
hostile '64 KiB to EHLO in one line' 69 'down protocol-error' 'too long' \
    "ehlo raw 250 $kib64\\r\\n"
hostile '64 KiB without a line end' 69 'down protocol-error' 'too long' "connect raw $kib64"
hostile 'ninety-eight keywords nobody knows' 0 'up ok' '^-$' \
    "ehlo 250 primary.test$(awk 'BEGIN { for (i = 0; i < 98; i++) printf "|X-%d SIZE", i }')"

# ---- something else ----

hostile 'zero bytes' 69 'down protocol-error' 'protocol error|NUL' 'connect raw \x00\x00\r\n'
hostile 'an HTTP server' 69 'down protocol-error' 'HTTP/1.1 400' \
    'connect raw HTTP/1.1 400 Bad Request\r\n\r\n'
hostile 'a TLS server' 69 'down protocol-error' 'protocol error' \
    'connect raw \x15\x03\x03\x00\x02\x02\x46\r\n'
hostile 'a code of two digits' 69 'down protocol-error' 'protocol error' 'connect raw 22 hi\r\n'
hostile 'codes that differ in one reply' 69 'down protocol-error' 'protocol error|code' \
    'ehlo raw 250-hi\r\n550 no\r\n'
hostile 'another answer than was asked for' 69 'down protocol-error' '.' 'connect raw 354 go on\r\n'
hostile 'escapes in a refusal' 69 'down refused-by-policy' '\\x1b\]0;x' \
    'rcpt raw 550 5.7.1 \x1b]0;x\x07\x1b[2J\r\n'
hostile 'D9: 521 for good' 69 'down refused-by-policy' 'greeting: 521' 'connect 521 5.3.2 none'
hostile 'D32: 421 in the middle' 75 'deferring deferred' '421' 'mail 421 4.3.2 going down'
primary_check
done_testing
