#!/bin/sh
# bmx-mxcheck when the nth call fails, for every n: it ends, and what it could
# not find out it does not call good.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/faults.sh"
faults_need
need python3
dns_port=$(free_port)
start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "$dns_port"
make_conf "resolver = 127.0.0.1:$dns_port"
zone=some.test

check()
{
	rm -f "$tmp/record"
	"$@" bmx-mxcheck --record="$tmp/record" "$zone" 2>"$tmp/err"
}
wait_up dns ready
check env >"$tmp/right"
is 'without a fault it has something to say' "$(grep -c "$zone" "$tmp/right" | grep -vx 0 | wc -l)" 1

# No disk call of its own: the C library writes the record, from inside itself.
while read -r status output; do
	exits "a record that cannot be written, ${output##*/}: $status" "$status" \
	    bmx-mxcheck --record="$output" "$zone"
	like "${output##*/}: says so" "$(cat "$tmp/err")" "^bmx-mxcheck: .*$output: "
done <<E2
75 /dev/full
2 $tmp/none/record
2 $tmp
E2
exits 'a report that cannot be written' 75 sh -c 'bmx-mxcheck "$0" >/dev/full' "$zone"
like 'says so' "$(cat "$tmp/err")" 'No space left'

# replays: the record that was written, if any, says the same.
replays()
{
	[ ! -s "$tmp/record" ] || bmx-mxcheck -q --replay="$tmp/record" 2>&1 |
	    cmp -s - "$tmp/right" || wrong 'another record'
}

# once KINDS N DEED
once()
{
	check faulty "$@" | cat >"$tmp/out"
	status=$(cat "$tmp/status")
	fault_common "$status"
	case $3 in kill-*)
		replays
		return
		;;
	esac
	if cmp -s "$tmp/out" "$tmp/right"; then
		[ "$status" -gt 1 ] || replays
		return
	fi
	[ "$status" -ne 0 ] || [ -s "$tmp/err" ] ||
	    wrong "another report, and 0: $(diff "$tmp/out" "$tmp/right")"
	[ -s "$tmp/err" ] || [ -s "$tmp/out" ] || wrong 'nothing said'
}

faults_of once open close random send recv socket memory=ENOMEM \
    recv=kill-before close=kill-after
for error in EMFILE ENFILE EINTR EACCES; do
	once open 2 "$error"
	once socket 1 "$error"
	once socket 1+ "$error"
done >"$tmp/wrong"
is 'every error' "$(cat "$tmp/wrong")" ''
case $fault_error in kill-*) ;; *) faults_enough 20 ;; esac # it changes no file
done_testing
