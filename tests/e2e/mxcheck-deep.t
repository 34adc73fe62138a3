#!/bin/sh
# bmx-mxcheck: the checks that ask more than MX and addresses: each finds its
# fault in a zone that has it, and only there.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_unbound
need ldns-keygen ldns-signzone

# zone NAME SERIAL SERVER...: like nsd_zone, with servers that can be found.
# The directory is $zones.
zones=$tmp/zones
zone()
{
	mkdir -p "$zones"
	zone_name=$1
	{
		echo "\$ORIGIN $1."
		echo "\$TTL 3600"
		echo "@ SOA ns1.test. hostmaster.test. $2 3600 600 86400 60"
		shift 2
		printf '@ NS %s\n' "$@"
		cat
	} >"$zones/$zone_name"
}

# Two servers: 127.0.0.1 has good.test as it should be, 127.0.0.2 is behind.
test_zone()
{
	zone test 1 ns1 ns2 <<'E'
ns1 A 127.0.0.1
ns2 A 127.0.0.2
ns3 A 127.0.0.3
ns6 AAAA ::1
dual NS ns1
dual NS ns6
good NS ns1
good NS ns2
behind NS ns1
behind NS ns2
lame NS ns1
lame NS ns2
noway NS ns1
noway NS nsll
nsll AAAA fe80::1
crowd NS nscrowd
gone NS ns1
gone NS ns3
noaddr NS ns1
noaddr NS nowhere
hosts NS ns1
hosts NS ns2
near NS nsnear.near
nsnear.near A 127.0.0.1
mx1 A 20.0.0.1
mx2 A 30.0.0.2
same A 20.0.0.1
neighbour A 20.0.0.77
six A 20.1.0.1
six AAAA 2600:0:1::1
six2 AAAA 2600:0:1:9::2
far MX 10 mx1
far MX 20 mx2
z A 20.0.0.7
z A 20.0.0.8
ten MX 10 ten.ten
ten.ten A 20.0.0.7
eleven.ten MX 10 mx.eleven.ten
mx.eleven.ten A 20.0.0.8
loop MX 10 mx1
loop MX 20 same
street MX 10 mx1
street MX 20 neighbour
street6 MX 10 six
street6 MX 20 six2
fate MX 10 nsnear.near
fate MX 20 mx.near
fate2 MX 10 mx1
fate2 MX 20 mx.near
mx.near A 30.0.0.9
here MX 10 mx1
here MX 20 mx.hosts

sts MX 10 mx1
_mta-sts.sts TXT "v=STSv1; id=20260101T000000;"
sts2 MX 10 mx1
_mta-sts.sts2 TXT "v=STSv1; id=1;"
_mta-sts.sts2 TXT "v=STSv1; id=2;"
stsnoid MX 10 mx1
_mta-sts.stsnoid TXT "v=STSv1;"
stsbadid MX 10 mx1
_mta-sts.stsbadid TXT "v=STSv1; id=2026-01-01;"
_mta-sts.sts TXT "something else"
_smtp._tls.sts TXT "v=TLSRPTv1; rua=mailto:tls@sts.test"
_smtp._tls.sts2 TXT "v=TLSRPTv1"
_smtp._tls.stsnoid TXT "v=TLSRPTv1;rua=https://tls.test/"
_smtp._tls.stsnoid TXT "v=TLSRPTv1;rua=https://tls2.test/"

null MX 0 .
null TXT "v=spf1 -all"
nullsends MX 0 .
nullsends TXT "v=spf1 ip4:20.0.0.0/24 -all"
nullnospf MX 0 .
spf MX 10 mx1
spf MX 20 mx2
spf TXT "v=spf1 ip4:20.0.0.1 ip4:30.0.0.0/8 -all"
spfnot MX 10 mx1
spfnot MX 20 mx2
spfnot TXT "v=spf1 ip4:20.0.0.1 -all"
spfmaybe MX 10 mx1
spfmaybe MX 20 mx2
spfmaybe TXT "v=spf1 include:spf.test -all"
spfmx MX 10 mx1
spfmx MX 20 mx2
spfmx TXT "v=spf1 mx -all"
eleven TXT "v=spf1 mx -all"
1.0.0.20.bl A 127.0.0.3
2.0.0.127.xn--bcher-kva A 127.0.0.2
1.0.0.20.xn--bcher-kva A 127.0.0.3
2.0.0.127.bl A 127.0.0.2
1.0.0.20.all A 127.0.0.3
1.0.0.127.all A 127.0.0.2
2.0.0.127.all A 127.0.0.2
listed MX 10 mx1
clean MX 10 mx2
noptr MX 10 nameless
nameless A 20.1.0.1
E
	awk 'BEGIN {
		for (i = 1; i <= 11; i++)
			print "eleven MX", i, "mx1"
		for (i = 1; i <= 9; i++)
			print "nscrowd A 127.0.0." i
	}' \
	    >>"$zones/test"
}
has_v6()
{
	grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null
}
test_zone
zone dual.test 1 ns1.test. ns6.test. <<'E'
@ MX 10 mx1.test.
E
zone good.test 7 ns1.test. ns2.test. <<'E'
@ MX 10 mx1.test.
@ MX 20 mx2.test.
E
zone behind.test 8 ns1.test. ns2.test. <<'E'
@ MX 10 mx1.test.
@ MX 20 mx2.test.
E
zone lame.test 1 ns1.test. ns2.test. <<'E'
@ MX 10 mx1.test.
E
zone noway.test 1 ns1.test. nsll.test. <<'E'
@ MX 10 mx1.test.
E
zone crowd.test 1 nscrowd.test. <<'E'
@ MX 10 mx1.test.
E
zone gone.test 1 ns1.test. ns3.test. <<'E'
@ MX 10 mx1.test.
E
zone noaddr.test 1 ns1.test. nowhere.test. <<'E'
@ MX 10 mx1.test.
E
zone hosts.test 1 ns1.test. ns2.test. <<'E'
mx A 30.0.0.5
E
zone near.test 1 nsnear.near.test. <<'E'
nsnear A 127.0.0.1
mx A 30.0.0.9
E
# The name that leads back is the last of ten, and of eleven, which are too many.
{
	echo '1.0.0 PTR mx1.test.'
	echo '77.0.0 PTR mx1.test.'
	printf '7.0.0 PTR %s.test.\n' z a b c d e f g h i
	printf '8.0.0 PTR %s.test.\n' z a b c d e f g h i j
} | zone 20.in-addr.arpa 1 ns1.test.
zone 30.in-addr.arpa 1 ns1.test. <<'E'
2.0.0 PTR other.test.
2.0.0 PTR mx2.test.
E
digest=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
next=0000c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
zone signed 1 ns1.test. <<E
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 30.0.0.2
_25._tcp.mx1 TLSA 3 1 1 $digest
_25._tcp.mx1 TLSA 3 1 1 $next
_25._tcp.mx2 TLSA 2 1 1 $digest
_25._tcp.mx2 TLSA 3 1 1 $next
half MX 10 mx1
half MX 20 nodane
nodane A 30.0.0.3
pkix MX 10 pkix1
pkix1 A 20.0.0.4
_25._tcp.pkix1 TLSA 1 1 1 $digest
short MX 10 short1
short1 A 20.0.0.5
_25._tcp.short1 TLSA 3 1 2 $digest
single MX 10 single1
single1 A 20.0.0.6
_25._tcp.single1 TLSA 3 1 1 $digest
mixed MX 10 mx1.test.
broken MX 10 broken1
broken1 A 20.0.0.7
_25._tcp.broken1 TLSA 3 1 1 $digest
badaddr MX 10 badaddr1
badaddr1 A 20.0.0.8
E
zone unsigned 1 ns1.test. <<E
@ MX 10 mx1
mx1 A 20.0.0.1
_25._tcp.mx1 TLSA 3 1 1 $digest
E
zone bogus 1 ns1.test. <<'E'
@ MX 10 mx1.test.
E
for signed in signed bogus; do
	nsd_sign "$signed" || bail "cannot sign"
