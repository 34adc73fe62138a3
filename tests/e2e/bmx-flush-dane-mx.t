#!/bin/sh
# DANE (D42) for each host of an MX set: one that fails is skipped, the next one
# is judged by its own records; and what DANE objects to no MTA-STS policy
# excuses (D43). The hosts are others, on the port that the records are for.
# shellcheck source=tests/lib/hosts.sh source=tests/lib/tap.sh source=tests/lib/certs.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/hosts.sh"
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/https.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_unbound
need ldns-signzone ldns-keygen
web_hosts
mx2=198.51.100.2
cert one ca 'cn = one' 'dns_name = mx1.example.com' tls_www_server
cert two ca 'cn = two' 'dns_name = mx2.example.com' tls_www_server
cert whole ca 'cn = whole' 'dns_name = example.com' tls_www_server

# zone MX1_RECORD MX2_RECORD: TLSA, "-" for none
zone()
{
	{
		echo "@ MX 10 mx1"
		echo "@ MX 20 mx2"
		echo "@ MX 40 backup.example.net."
		echo "mx1 A $mx1"
		echo "mx2 A $mx2"
		[ "$1" = - ] || echo "_25._tcp.mx1 TLSA $1"
		[ "$2" = - ] || echo "_25._tcp.mx2 TLSA $2"
	} | nsd_zone example.com
	nsd_sign example.com || bail "ldns-signzone"
	[ -z "${3:-}" ] || sed -i "$3" "$tmp/zones/example.com"
	stop unbound
	stop nsd
	nsd_start
	unbound_start
	make_conf "resolver = $unbound" "state = $tmp/state" '[example.com]' \
	    'tls = dane' "tls-ca = $certs/ca.pem"
}

# show CERT CERT: what the two hosts show
show()
{
	primary_renew -a "$mx1" --tls "$certs/$1.chain" "$certs/$1.key"
	stop second
	rm -rf "$tmp/second" "$tmp/second.log"
	# shellcheck disable=SC2086 # words
	start_bg second $there python3 "$top_srcdir/tests/fake/primary.py" -p 25 \
	    -a "$mx2" --tls "$certs/$2.chain" "$certs/$2.key" "$tmp/second"
	wait_up second
}

# took: messages of the first and of the second host
took()
{
	echo "$(primary_count) $(find "$tmp/second" -name '*.env' | wc -l)"
}

# tried: the events, as "HOST POLICY RESULT"
tried()
{
	logged ' peer=.* policy=' | sed 's/.* mx=\([^ ]*\) .* policy=\([^ ]*\) result=\([^ ]*\).*/\1 \2 \3/'
}

# goes "test" STATUS TOOK EVENTS
goes()
{
	: >"$tmp/bmx.log"
	put m
	exits "$1" "$2" bmx-flush --now
	is "taken by, waiting, with these events" "$(took) $(waiting)
$(tried)" "$3
$4"
	rm -f "$spool"/example.com/*/*,S=*
}

one="3 1 1 $(spki one)"
two="3 1 1 $(spki two)"

zone "$one" "$two"
show one two
goes "D42: the first MX matches" 0 "1 0 0" "mx1.example.com tlsa ok"
show two two
goes "D42: it does not: the second" 0 "0 1 0" "mx1.example.com tlsa tlsa-invalid
mx2.example.com tlsa ok"
show two one
goes "D42: neither does: mail waits" 75 "0 0 1" "mx1.example.com tlsa tlsa-invalid
mx2.example.com tlsa tlsa-invalid"

mkdir -p "$tmp/state/mta-sts"
printf 'bmx-sts 1\nid=1 fetched=%s tried=%s\nversion: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 604800\n' \
    "$(date +%s)" "$(date +%s)" >"$tmp/state/mta-sts/example.com"
show whole whole
zone "$one" -
goes "D43: no policy excuses a record that does not match, nor a name" 75 "0 0 1" \
    "mx1.example.com tlsa tlsa-invalid
mx2.example.com sts certificate-host-mismatch"
show whole two
goes "D43: without records the policy counts" 0 "0 1 0" \
    "mx1.example.com tlsa tlsa-invalid
mx2.example.com sts ok"
rm -r "$tmp/state/mta-sts"

zone "2 0 1 $(digest ca)" -
show whole two
goes "D42: usage 2: the domain's name will do, where MX records lead" 0 "1 0 0" \
    "mx1.example.com tlsa ok"
show two two
goes "D42: another host's name will not; no records: opportunistic" 0 "0 1 0" \
    "mx1.example.com tlsa certificate-host-mismatch
mx2.example.com no-policy-found ok"

# the one record is not what was signed
zone "$one" "$two" "/^_25\._tcp\.mx1.*[[:space:]]TLSA[[:space:]]/s/$(spki one)/$(spki whole)/"
show one two
goes "D42: bogus records: not tried, the second is" 0 "0 1 0" \
    "mx1.example.com tlsa dnssec-invalid
mx2.example.com tlsa ok"
is "D42: not even a connection" "$(grep -ac . "$primary/log")" 0
primary_check
done_testing
