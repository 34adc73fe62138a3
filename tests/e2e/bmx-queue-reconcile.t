#!/bin/sh
# bmx-queue reconcile: a ledger and a log of Postfix, each made by hand, and what
# does not come out even.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
make_conf '[example.com]'
mkdir -m 700 "$tmp/spool/ledger"
month=$tmp/spool/ledger/2026-11

# handed_over MINUTE NAME REPLY: a line of the ledger; $id is the message's ID.
handed_over()
{
	id=$(printf '1j000000000%-10s' "$2" | tr ' ' 0)
	echo "2026-11-24T03:$1:00.000000Z id=$id domain=example.com" \
	    "what=delivered size=10 from=<a@s.example> nrcpt=1 peer=127.0.0.1:25" \
	    "arrival=2026-11-24T03:00:00.000000Z sha256=00 reply=$3" >>"$month"
}

# logs QUEUE-ID WORDS...: a line of the log for each of WORDS.
logs()
{
	log_id=$1
	shift
	for word; do
		case $word in sent | bounced | deferred)
			word="to=<b@example.com>, relay=none, dsn=2.0.0, status=$word (ok)" ;;
		esac
		echo "Nov 24 03:00:00 mx postfix/qmgr[1]: $log_id: $word"
	done >>"$tmp/log"
}

# finds "test" STATUS [LINE...]: the findings, without the total.
finds()
{
	what=$1 status=$2
	shift 2
	exits "$what: $status" "$status" bmx-queue reconcile "$tmp/log"
	is "and why" "$(sed '$d' "$tmp/out")" "$(printf '%s\n' "$@")"
}

: >"$tmp/log"
handed_over 01 even '250 2.0.0 Ok: queued as AAA1'
logs AAA1 client=x sent removed
finds 'all is even' 0
is "the sum" "$(cat "$tmp/out")" \
    'total 1 missing 0 unknown 0 bounced 0 waiting 0 doubled 0'
handed_over 02 wait '250 2.0.0 Ok: queued as AAA2'
logs AAA2 client=x deferred
finds 'it waits there' 0 "waiting $id example.com AAA2"
logs AAA2 sent removed

handed_over 03 missing '250 2.0.0 Ok: queued as AAA3'
missing=$id
handed_over 04 unknown '250 fine'
unknown=$id
handed_over 05 bounced '250 2.0.0 Ok: queued as AAA5'
logs AAA5 client=x bounced removed
finds 'three that are not' 69 "bounced $id example.com AAA5" \
    "missing $missing example.com AAA3" "unknown $unknown example.com -"
handed_over 06 bounced '250 2.0.0 Ok: queued as AAA6'
logs AAA6 client=x sent removed
exits 'handed over again: 69' 69 bmx-queue reconcile "$tmp/log"
like "and doubled" "$(cat "$tmp/out")" "^doubled $id example.com AAA6\$"
is "--since leaves out what is older" \
    "$(bmx-queue reconcile --since 2026-11-24T03:06 - <"$tmp/log" | tail -n 1)" \
    'total 1 missing 0 unknown 0 bounced 0 waiting 0 doubled 0'
handed_over 07 odd '250 2.0.0 Ok: queued as ../AAA7'
like "what is no queue ID is none" \
    "$(bmx-queue reconcile --json "$tmp/log" | grep "$id")" \
    '^\{"finding":"unknown","id":".*","domain":"example\.com","queue_id":"-"\}$'
is "--since a second has all of that second" \
    "$(bmx-queue reconcile --since 2026-11-24T03:07:00Z "$tmp/log" | tail -n 1)" \
    'total 1 missing 0 unknown 1 bounced 0 waiting 0 doubled 0'
for since in yesterday '' 202 2026-11-24T 2026-11-24T03:07:00+01:00 \
    2026/11/24 2026-11Z 2026-11-24T03:07:00Zx '2026-11-24 03:07:00'; do
	case $since in
	2026-11-24T) want=69 ;; # the beginning of a time
	*) want=64 ;;
	esac
	exits "--since '$since': $want" "$want" bmx-queue reconcile \
	    --since "$since" "$tmp/log"
done
like "says what would be a time" "$(cat "$tmp/err")" \
    '^bmx-queue: --since 2026-11-24 03:07:00: no time, like 2026-11-24 or '
exits "a log that is not there: 75" 75 bmx-queue reconcile "$tmp/none"
exits "one log: 64" 64 bmx-queue reconcile "$tmp/log" "$tmp/log"

: >"$month"
handed_over 08 when '250 2.0.0 Ok: queued as AAA8'
sed -i 's/^[^ ]*/some-day/' "$month"
finds 'a line without a time counts' 69 "missing $id example.com AAA8"

# ---- the ends that a message can have there ----

: >"$month"
: >"$tmp/log"
handed_over 01 given-up '250 2.0.0 Ok: queued as CCC1'
logs CCC1 client=x deferred 'from=<a@s.example>, status=expired, returned to sender' \
    removed
finds 'it waited too long there, and went back' 69 "bounced $id example.com CCC1"
: >"$month"
handed_over 02 forced '250 2.0.0 Ok: queued as CCC2'
logs CCC2 client=x 'from=<>, status=force-expired, returned to sender' removed
finds 'or was sent back by hand' 69 "bounced $id example.com CCC2"
: >"$month"
handed_over 03 partly '250 2.0.0 Ok: queued as CCC3'
logs CCC3 client=x sent deferred
finds 'one recipient has it, one waits' 0 "waiting $id example.com CCC3"
logs CCC3 bounced
finds 'a third does not get it' 69 "bounced $id example.com CCC3" \
    "waiting $id example.com CCC3"
: >"$month"
handed_over 04 deleted '250 2.0.0 Ok: queued as CCC4'
logs CCC4 client=x deferred removed
finds 'somebody deleted it' 69 "missing $id example.com CCC4"

# ---- a queue ID that is given again ----

: >"$month"
: >"$tmp/log"
handed_over 03 third '250 2.0.0 Ok: queued as BBB1'
third=$id
handed_over 01 first '250 2.0.0 Ok: queued as BBB1'
first=$id
handed_over 02 second '250 2.0.0 Ok: queued as BBB1'
second=$id
logs BBB1 client=x sent removed
finds 'one ID for three messages, one is logged' 69 \
    "missing $second example.com BBB1" "missing $third example.com BBB1"
logs BBB1 client=x bounced removed
finds 'the second came back' 69 "bounced $second example.com BBB1" \
    "missing $third example.com BBB1"
logs BBB1 client=x
finds 'the third waits' 69 "bounced $second example.com BBB1" \
    "waiting $third example.com BBB1"
logs BBB1 sent removed
finds 'the third was delivered' 69 "bounced $second example.com BBB1"
logs BBB1 bounced
finds 'what is logged beyond that is the last one'\''s' 69 \
    "bounced $second example.com BBB1" "bounced $third example.com BBB1"
unlike "the first came through" "$(cat "$tmp/out")" "$first"
done_testing
