#!/bin/sh
# C5, bmx-probe --rehearse: would the primary take what a drain brings? Each
# policy that would refuse or delay it is named, with a cure.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
mkdir -m 700 "$tmp/state"
conf()
{
	make_conf "state = $tmp/state" '[example.org]' \
	    "primary = 127.0.0.1:$primary_port" "$@"
}
conf 'tls = none'
# No recipient but postmaster is known to a good primary: the third that it is
# asked for is not.
unknown='rcpt#3 550 5.1.1 unknown user'

primary_start "$unknown"
exits "a primary that takes a drain: 0" 0 bmx-probe --rehearse
like "is said to" "$(sed -n 1p "$tmp/out")" \
    "^example.org 127.0.0.1:$primary_port .*: a drain would be taken\$"
is "all questions are asked" "$(sed -n 's/^	\([a-z]*\) *\([a-z-]*\):.*/\1 \2/p' "$tmp/out")" \
    'note tls
pass postmaster
pass foreign-sender
pass unknown-recipient
pass many-transactions'
is "in one session" "$(primary_said ' C: QUIT')" 1
like "with a stranger's address" "$(cat "$primary/log")" 'MAIL FROM:<bmx-rehearsal@example\.com>'
is "and twenty transactions in a row" "$(primary_said ' C: RSET')" 23
unlike "and no message" "$(cat "$primary/log")" ' C: (DATA|BDAT)'
exits "-4: 0" 0 bmx-probe -n --rehearse -4 --burst 1
is "goes there, too" "$(primary_said ' C: QUIT')" 2
exits "-6: 75" 75 bmx-probe -n --rehearse -6
like "has nowhere to go" "$(cat "$tmp/out")" 'slow +session: no address of this family$'
exits "--tls: 75" 75 bmx-probe -n --rehearse --tls encrypt
like "asks for more than bmx.conf" "$(cat "$tmp/out")" 'slow +session: no session: .*STARTTLS'
is "neither asks anything" "$(primary_said ' C: MAIL')" 27
for option in --all --banner-timeout=5 --cert-warn=3 --on-change=/bin/true \
    --rcpt=x@example.org --tries=3 --until=banner; do
	exits "$option would have no effect: 64" 64 bmx-probe --rehearse "$option"
	like "that is said" "$(cat "$tmp/err")" "^bmx-probe: ${option%%=*}: not with --rehearse\$"
done
exits "nor has -4 in a report: 64" 64 bmx-probe --report -4
like "that is said" "$(cat "$tmp/err")" '^bmx-probe: --ipv4: not with --report$'
exits "--burst, --foreign: 0" 0 bmx-probe --rehearse --burst 2 --foreign x@example.net
like "change them" "$(cat "$primary/log")" ' C: MAIL FROM:<x@example\.net>'

# refuses "test" STATUS ID CAUSE ROW...: what a policy does
refuses()
{
	refuses_what=$1
	refuses_status=$2
	refuses_id=$3
	refuses_cause=$4
	shift 4
	primary_renew "$@" "$unknown"
	exits "$refuses_what: $refuses_status" "$refuses_status" bmx-probe -n --rehearse --json
	is "$refuses_what: is found" "$(python3 -c '
import json, sys
for f in json.load(sys.stdin)["findings"]:
    if f["outcome"] in ("slow", "refuse"):
        print(f["id"], f["cause"], "cure" if f["cure"] else "no cure")' <"$tmp/out")" \
	    "$refuses_id $refuses_cause cure"
}
unknown='rcpt#2 550 5.1.1 unknown user' # where one RCPT is not said
refuses 'SPF by its code (RFC 7372)' 69 foreign-sender spf \
    'mail<bmx-rehearsal@example.com> 550 5.7.23 validation failed'
refuses 'no reverse name' 69 postmaster reverse-dns 'mail#1 550 5.7.25 no PTR'
unknown='rcpt#3 550 5.1.1 unknown user'
refuses 'SPF by its words' 69 foreign-sender spf \
    'rcpt#2 550 5.7.1 Please see http://www.openspf.org/Why SPF fail'
refuses 'a block list' 69 session dnsbl \
    'connect 554 5.7.1 Service unavailable; client host blocked using zen.spamhaus.org'
refuses 'greylisting' 75 postmaster greylisting 'rcpt#1 450 4.2.0 Greylisted, see http://x'
refuses 'a rate limit' 75 many-transactions rate-limit \
    'mail#9 421 4.7.0 Too many messages, slow down'
refuses 'a limit for good' 69 many-transactions rate-limit \
    'mail#9+ 550 5.7.1 rate limit exceeded'
refuses 'a recipient that may be known or not' 75 unknown-recipient temporary \
    'rcpt#3 450 4.1.1 cannot say'
refuses 'a relay that is denied' 69 foreign-sender policy \
    'rcpt#2 554 5.7.1 Relay access denied'
refuses 'trouble of its own' 75 postmaster temporary 'rcpt#1 451 4.3.0 oops'
refuses 'a session that breaks' 75 foreign-sender temporary \
    'mail<bmx-rehearsal@example.com> hangup'
refuses 'one that breaks between two transactions' 75 postmaster temporary 'rset#1 hangup'
refuses 'the same behind a recipient who is refused' 75 unknown-recipient temporary \
    'rset#3 421 4.3.2 bye'
refuses 'the same in a row of transactions' 75 many-transactions temporary 'rset#9 hangup'
refuses 'a transaction that cannot be undone' 75 postmaster temporary 'rset#1 500 5.5.1 what?'
conf 'tls = encrypt'
refuses 'no TLS where it must be' 75 session tls
like "is said" "$(cat "$tmp/out")" '"no session: .*STARTTLS'
conf 'tls = none'
stop primary
exits "nobody there: 75" 75 bmx-probe -n --rehearse
like "is said" "$(cat "$tmp/out")" 'slow +session: no session: .*refused'

primary_start 'mail 550 5.7.1 no'
exits "refused, in words: 69" 69 bmx-probe -n --rehearse
like "the verdict comes first" "$(sed -n 1p "$tmp/out")" ': mail would be refused$'
make_conf "state = $tmp/state" 'resolver = 127.0.0.1:1' '[example.org]' 'primary = nowhere.invalid'
exits "nowhere to go: 75" 75 bmx-probe -n --rehearse -t 4
like "is said" "$(cat "$tmp/out")" 'slow +session: no route: 4\.4\.[0-9] '
conf 'tls = none'

# ---- what is learned ----

primary_renew
exits "a primary that takes anything: 0" 0 bmx-probe --rehearse
like "is a catch-all" "$(cat "$tmp/out")" 'note +unknown-recipient: takes mail for any'
like "which is remembered" "$(bmx-queue recipients list 2>&1)" 'catch-all'
primary_renew "$unknown"
exits "and one that does not: 0" 0 bmx-probe --rehearse
rm -r "$tmp/state"
: >"$tmp/state"
exits "what is learned cannot be kept: 0" 0 bmx-probe --rehearse
like "that is said" "$(cat "$tmp/err")" "^bmx-probe: .*$tmp/state"
primary_check
done_testing
