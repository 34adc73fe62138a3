#!/bin/sh
# DANE (D42): TLSA records of a signed zone, validated by a resolver on
# loopback, against what the primary shows. The results are those of RFC 8460
# (D45).
# shellcheck source=tests/lib/tap.sh source=tests/lib/certs.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_unbound
need ldns-signzone ldns-keygen
certs_make
primary_make

past='activation_date = "2020-01-01 00:00:00"'
over='expiration_date = "2020-02-01 00:00:00"'
cert self self 'cn = whatever'
cert expired self 'cn = whatever' "$past" "$over"
cert ta ca 'cn = ta' 'dns_name = ta.example.com' tls_www_server
cert ta-expired ca 'cn = ta' 'dns_name = ta.example.com' tls_www_server "$past" "$over"
cert forged other-ca 'cn = forged' 'dns_name = ta.example.com' tls_www_server
cat "$certs/forged.pem" "$certs/ca.pem" >"$certs/forged.chain"
cert stranger ca 'cn = stranger' 'dns_name = stranger.example.com' tls_www_server
cert domain ca 'cn = domain' 'dns_name = example.com' tls_www_server
cert middle ca 'cn = "Middle"' ca cert_signing_key
cert deep middle 'cn = deep' 'dns_name = ta.example.com' tls_www_server
cat "$certs/ca.pem" >>"$certs/deep.chain"
cp "$certs/deep.key" "$certs/mixed.key"
cat "$certs/deep.pem" "$certs/ca.pem" "$certs/stranger.pem" "$certs/middle.pem" \
    >"$certs/mixed.chain"
sha512=$(openssl x509 -in "$certs/self.pem" -outform DER | sha512sum | cut -d ' ' -f 1)
whole=$(openssl x509 -in "$certs/self.pem" -outform DER | od -An -v -tx1 | tr -d ' \n')
wrong=$(spki stranger)
at=_$primary_port._tcp

nsd_zone example.com <<E
@ MX 10 mx1
@ MX 20 via
@ MX 30 mx.plain.test.
@ MX 40 backup.example.net.
mx1 A 198.51.100.1
via CNAME mx2
mx2 A 198.51.100.3
ee A 127.0.0.1
$at.ee TLSA 3 1 1 $(spki self)
$at.ee TLSA 3 1 1 $wrong
ee512 A 127.0.0.1
$at.ee512 TLSA 3 0 2 $sha512
whole A 127.0.0.1
$at.whole TLSA 3 0 0 $whole
old A 127.0.0.1
$at.old TLSA 3 0 1 $(digest expired)
ta A 127.0.0.1
$at.ta TLSA 2 0 1 $(digest ca)
takey A 127.0.0.1
$at.takey TLSA 2 1 1 $(spki ca)
pkix A 127.0.0.1
$at.pkix TLSA 1 1 1 $(spki self)
$at.pkix TLSA 0 0 1 $(digest ca)
short A 127.0.0.1
$at.short TLSA 3 1 1 abcdef
none A 127.0.0.1
alias CNAME ee
askew CNAME none
$at.askew TLSA 3 1 1 $(spki self)
bogus A 127.0.0.1
$at.bogus TLSA 3 1 1 $(spki self)
E
nsd_zone plain.test <<E
@ MX 10 mx1.example.com.
@ MX 40 backup.example.net.
mx A 198.51.100.2
ee A 127.0.0.1
$at.ee TLSA 3 1 1 $wrong
E
nsd_sign example.com || bail "ldns-signzone"
# one record is not what was signed
sed -i "/^$at\.bogus.*[[:space:]]TLSA[[:space:]]/s/$(spki self)/$wrong/" \
    "$tmp/zones/example.com"
nsd_start
unbound_start
primary_start

# conf HOST [LINE...]
conf()
{
	conf_host=$1
	shift
	make_conf "resolver = $unbound" '[example.com]' \
	    "primary = $conf_host:$primary_port" "$@"
}

serve()
{
	primary_renew --tls "$certs/$1.chain" "$certs/$1.key"
}

tried()
{
	logged ' policy=' | sed 's/.* policy=/policy=/; s/ reason=.*//' | tail -n 1
}

try()
{
	: >"$tmp/bmx.log"
	put m
}

# hands_over "test" CERT HOST POLICY
hands_over()
{
	if [ "$2" = - ]; then primary_renew; else serve "$2"; fi
	conf "$3" 'tls = dane'
	try
	exits "$1: delivered" 0 bmx-flush --now
	is "with this event" "$(primary_count) $(waiting) $(tried)" "1 0 policy=$4"
}