done
# what was signed is changed
sed -i 's/MX	10 mx1\.test/MX	10 mx2.test/' "$tmp/zones/bogus"
sed -i "/_25._tcp.broken1.*TLSA	3/s/e3b0c442/00000000/" "$tmp/zones/signed"
sed -i '/^badaddr1.*A	20/s/20\.0\.0\.8/20.0.0.9/' "$tmp/zones/signed"
nsd_start

# The second server: other serial numbers, other records, no lame.test.
zones=$tmp/zones2
zone dual.test 1 ns1.test. ns6.test. <<'E'
@ MX 10 mx2.test.
E
test_zone
zone good.test 7 ns1.test. ns2.test. <<'E'
@ MX 20 mx2.test.
@ MX 10 mx1.test.
E
zone behind.test 5 ns1.test. ns2.test. <<'E'
@ MX 10 mx1.test.
E
zone hosts.test 1 ns1.test. ns2.test. <<'E'
mx A 30.0.0.6
E
second_v6=
! has_v6 || second_v6='\n  ip-address: ::1@\1'
{
	sed -n "1,/control-enable/p" "$tmp/nsd.conf" |
	    sed "s|127.0.0.1@\(.*\)|127.0.0.2@\1$second_v6|; s|$tmp/zones|$zones|; s|$tmp/nsd|$tmp/second|; s|\.zones\"|-zones\"|"
	for file in "$zones"/*; do
		printf 'zone:\n  name: "%s"\n  zonefile: "%s"\n' \
		    "${file##*/}" "${file##*/}"
	done
} >"$tmp/second.conf"
start_bg second nsd -d -c "$tmp/second.conf"
# A reader of $tmp/unbound.conf asks the first for everything.
unbound_start
"$top_builddir/tests/lib/await" listen 20 127.0.0.2 "$nsd_port" ||
    bail "second NSD: $(cat "$tmp/second.log")"

