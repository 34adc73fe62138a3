#!/bin/sh
# bmx-probe --report: availability, outages and latencies of a primary, from a
# history that is made up here, and from one that bmx wrote.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
make_conf '[a.example]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    '[b.example]' "primary = 127.0.0.1:$primary_port" 'tls = none'
spool=$tmp/spool/a.example
mkdir -m 700 "$spool" || bail "no spool"

# ago SECONDS: that time, as in the history
ago()
{
	date -u -d "@$(($(date +%s) - $1))" +%Y-%m-%dT%H:%M:%SZ
}
day=86400
# 20 days: up but for 12 hours down and 6 hours deferring, and one day when
# nobody looked
{
	echo "$(ago $((20 * day))) up"
	echo "$(ago $((15 * day))) down from=$(ago $((15 * day))) seen=$(ago $((15 * day + 60))) reason=\"no connection\""
	echo "$(ago $((15 * day - 43200))) up from=$(ago $((15 * day - 43200)))"
	echo "$(ago $((10 * day))) up seen=$(ago $((11 * day)))"
	echo "$(ago $((5 * day))) deferring from=$(ago $((5 * day)))"
	echo "$(ago $((5 * day - 10800))) down"
	echo "$(ago $((5 * day - 21600))) up"
	echo "$(date -u -d "@$(($(date +%s) - 4 * day))" +%Y-%m-%d) up results=100 good=97 connect=3:90,4:9,14:1 banner=5:100"
} >"$spool/history"
printf 'verdict up\nprobed %s\nlast up\nrun 9\n' "$(ago 0)" >"$spool/primary"

exits "a report: 0" 0 bmx-probe --report a.example
cat >"$tmp/expected" <<'E'
	available  96.0526 %
	outages    2, 18.0 h in all, longest 12.0 h
	MTBF       9.1 d, MTTR 9.0 h
	connect    p50 <= 10 ms, p95 <= 20 ms, p99 <= 20 ms, of 100
	banner     p50 <= 50 ms, p95 <= 50 ms, p99 <= 50 ms, of 100
E
like "tells the span, and how much of it is known" "$(sed -n 1p "$tmp/out")" \
    '^a\.example from .*Z to .*Z, known 19\.0 d of 30\.0 d$'
is "and the figures" "$(sed '1d; s/ from [^ ]*$//' "$tmp/out")" "$(cat "$tmp/expected")"
exits "an objective that was met: 0" 0 bmx-probe --report --objective 96 a.example
like "the budget and what is left of it" "$(cat "$tmp/out")" \
    'objective  96.000 %: met, error budget 18\.2 h, left 14 min$'
exits "one that was missed: 69" 69 bmx-probe --report --objective 99.9 a.example
like "by how much" "$(cat "$tmp/out")" 'missed, error budget 27 min, exceeded by 17\.5 h'
exits "--since: 0" 0 bmx-probe --report --since 12d --json a.example
cat >"$tmp/check.py" <<'E'
import datetime, json, sys
r = json.load(sys.stdin)
assert list(r) == ("schema domain from to known_seconds up_seconds down_seconds "
    "availability objective is_met budget_seconds budget_left_seconds outages "
    "is_down longest_seconds longest_from mtbf_seconds mttr_seconds probes "
    "good_probes latency_seconds spells").split(), list(r)
near = lambda got, want: abs(got - want) <= 5
when = lambda text: datetime.datetime.fromisoformat(text[:-1])
assert near(r["known_seconds"], 11 * 86400), r
assert near(r["down_seconds"], 21600) and r["outages"] == 1, r
assert near(r["mttr_seconds"], 21600) and r["is_down"] is False, r
assert r["objective"] is None and r["is_met"] is None, r
assert r["probes"] == 100 and r["good_probes"] == 97, r
seconds = {"up": 0, "deferring": 0, "down": 0}
for s in r["spells"]:
    seconds[s["verdict"]] += (when(s["to"]) - when(s["from"])).total_seconds()
assert seconds["up"] == r["up_seconds"], (seconds, r)
assert near(seconds["deferring"], 10800) and near(seconds["down"], 10800), r
assert r["latency_seconds"]["connect"] == {"p50": .01, "p95": .02, "p99": .02}, r
E
ok "--json has all of it, within that time" python3 "$tmp/check.py" <"$tmp/out"
exits "a date: 0" 0 bmx-probe --report --since 2026-01-31 a.example
like "is its beginning" "$(cat "$tmp/out")" '^a\.example from 2026-01-31T00:00Z'

exits "nothing is known of the other: 0" 0 bmx-probe --report b.example
like "which is said" "$(cat "$tmp/out")" 'nothing is known'
exits "so nobody can tell whether it met an objective: 75" 75 \
    bmx-probe --report --objective 99 b.example
exits "all domains: 0" 0 bmx-probe --report
is "in order" "$(grep -c '^[ab]\.example' "$tmp/out")" 2
exits "a foreign name: 65" 65 bmx-probe --report c.example
for wrong in '--since never' '--since 2099-01-01' '--objective 101' '--nagios' '--rehearse'; do
	# shellcheck disable=SC2086 # words
	bmx-probe --report $wrong >"$tmp/out" 2>&1
	like "$wrong: is refused" "$? $(cat "$tmp/out")" '^(64|3) '
done

# ---- what bmx writes itself ----

sed -i 's/^tls = none/&\nrise = 1\nfall = 1/' "$BMX_CONF"
primary_start
bmx-probe --brief b.example >/dev/null
stop primary
bmx-probe --brief b.example >/dev/null
like "a change is a line" "$(sed -n 2p "$tmp/spool/b.example/history")" \
    '^2[^ ]*Z down from=2[^ ]*Z seen=2[^ ]*Z reason="no connection: .*refused"$'
like "latencies are in the state" "$(cat "$tmp/spool/b.example/primary")" \
    '^day 2[-0-9]* down results=2 good=1 dns=[0-9:,]* connect=.* ehlo=.* quit='
exits "the report: 0" 0 bmx-probe --report --json b.example
like "knows of it" "$(cat "$tmp/out")" '"probes":2,"good_probes":1'
done_testing
