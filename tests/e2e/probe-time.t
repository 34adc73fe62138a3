#!/bin/sh
# The time that bmx-probe has, and who gets how much of it: addresses, domains,
# name servers, a rehearsal.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
closed=$(free_port)
primary_start 'connect stall'

# ---- the run ----

make_conf '[a.example]' "primary = 127.0.0.1:$primary_port" \
    '[b.example]' "primary = 127.0.0.1:$primary_port"
exits "a rehearsal ends at --deadline: 75" 75 timeout 10 bmx-probe -n --rehearse --deadline 1
is "which says so" "$(grep -c 'no session: greeting: timeout$' "$tmp/out") $(grep -c \
    'session: the time of this run is over$' "$tmp/out")" '1 1'

# ---- the addresses ----

primary_renew 'connect slow 2500'
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port [::1]:$primary_port
	[::1]:$closed [::2]:$closed"
exits "-4: the other family has no share of the time: 0" 0 bmx-probe -n -4 -t 8

# ---- a name server that is silent has no more time than the primary ----

dns_port=$(free_port)
start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "$dns_port"
wait_for 20 grep -q ready "$tmp/dns.log" || bail "no name server"
mkdir "$tmp/state"
make_conf "resolver = 127.0.0.1:$dns_port" "state = $tmp/state" '[hush1.test]'
begun=$(date +%s)
exits "about the domain's MTA-STS policy: 69" 69 bmx-probe --deadline 1
ok "--deadline ends that, too" test $(($(date +%s) - begun)) -lt 8
make_conf "resolver = 127.0.0.1:$dns_port" '[example.com]' 'tls = dane' \
    "primary = hush1.test:$primary_port hush2.test:$primary_port
	127.0.0.9:$primary_port"
primary_renew -a 127.0.0.9
exits "about TLSA records: the next address gets its share: 0" 0 \
    bmx-probe -n -t 5
primary_renew -a 127.0.0.9 'rcpt#3 550 5.1.1 unknown user'
exits "a rehearsal, too: 0" 0 bmx-probe -n -t 5 --rehearse --burst 1
primary_check
done_testing