# check DOMAIN VERDICT IDS OPTION...: the verdict of the checks asked for.
check()
{
	check_domain=$1
	check_want="$1	$2	$3"
	shift 3
	is "$check_domain $*" "$(bmx-mxcheck --brief --quiet --deadline 4 \
	    --ns-port "$nsd_port" --resolver "$unbound" "$@" "$check_domain" \
	    2>&1)" "$check_want"
}

# tells "test" REGEX DOMAIN OPTION...
tells()
{
	tells_what=$1
	tells_regex=$2
	shift 2
	like "$tells_what" "$(bmx-mxcheck --quiet --deadline 4 \
	    --ns-port "$nsd_port" --resolver "$unbound" "$@" 2>&1)" "$tells_regex"
}

# ---- each authoritative server ----

check good.test ok - --only NS-SAME-MX,NS-LAG,NS-BACKUP-PRESENT,NS-SAME-ADDR --primary mx1.test --backup mx2.test
check behind.test error NS-SAME-MX --only NS-SAME-MX
tells "the odd server is named" \
    'NS-SAME-MX .*ns2\.test: gives MX of behind\.test: 10 mx1\.test; others: 10 mx1\.test, 20 mx2\.test .127\.0\.0\.2:' \
    --only NS-SAME-MX behind.test
check behind.test error NS-BACKUP-PRESENT --only NS-BACKUP-PRESENT --primary mx1.test --backup mx2.test
check good.test ok - --only NS-BACKUP-PRESENT
check behind.test notice NS-LAG --only NS-LAG
tells "by how much it is behind" 'ns2\.test: has serial 5 .* ns1\.test has 8' \
    --only NS-LAG behind.test
check lame.test warning NS-SAME-MX --only NS-SAME-MX
check noaddr.test warning NS-SAME-MX --only NS-SAME-MX
check gone.test unknown '?NS-SAME-MX' --only NS-SAME-MX
check noway.test ok - --only NS-SAME-MX # an address without a way to it
tells "more addresses of servers than we look at" \
    '1 more servers of crowd\.test were not looked at' --only NS-SAME-MX crowd.test
check here.test warning NS-SAME-ADDR --only NS-SAME-ADDR
if has_v6; then
	unlike "a server with AAAA alone has an address" \
	    "$(bmx-mxcheck -q --resolver "$unbound" --ns-port "$nsd_port" \
		--only NS-SAME-MX dual.test 2>&1)" 'has no address'
	tells "a server is asked over IPv6, too" \
	    'ns6\.test: gives MX of dual\.test: 10 mx2\.test; others: 10 mx1\.test .\[::1\]:' \
	    --only NS-SAME-MX dual.test
else
	skip "a server with AAAA alone has an address" "no IPv6 on loopback"
	skip "a server is asked over IPv6, too" "no IPv6 on loopback"
fi
tells "a record of its own TTL" '^good\.test: ok$' --only TTL-RANGE,NS-SAME-MX good.test
bmx-mxcheck --json --quiet --resolver "$unbound" --ns-port "$nsd_port" \
    --only TTL-RANGE,NS-SAME-MX --ttl-min 7200 good.test |
    grep -q '"findings":\[{"id":"TTL-RANGE"'
is "the zone's TTL, not the cache's" $? 0

# ---- what goes down together ----

check far.test ok - --only LOOP,NET-FATE,DNS-FATE-ZONE --primary mx1.test --backup mx2.test
check far.test ok - --only LOOP,NET-FATE,DNS-FATE-ZONE
check loop.test error LOOP --only LOOP --primary mx1.test --backup same.test
check far.test error LOOP --only LOOP --primary 30.0.0.2 --backup mx2.test
check street.test warning NET-FATE --only NET-FATE --backup neighbour.test
check street6.test warning NET-FATE --only NET-FATE --backup six2.test
check fate.test warning DNS-FATE-ZONE --only DNS-FATE-ZONE --backup mx.near.test
check fate2.test ok - --only DNS-FATE-ZONE --backup mx.near.test

