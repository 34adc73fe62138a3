#!/bin/sh
# bmx-probe at the TLS levels that DNS decides: DANE (D42) by a signed zone
# behind a validating resolver. What is wrong has the word of RFC 8460 (D45).
# shellcheck source=tests/lib/tap.sh source=tests/lib/certs.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/primary.sh"
need_unbound
need ldns-signzone ldns-keygen
certs_make
primary_make
cert self self 'cn = whatever'
cert stranger ca 'cn = stranger' 'dns_name = stranger.example.com' tls_www_server
at=_$primary_port._tcp
nsd_zone example.com <<E
ee A 127.0.0.1
$at.ee TLSA 3 1 1 $(spki self)
none A 127.0.0.1
bogus A 127.0.0.1
$at.bogus TLSA 3 1 1 $(spki self)
E
nsd_sign example.com || bail "ldns-signzone"
sed -i "/^$at\.bogus.*[[:space:]]TLSA[[:space:]]/s/$(spki self)/$(spki stranger)/" \
    "$tmp/zones/example.com"
nsd_start
unbound_start

# dane "test" STATUS CERT HOST LEVEL RESULT CODE TLS-RESULT POLICY
dane()
{
	primary_renew --tls "$certs/$3.chain" "$certs/$3.key"
	make_conf "resolver = $unbound" '[example.com]' \
	    "primary = $4:$primary_port" "tls = $5"
	exits "$1: $2" "$2" bmx-probe -n --json
	is "$1: $6 $7 $8 $9" "$(python3 -c '
import json, sys
row = json.load(sys.stdin)
a = row["addresses"][0]
print(row["result"], row["code"], a["tls_result"], a["tls_policy"])' <"$tmp/out")" "$6 $7 $8 $9"
}

primary_start
dane 'a record fits' 0 self ee.example.com dane up ok ok tlsa
primary_renew --tls "$certs/self.chain" "$certs/self.key" 'rcpt#3 550 5.1.1 unknown user'
exits "a rehearsal: 0" 0 bmx-probe -n --rehearse --burst 1
like "tells whose wish TLS is" "$(cat "$tmp/out")" \
    '^	pass +tls: in TLS \(TLS1\.3/[A-Z0-9-]*\), as DANE wants$'
dane 'none fits' 69 stranger ee.example.com dane down tls-failed tlsa-invalid tlsa
dane 'there is none: any certificate' 0 stranger none.example.com dane up ok \
    ok no-policy-found
dane 'there is none, and it has to be' 69 self none.example.com dane-only down \
    tls-failed dane-required tlsa
dane 'DNS cannot be trusted' 69 self bogus.example.com dane down tls-failed \
    dnssec-invalid tlsa
is "nothing was said to it but EHLO" "$(primary_said ' C: (STARTTLS|MAIL)')" 0
primary_check
done_testing
