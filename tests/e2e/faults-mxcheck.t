#!/bin/sh
# bmx-mxcheck when the nth call fails, for every n: it ends, and what it could
# not find out it does not call good.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
# shellcheck source=tests/lib/mailhosts.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/lib/mailhosts.sh"
faults_need
need python3
dns_port=$(free_port)
start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "$dns_port"
make_conf "resolver = 127.0.0.1:$dns_port"
zone=some.test

# How bmx-mxcheck is called: plain; smtp, with a session or a policy; pair, with
# two hosts; servers, of which each is asked; replay, with an assumption about
# what was heard.
story=plain
check()
{
	echo old >"$tmp/record"
	case $story in
	plain) set -- "$@" bmx-mxcheck --deadline 2 --record="$tmp/record" "$zone" ;;
	smtp | pair)
		set -- "$@" bmx-mxcheck -q --brief --deadline 2 --fail-on warning --only "$smtp" \
		    --assume 'no MX' --assume 'MX 10 ns1.test' \
		    --smtp-port "$mail_port" --smtp-timeout 2 \
		    --record="$tmp/record" "$zone"
		[ $story = smtp ] || set -- "$@" --assume 'MX 20 ns2.test'
		;;
	servers)
		set -- "$@" bmx-mxcheck -q --brief --deadline 2 --only NS-SAME-MX \
		    --ns-port "$dns_port" --record="$tmp/record" "$zone"
		;;
	replay)
		set -- "$@" bmx-mxcheck -q --brief --assume 'MX 30 mx9.test' \
		    --replay="$tmp/heard" --record="$tmp/record"
		;;
	esac
	"$@" 2>"$tmp/err"
}
wait_up dns ready
check env >"$tmp/right"
is 'without a fault it has something to say' "$(grep -c "$zone" "$tmp/right" | grep -vx 0 | wc -l)" 1

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

# recorded STATUS: the record is still the old one, unless the run went well; or
# the new one, whole, which says what was reported.
recorded()
{
	if [ "$(cat "$tmp/record")" = old ]; then
		case $1 in 0 | 1 | 3) wrong 'nothing recorded' ;; esac
		return
	fi
	bmx-mxcheck -q --replay="$tmp/record" >"$tmp/replayed" 2>&1
	if [ $? -gt 3 ] || [ ! -s "$tmp/replayed" ]; then
		wrong "a record in part: $(cat "$tmp/replayed")"
	fi
	[ $story != plain ] || ! cmp -s "$tmp/out" "$tmp/right" ||
	    cmp -s "$tmp/replayed" "$tmp/right" || wrong 'another record'
}

# once KINDS N DEED
once()
{
	check faulty "$@" | cat >"$tmp/out"
	status=$(cat "$tmp/status")
	fault_common "$status"
	recorded "$status"
	case $3 in kill-*) return ;; esac
	! cmp -s "$tmp/out" "$tmp/right" || return 0
	[ "$status" -ne 0 ] || [ -s "$tmp/err" ] ||
	    wrong "another report, and 0: $(diff "$tmp/out" "$tmp/right")"
	[ -s "$tmp/err" ] || [ -s "$tmp/out" ] || wrong 'nothing said'
}

faults_of once disk disk=kill-before disk=kill-after open close random send recv socket memory=ENOMEM \
    recv=kill-before close=kill-after
for error in EMFILE ENFILE EINTR EACCES; do
	once open 2 "$error"
	once socket 1 "$error"
	once socket 1+ "$error"
done >"$tmp/wrong"
is 'every error' "$(cat "$tmp/wrong")" ''

# A session is a process of its own, so is the fetch of a policy.
mailhosts_start <<'E3'
127.0.0.1 name=ns1.test
E3
story=smtp
smtp=TCP-25,BANNER,POSTMASTER
check env >"$tmp/right"
is 'with a session' "$(cat "$tmp/right")" "$zone	ok	-"
cp "$tmp/record" "$tmp/heard"
faults_of once fork send memory=ENOMEM
story=pair
faults_of once fork pipe
story=smtp
smtp=STS-POLICY
check env >"$tmp/right"
like 'a policy that cannot be had' "$(cat "$tmp/right")" "^$zone	(unknown	\\?|warning	)STS-POLICY\$"
for kind in fork pipe; do
	once "$kind" 1 EMFILE
done >"$tmp/wrong"
is 'nobody to fetch it' "$(cat "$tmp/wrong")" ''
story=servers
check env >"$tmp/right"
like 'with its name server' "$(cat "$tmp/right")" "^$zone	"
faults_of once memory=ENOMEM
story=replay
check env >"$tmp/right"
like 'an assumption about what was heard' "$(cat "$tmp/right")" "^$zone	"
faults_of once memory=ENOMEM
faults_enough 20
done_testing
