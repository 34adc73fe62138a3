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
	"$@" bmx-mxcheck "$zone" 2>"$tmp/err"
}
wait_up dns ready
check env >"$tmp/right"
is 'without a fault it has something to say' "$(grep -c "$zone" "$tmp/right" | grep -vx 0 | wc -l)" 1

# once KINDS N DEED
once()
{
	check faulty "$@" | cat >"$tmp/out"
	status=$(cat "$tmp/status")
	fault_common "$status"
	cmp -s "$tmp/out" "$tmp/right" && return
	[ "$status" -ne 0 ] || [ -s "$tmp/err" ] ||
	    wrong "another report, and 0: $(diff "$tmp/out" "$tmp/right")"
	[ -s "$tmp/err" ] || [ -s "$tmp/out" ] || wrong 'nothing said'
}

faults_of once open close random send recv socket memory=ENOMEM
for error in EMFILE ENFILE EINTR EACCES; do
	once open 2 "$error"
	once socket 1 "$error"
	once socket 1+ "$error"
done >"$tmp/wrong"
is 'every error' "$(cat "$tmp/wrong")" ''
faults_enough 20
done_testing
