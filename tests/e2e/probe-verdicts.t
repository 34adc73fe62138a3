#!/bin/sh
# What a primary can do, and what bmx-probe makes of it: result, word, exit
# status (D9, D31, D32, D35). No transaction is ever begun.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none'

# field N: of the one line that bmx-probe printed.
field()
{
	cut -f "$1" "$tmp/out"
}

# ---- up ----

primary_start -x 'SIZE 1000' -x 'LIMITS RCPTMAX=100'
exits "a primary that answers is up: 0" 0 bmx-probe -n example.com
is "and said so" "$(field 1,2,4,5,6)" "example.com	up	up	ok	127.0.0.1:$primary_port"
is "one line of fourteen fields" "$(awk -F '\t' '{ print NR, NF }' "$tmp/out")" '1 14'
like "the time has three digits behind the point" "$(field 8)" '^[0-9]+\.[0-9]{3}$'
is "it said EHLO and QUIT" "$(grep -a ' C: ' "$primary/log")" \
    "1 C: EHLO backup.example.net
1 C: QUIT"
is "with --no-state the spool is untouched" "$(ls -A "$tmp/spool")" ''
ok "and nothing is logged" test ! -s "$tmp/bmx.log"

# ---- everything else: rows ----

# verdict "test" STATUS RESULT WORD REASON ROW...: a primary that does this.
verdict()
{
	verdict_what=$1
	verdict_status=$2
	verdict_is="$3 $4"
	verdict_reason=$5
	shift 5
	primary_renew "$@"
	exits "$verdict_what: $verdict_status" "$verdict_status" \
	    bmx-probe -n -t 20 example.com
	is "$verdict_what: $verdict_is" "$(field 4,5 | tr '\t' ' ')" "$verdict_is"
	like "$verdict_what: the reason" "$(field 9)" "$verdict_reason"
}

verdict 'D9: a greeting of 554' 69 down refused-by-policy \
    '^refused by policy by its greeting: 554 5.7.1 not you$' \
    'connect 554 5.7.1 not you'
is "is answered with QUIT" "$(grep -a ' C: ' "$primary/log")" "1 C: QUIT"
verdict 'D9: a greeting of 521' 69 down refused-by-policy '521' \
    'connect 521 no mail here'
verdict 'a greeting of 450' 75 deferring deferred '^deferred by its greeting: 450' \
    'connect 450 4.3.2 later'
verdict 'D32: a greeting of 421' 75 deferring deferred '421 4.7.0 too many' \
    'connect 421 4.7.0 too many connections'
verdict 'EHLO refused for now' 75 deferring deferred 'EHLO: 451' \
    'ehlo 451 4.3.0 not now'
verdict 'EHLO and HELO refused' 69 down refused-by-policy 'EHLO: 550' \
    'ehlo 550 no' 'helo 550 5.7.1 no'
verdict 'D32: 421 to EHLO' 75 deferring deferred '421' 'ehlo 421 4.3.2 bye'
verdict 'closed without a greeting' 69 down closed 'greeting: connection closed' \
    'connect hangup'
verdict 'closed at EHLO' 69 down closed 'EHLO: connection closed' 'ehlo hangup'
verdict 'a reset' 69 down closed 'connection closed' 'ehlo reset'
verdict 'no SMTP' 69 down protocol-error 'protocol error' \
    'connect raw SSH-2.0-OpenSSH\r\n'
verdict 'binary garbage' 69 down protocol-error '\\x16\\x03' \
    'connect raw \x16\x03\x01\xff\n'
verdict 'an endless greeting' 69 down protocol-error 'more than 100 lines' \
    'connect flood'
verdict 'D9: our own name' 69 down loop '4.4.6' 'ehlo 250 backup.example.net'
verdict 'a greeting of three lines, late' 0 up ok '^-$' \
    'connect raw 220-wait\r\n220-for\r\n220 it\r\n'
verdict 'D35: HELO where EHLO is not known' 0 up ok '^-$' 'ehlo 500 5.5.1 what?'
verdict 'no reply to QUIT' 0 up ok '^-$' 'quit hangup'
verdict 'words for the terminal' 69 down refused-by-policy \
    '554 \\x1b\]0;x\\x07 no$' 'connect raw 554 \x1b]0;x\x07 no\r\n'

primary_renew 'connect stall'
exits "D31: a stall ends at --timeout: 69" 69 \
    timeout 10 bmx-probe -n -t 1 example.com
is "as such" "$(field 4,5)" 'down	timeout'
like "with the step" "$(field 9)" '^greeting: timeout$'

stop primary
exits "nobody listens: 69" 69 bmx-probe -n example.com
is "as such" "$(field 4,5)" 'down	connection-refused'
like "with the system's words" "$(field 9)" '^no connection: .*Connection refused$'

# ---- several addresses ----

second=$(free_port)
make_conf '[example.com]' 'tls = none' \
    "primary = 127.0.0.1:$second 127.0.0.1:$primary_port"
primary_start
exits "the second address is good: 0" 0 bmx-probe -nv example.com
is "and is the one" "$(field 6 | head -n 1)" "127.0.0.1:$primary_port"
like "the first was tried before" "$(sed -n 3p "$tmp/out")" \
    "^	127.0.0.1:$second	.*down	connection-refused"
make_conf '[example.com]' 'tls = none' \
    "primary = 127.0.0.1:$primary_port 127.0.0.1:$second"
exits "the first address is good: 0" 0 bmx-probe -nv example.com
unlike "the second is left alone" "$(cat "$tmp/out")" "127.0.0.1:$second"
exits "--all: still up: 0" 0 bmx-probe -nva example.com
like "--all: the second is tried too" "$(cat "$tmp/out")" \
    "^	127.0.0.1:$second	.*down	connection-refused"
primary_renew 'connect 421 4.3.2 busy'
exits "one defers, the other is not there: 75" 75 bmx-probe -n example.com
is "the one that defers tells most" "$(field 6)" "127.0.0.1:$primary_port"
make_conf '[example.com]' 'tls = none' \
    "primary = 127.0.0.1:$primary_port 127.0.0.1:$second"
primary_renew 'connect stall'
exits "the first swallows all: the second gets its share" 69 \
    timeout 10 bmx-probe -nv -t 1 example.com
like "of the time" "$(cat "$tmp/out")" "^	127.0.0.1:$second	.*connection-refused"
primary_check
done_testing
