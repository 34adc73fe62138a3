#!/bin/sh
# Every verb of bmx-queue beside flushers at work: each message is delivered, or
# given up, or still there, and never two of these (D48).
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
mkdir -m 700 "$tmp/state"
make_conf "state = $tmp/state" '[example.com]' "primary = 127.0.0.1:$primary_port" \
    '[example.net]' "primary = 127.0.0.1:$(free_port)"
plan 11

primary_start
put race n=600
echo "$ids" | sort >"$tmp/ids"
part()
{
	awk -v part="$1" 'NR % 6 == part' "$tmp/ids"
}

# Who acts on a message, each on a part of them, until nobody flushes any more;
# and who looks at all of them. A status that is not to be ends in $tmp/bad.
cat >"$tmp/hand" <<'E'
flushers=$1
shift
while [ ! -e "$flushers" ]; do
	bmx-queue "$@" 2>>"$tmp/errors"
	# gone, busy, and for a dry run; what readiness finds
	case $1:$? in *:0 | *:69 | *:75 | readiness:[12]) ;; *) echo "$? $*" >>"$tmp/bad" ;; esac
done
E
hand()
{
	name=$1
	shift
	start_bg "$name" sh "$tmp/hand" "$tmp/enough" "$@"
}
for n in 1 2 3 4 5; do
	part $n >"$tmp/part$n"
done
# shellcheck disable=SC2046 # IDs are words
{
	hand hold hold $(part 1)
	hand release release $(part 1)
	hand retry retry $(part 2)
	hand remove remove $(part 3)
	hand bounce bounce $(part 4)
	hand expire expire $(part 5)
}
hand list list
hand json list --json
hand shape shape --by error
hand explain explain --domain '*'
hand export export --domain example.com
hand fsck fsck --repair
hand pause pause example.com --reason race
hand resume resume example.com
printf 'Subject: imported\r\n\r\nHello\r\n' >"$tmp/new"
hand import import --from a@s.example --to bob@example.net "$tmp/new"
hand count count
hand domains list --domains
hand summary list --summary
hand nagios list --nagios
hand prometheus list --prometheus
hand watch watch --count 1
hand readiness readiness --json
hand recipients recipients list example.com
# shellcheck disable=SC2046 # IDs are words
{
	hand show show $(part 2)
	hand cat cat $(part 2)
}
for round in 1 2 3; do
	start_bg flush1 bmx-flush --now
	start_bg flush2 bmx-flush --now
	wait_gone "$(pid_of flush1)" || fail "a flusher hangs in round $round"
	wait_gone "$(pid_of flush2)" || fail "a flusher hangs in round $round"
done
: >"$tmp/enough"
for name in hold release retry remove bounce expire list json shape explain \
    export fsck pause resume import count domains summary nagios prometheus watch \
    readiness recipients show cat; do
	wait_gone "$(pid_of "$name")"
done
is "nobody ends in error" "$(cat "$tmp/bad" 2>/dev/null)" ""
unlike "nobody complains but of what is gone or busy" \
    "$(cat "$tmp/errors" 2>/dev/null)" \
    '^bmx-queue: [^:]*(cannot|size|bytes|regular|problem|[Pp]ermission)'

is "nothing damaged" "$(bmx-queue fsck --repair >/dev/null 2>&1; bmx-queue fsck 2>&1)" ""
ok "what was imported waits" test "$(bmx-queue count example.net)" -gt 0
bmx-queue resume example.com >/dev/null 2>&1
bmx-queue release --held --domain example.com >/dev/null 2>&1
flush_again --now
exits "the last run" 0 bmx-flush --now example.com
is "nothing is left of it" "$(bmx-queue count example.com)" 0
cat "$spool"/ledger/* | grep ' domain=example\.com ' |
    sed -n 's/.* id=\([^ ]*\) .* what=\([a-z]*\) .*/\1 \2/p' |
    sort -u >"$tmp/ends"
is "each message came to one end" \
    "$(cut -d ' ' -f 1 "$tmp/ends" | sort | uniq -d)" ""
cut -d ' ' -f 1 "$tmp/ends" | sort >"$tmp/got"
same "and none to none" "$tmp/ids" "$tmp/got"
is "the primary has those that were delivered, once" "$(primary_count)" \
    "$(grep -c delivered "$tmp/ends")"
bmx-queue reconcile --json /dev/null >"$tmp/out"
like "reconcile --json has a line for each" "$(sed 1q "$tmp/out")" \
    '^\{"finding":"unknown","id":"[0-9a-v]{21}","domain":"example\.com","queue_id":"-"\}$'
n=$(grep -c delivered "$tmp/ends")
is "and a sum" "$(tail -n 1 "$tmp/out")" \
    '{"total":'"$n"',"missing":0,"unknown":'"$n"',"bounced":0,"waiting":0,"doubled":0}'
diag "$(cut -d ' ' -f 2 "$tmp/ends" | sort | uniq -c | tr -s ' \n' ' ')"