# ---- signatures and DANE ----

dane=TLSA-PRESENT,TLSA-LOOKUP,TLSA-USABLE,TLSA-ROLL
check signed ok - --only DNSSEC-DOMAIN,DNSSEC-HOST,$dane
check unsigned warning DNSSEC-DOMAIN --only DNSSEC-DOMAIN
check bogus error DNSSEC-DOMAIN --only DNSSEC-DOMAIN
check nowhere.example unknown '?DNSSEC-DOMAIN' --only DNSSEC-DOMAIN
check mixed.signed warning DNSSEC-HOST --only DNSSEC-DOMAIN,DNSSEC-HOST
check badaddr.signed error DNSSEC-HOST --only DNSSEC-HOST
is "a server that does not validate cannot say" "$(bmx-mxcheck --brief -q \
    --resolver "$nsd" --only DNSSEC-DOMAIN signed)" \
    "signed	unknown	?DNSSEC-DOMAIN"
check half.signed warning TLSA-PRESENT --only $dane
check pkix.signed warning TLSA-USABLE --only $dane
check short.signed warning TLSA-USABLE --only $dane
check single.signed notice TLSA-ROLL --only $dane
check broken.signed error 'TLSA-LOOKUP,?TLSA-PRESENT' --only TLSA-LOOKUP,TLSA-PRESENT
check unsigned warning TLSA-USABLE --only TLSA-USABLE,TLSA-LOOKUP
check far.test ok - --only $dane

# ---- TXT ----

check sts.test ok - --only STS-TXT,TLSRPT
check far.test ok - --only STS-TXT,TLSRPT
check sts2.test warning STS-TXT,TLSRPT --only STS-TXT,TLSRPT
check stsnoid.test warning STS-TXT,TLSRPT --only STS-TXT,TLSRPT
check stsbadid.test warning STS-TXT,TLSRPT --only STS-TXT,TLSRPT
check null.test ok - --only MX-NULL-SENDER
check nullnospf.test ok - --only MX-NULL-SENDER
check nullsends.test warning MX-NULL-SENDER --only MX-NULL-SENDER
check spf.test ok - --only SPF-BACKUP --primary mx1.test --backup mx2.test
check spfmx.test ok - --only SPF-BACKUP,SPF-MX-COUNT --primary mx1.test --backup mx2.test
check spfnot.test info SPF-BACKUP --only SPF-BACKUP --primary mx1.test --backup mx2.test
tells "SPF that depends on others" '^spfmaybe\.test: ok' --only SPF-BACKUP --primary mx1.test --backup mx2.test spfmaybe.test
check eleven.test warning SPF-MX-COUNT --only SPF-MX-COUNT

# ---- addresses ----

check far.test ok - --only FCRDNS
check street.test warning FCRDNS --only FCRDNS
check noptr.test warning FCRDNS --only FCRDNS
check ten.test ok - --only FCRDNS
check eleven.ten.test unknown '?FCRDNS' --only FCRDNS
check listed.test notice DNSBL --only DNSBL --dnsbl bl.test
check listed.test notice DNSBL --only DNSBL --dnsbl bücher.TEST.
check clean.test ok - --only DNSBL --dnsbl bl.test
tells "a list that lists everything says nothing" '^listed\.test: ok$' \
    --only DNSBL --dnsbl all.test listed.test
exits "a list that is no name" 2 bmx-mxcheck --dnsbl 'a b' far.test
check listed.test ok - --only DNSBL

# ---- in time ----

# Half of the servers are silent: the others' answers count, and the deadline
# holds however many questions follow each other.
freeze second
before=$(date +%s)
tells "a silent server is not tested" 'NS-SAME-MX' --all good.test
after=$(date +%s)
ok "and the deadline of 4 seconds holds" test $((after - before)) -le 6
thaw second

# ---- depth ----

is "--only takes several, and refuses what is not" \
    "$(bmx-mxcheck --only MX-ONE,NOPE far.test 2>&1)" \
    'bmx-mxcheck: --only: there is no check NOPE; --explain all lists them'
exits "--all and --only exclude each other" 2 bmx-mxcheck --all --only MX-ONE far.test
tells "--all makes them" 'warning +DNSSEC-DOMAIN' --all far.test
tells "without it they are not made" '^far\.test: ok$' far.test
check bogus unknown '?MX-EXISTS' --only MX-EXISTS
done_testing