# keeps "test" CERT HOST POLICY [LEVEL]
keeps()
{
	if [ "$2" = - ]; then primary_renew; else serve "$2"; fi
	conf "$3" "tls = ${5:-dane}"
	try
	exits "$1: not delivered" 75 bmx-flush --now
	is "waits, with this event" "$(primary_count) $(states "$id") $(held) $(tried)" \
	    "0 P 0 policy=$4"
	rm -f "$spool"/example.com/*/*,S=*
}

hands_over "D42: usage 3, one of two keys" self ee.example.com 'tlsa result=ok'
hands_over "D42: usage 3, certificate, SHA-512" self ee512.example.com 'tlsa result=ok'
hands_over "D42: usage 3, the whole certificate" self whole.example.com 'tlsa result=ok'
hands_over "D42: usage 3 ignores names and dates" expired old.example.com 'tlsa result=ok'
keeps "D42: usage 3, another certificate" ta ee.example.com 'tlsa result=tlsa-invalid'
hands_over "D42: usage 2, the root" ta ta.example.com 'tlsa result=ok'
hands_over "D42: usage 2, the root of a longer chain" deep ta.example.com 'tlsa result=ok'
hands_over "D42: usage 2, the chain is in disorder" mixed ta.example.com 'tlsa result=ok'
keeps "D42: usage 2, another name" stranger ta.example.com 'tlsa result=certificate-host-mismatch'
keeps "D42: usage 2, expired" ta-expired ta.example.com 'tlsa result=certificate-expired'
keeps "D42: usage 2, the right root beside the wrong certificate" forged ta.example.com \
    'tlsa result=certificate-not-trusted'
keeps "D42: usage 2, another root" self ta.example.com 'tlsa result=tlsa-invalid'
keeps "D42: usage 2 by key, another name" ta takey.example.com \
    'tlsa result=certificate-host-mismatch'
keeps "D42: usable records and no STARTTLS" - ee.example.com \
    'tlsa result=starttls-not-supported'
hands_over "D42: usages 0 and 1 alone: TLS, unauthenticated" ta pkix.example.com \
    'tlsa result=ok'
keeps "D42: and no less than TLS" - pkix.example.com 'tlsa result=starttls-not-supported'
hands_over "D42: a digest cut short alone" ta short.example.com 'tlsa result=ok'
hands_over "D42: no records, and that is signed: opportunistic" ta none.example.com \
    'no-policy-found result=ok'
hands_over "D42: down to none at all" - none.example.com \
    'no-policy-found result=starttls-not-supported'
# 0.0.0.0 is this host, and not on loopback: its AD does not count
validating=$unbound
unbound="$validating 0.0.0.0:$nsd_port"
hands_over "D42: one that is not trusted beside the one that is" self ee.example.com \
    'tlsa result=ok'
keeps "D42: bogus, whatever a resolver says that is not trusted" self bogus.example.com \
    'tlsa result=dnssec-invalid'
unbound=$validating
keeps "D42: bogus, so SERVFAIL: not tried" self bogus.example.com 'tlsa result=dnssec-invalid'
is "D42: not even a connection" "$(grep -ac . "$primary/log")" 0
hands_over "D42: records behind an alias" self alias.example.com 'tlsa result=ok'
like "D42: SNI is where the records are" "$(cat "$primary/log")" \
    'T: sni=ee\.example\.com '
hands_over "D42: records at the alias alone" self askew.example.com 'tlsa result=ok'
like "D42: then SNI is the alias" "$(cat "$primary/log")" 'T: sni=askew\.example\.com '

# ---- not signed ----

hands_over "D42: records that nobody signed are none" self ee.plain.test \
    'no-policy-found result=ok'
like "and where nothing is signed the resolver is to blame" "$(logged alarm=)" \
    'tls=dane without effect'

# ---- dane-only ----

keeps "dane-only: no records" ta none.example.com 'tlsa result=dane-required' dane-only
keeps "dane-only: only unusable ones" ta pkix.example.com 'tlsa result=dane-required' dane-only
keeps "dane-only: not signed" self ee.plain.test 'tlsa result=dane-required' dane-only
keeps "dane-only: bogus" self bogus.example.com 'tlsa result=dnssec-invalid' dane-only
conf ee.example.com 'tls = dane-only'
serve self
try
exits "dane-only: a match: delivered" 0 bmx-flush --now

# ---- where DNSSEC vouches for the way ----

routes()
{
	"$top_builddir/tests/lib/routedump" "$unbound" backup.example.net '' "$@" |
	    sed 1d
}
is "D42: MX and address are validated, or records do not count" "$(routes example.com)" \
    "10 mx1.example.com 198.51.100.1:25 secure=mx1.example.com
20 via.example.com 198.51.100.3:25 secure=mx2.example.com
30 mx.plain.test 198.51.100.2:25"
is "D42: MX records that nobody signed, to a host that is" "$(routes plain.test)" \
    "10 mx1.example.com 198.51.100.1:25"
is "D42: of a host that bmx.conf names the address alone" \
    "$(routes plain.test via.example.com mx.plain.test)" \
    "0 via.example.com 198.51.100.3:25 secure=mx2.example.com
1 mx.plain.test 198.51.100.2:25"

# ---- live relay goes by the same ----

# live CERT HOST
live()
{
	serve "$1"
	rm -f "$spool"/example.com/primary "$spool"/example.com/*/*,S=*
	: >"$tmp/bmx.log"
	conf "$2" 'tls = dane' 'admit = through'
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA \
	    'Subject: x' '' x . QUIT | bmx-receive >"$tmp/out"
	last_code "$tmp/out"
}
is "live: a match: taken" "$(live self ee.example.com)" '250 2.0.0'
is "and handed over" "$(primary_count) $(waiting) $(tried)" "1 0 policy=tlsa result=ok"
is "live: no match: taken" "$(live ta ee.example.com)" '250 2.0.0'
is "and spooled" "$(primary_count) $(waiting) $(tried)" "0 1 policy=tlsa result=tlsa-invalid"
rm -f "$spool"/example.com/*/*,S=*

# ---- the library is for TLSA records alone ----

mkdir "$tmp/alone"
cp "$BMX_TLS_MODULE" "$tmp/alone"
BMX_TLS_MODULE=$tmp/alone/$(basename "$BMX_TLS_MODULE")
hands_over "without records no DANE library is loaded" ta none.example.com \
    'no-policy-found result=ok'
conf ee.example.com 'tls = dane'
serve self
try
exits "with them it has to be there" 78 bmx-flush --now
is "or mail waits" "$(states "$id")" P
like "and the log says for what" "$(cat "$tmp/bmx.log" "$tmp/err")" 'bmx-dane\.so'
primary_check
done_testing
