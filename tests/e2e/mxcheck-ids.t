#!/bin/sh
# bmx-mxcheck: for each check id a zone that makes it fail and one that makes it
# pass, out of NSD, through a validating Unbound, with real servers behind the
# addresses where sessions are needed. An id without such a pair is a failure.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh source=tests/lib/certs.sh
# shellcheck source=tests/lib/mailhosts.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/mailhosts.sh"
need_unbound
need python3 ldns-keygen ldns-signzone certtool openssl

# id ID SEVERITY [OPTION...] <<Z: the zone that fails, "--", the one that passes:
# fail.ID.test and pass.ID.test. @@ in an option is the zone. Lines of a zone are
# those of a zone file, or
#	1:LINE, 2:LINE		on the first or the second name server alone
#	signed			it is signed, and the key a trust anchor
#	forge SCRIPT		for sed, after it was signed
#	mx A 127.0.2.9 ; FAULT	a mail host with this fault (mailhosts.py)
defs=$tmp/defs
mkdir "$defs"
id()
{
	id_name=$1
	shift
	echo "$id_name $*" >>"$tmp/table"
	id_lower=$(echo "$id_name" | tr '[:upper:]' '[:lower:]')
	awk -v fail="$defs/fail.$id_lower.test" -v pass="$defs/pass.$id_lower.test" '
		BEGIN { out = fail }
		/^--$/ { out = pass; next }
		{ print >out }'
}
pair='--primary mx1.hosts.test --backup mx2.hosts.test'
own='--primary mx1.@@ --backup mx2.@@'

# ---- the set ----

id MX-EXISTS error <<'Z'
@ TXT "neither MX nor address"
--
@ MX 10 mx1.hosts.test.
Z
id MX-NULL info <<'Z'
@ MX 0 .
--
@ MX 10 mx1.hosts.test.
Z
id MX-NULL-MIXED error <<'Z'
@ MX 0 .
@ MX 10 mx1.hosts.test.
--
@ MX 0 .
Z
id MX-IMPLICIT warning <<'Z'
@ A 20.0.0.1
--
@ MX 10 mx1.hosts.test.
Z
id MX-ONE warning <<'Z'
@ MX 10 mx1.hosts.test.
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z
id MX-OWNER-ALIAS error <<'Z'
--
@ MX 10 mx1.hosts.test.
Z
# an alias stands in a zone above
cat >"$defs/mx-owner-alias.test" <<'Z'
fail CNAME loop
loop CNAME fail
Z
id MX-TARGET-ALIAS error <<'Z'
@ MX 10 mx
mx CNAME mx1.hosts.test.
--
@ MX 10 mx1.hosts.test.
Z
id MX-TARGET-IP error <<'Z'
@ MX 10 20.0.0.1.
--
@ MX 10 mx1.hosts.test.
Z
id MX-TARGET-NAME error <<'Z'
@ MX 10 mx_1
mx_1 A 20.0.0.1
--
@ MX 10 mx-1
mx-1 A 20.0.0.1
Z
id MX-TARGET-NOADDR error <<'Z'
@ MX 10 gone
--
@ MX 10 mx
mx AAAA 2600::1
Z
id MX-ADDR-SPECIAL error <<'Z'
@ MX 10 mx
mx A 10.0.0.1
--
@ MX 10 mx1.hosts.test.
Z
id MX-ADDR-DUP warning <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 20.0.0.1
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z
id MX-NAME-DUP warning <<'Z'
@ MX 10 mx1.hosts.test.
@ MX 20 mx1.hosts.test.
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z

# ---- the pair ----

# shellcheck disable=SC2086 # lists of words
{
id PREF-TIE error $pair <<'Z'
@ MX 10 mx1.hosts.test.
@ MX 10 mx2.hosts.test.
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z
id PREF-ORDER error $pair <<'Z'
@ MX 20 mx1.hosts.test.
@ MX 10 mx2.hosts.test.
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z
id SELF-LISTED error $pair <<'Z'
@ MX 10 mx1.hosts.test.
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z
id LOOP error $own <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 20.0.0.1
mx2 A 21.0.0.1
--
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 21.0.0.1
Z
id NET-FATE warning $own <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 20.0.0.2
--
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 21.0.0.1
Z
id DNS-FATE-ZONE warning $own <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.0.9
mx2 A 21.0.0.1
--
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 21.0.0.1
Z
id NS-BACKUP-PRESENT error $pair <<'Z'
@ MX 10 mx1.hosts.test.
1:@ MX 20 mx2.hosts.test.
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z
id SPF-BACKUP info $pair <<'Z'
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
@ TXT "v=spf1 ip4:20.0.0.1 -all"
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
@ TXT "v=spf1 mx -all"
Z
id SPF-HELO notice $own <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 21.0.0.1
--
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 21.0.0.1
mx2 TXT "v=spf1 a -all"
Z
}

# ---- each server, each record ----

id TTL-RANGE notice --only NS-SAME-MX <<'Z'
@ 60 MX 10 mx1.hosts.test.
--
@ 3600 MX 10 mx1.hosts.test.
Z
id TTL-RRSET notice --resolver @nsd@ <<'Z'
@ 3600 MX 10 mx1.hosts.test.
@ 7200 MX 20 mx2.hosts.test.
--
@ MX 10 mx1.hosts.test.
@ MX 20 mx2.hosts.test.
Z
id NS-SAME-MX error <<'Z'
1:@ MX 10 mx1.hosts.test.
2:@ MX 10 mx2.hosts.test.
--
@ MX 10 mx1.hosts.test.
Z
id NS-SAME-ADDR warning <<'Z'
@ MX 10 mx
1:mx A 20.0.0.1
2:mx A 20.0.0.2
--
@ MX 10 mx
mx A 20.0.0.1
Z
id NS-LAG notice <<'Z'
@ MX 10 mx1.hosts.test.
2:serial 5
--
@ MX 10 mx1.hosts.test.
Z
id DNSSEC-DOMAIN error <<'Z'
signed
@ MX 10 mx1.hosts.test.
forge s/MX	10 mx1/MX	10 mx2/
--
signed
@ MX 10 mx1.hosts.test.
Z
id DNSSEC-HOST error <<'Z'
signed
@ MX 10 mx
mx A 20.0.0.1
forge s/^mx.*A	20\.0\.0\.1/&1/
--
signed
@ MX 10 mx
mx A 20.0.0.1
Z
tlsa=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
next=0000c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
id TLSA-PRESENT warning <<Z
signed
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 21.0.0.1
_25._tcp.mx1 TLSA 3 1 1 $tlsa
--
signed
@ MX 10 mx1
@ MX 20 mx2
mx1 A 20.0.0.1
mx2 A 21.0.0.1
_25._tcp.mx1 TLSA 3 1 1 $tlsa
_25._tcp.mx2 TLSA 3 1 1 $tlsa
Z
id TLSA-LOOKUP error <<Z
signed
@ MX 10 mx
mx A 20.0.0.1
_25._tcp.mx TLSA 3 1 1 $tlsa
forge /TLSA	3/s/e3b0c442/00000000/
--
signed
@ MX 10 mx
mx A 20.0.0.1
_25._tcp.mx TLSA 3 1 1 $tlsa
Z
id TLSA-USABLE warning <<Z
signed
@ MX 10 mx
mx A 20.0.0.1
_25._tcp.mx TLSA 1 1 1 $tlsa
--
signed
@ MX 10 mx
mx A 20.0.0.1
_25._tcp.mx TLSA 3 1 1 $tlsa
Z
id TLSA-ROLL notice <<Z
signed
@ MX 10 mx
mx A 20.0.0.1
_25._tcp.mx TLSA 3 1 1 $tlsa
--
signed
@ MX 10 mx
mx A 20.0.0.1
_25._tcp.mx TLSA 3 1 1 $tlsa
_25._tcp.mx TLSA 3 1 1 $next
Z
id STS-TXT warning <<'Z'
@ MX 10 mx1.hosts.test.
_mta-sts TXT "v=STSv1; id=1;"
_mta-sts TXT "v=STSv1; id=2;"
--
@ MX 10 mx1.hosts.test.
_mta-sts TXT "v=STSv1; id=1;"
Z
id TLSRPT notice <<'Z'
@ MX 10 mx1.hosts.test.
_smtp._tls TXT "v=TLSRPTv1"
--
@ MX 10 mx1.hosts.test.
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@hosts.test"
Z
{
	awk 'BEGIN { for (i = 1; i < 12; i++) print "@ MX", i, "mx1.hosts.test." }'
	echo '@ TXT "v=spf1 mx -all"'
	cat <<-'Z'
		--
		@ MX 10 mx1.hosts.test.
		@ TXT "v=spf1 mx -all"
	Z
} >"$tmp/spf-mx-count"
id SPF-MX-COUNT warning <"$tmp/spf-mx-count"
id MX-NULL-SENDER warning <<'Z'
@ MX 0 .
@ TXT "v=spf1 ip4:20.0.0.1 -all"
--
@ MX 0 .
@ TXT "v=spf1 -all"
Z
id FCRDNS warning <<'Z'
@ MX 10 mx
mx A 20.0.0.9
--
@ MX 10 mx1.hosts.test.
Z
id DNSBL notice --dnsbl bl.hosts.test <<'Z'
@ MX 10 mx
mx A 20.0.0.9
--
@ MX 10 mx1.hosts.test.
Z

# ---- sessions ----

id TCP-25 error <<'Z'
@ MX 10 mx
mx A 127.0.1.200
--
@ MX 10 mx
mx A 127.0.2.1 ; tls=good
Z
id NOLIST info <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.1.200
mx2 A 127.0.2.2 ; tls=good
--
@ MX 10 mx1
mx1 A 127.0.2.3 ; tls=good
Z
id V6 notice <<'Z'
@ MX 10 mx
mx A 127.0.2.4 ; tls=good
--
@ MX 10 mx
mx AAAA ::1
Z
id BANNER error <<'Z'
@ MX 10 mx
mx A 127.0.2.5 ; banner=554_5.7.1_go_away
--
@ MX 10 mx
mx A 127.0.2.6 ; tls=good
Z
id EHLO error <<'Z'
@ MX 10 mx
mx A 127.0.2.7 ; hangup=EHLO
--
@ MX 10 mx
mx A 127.0.2.8 ; tls=good
Z
id PTR-EHLO notice <<'Z'
@ MX 10 mx
mx A 127.0.2.9 ; name=other.test
--
@ MX 10 mx
mx A 127.0.2.10 ; name=mx.pass.ptr-ehlo.test
Z
id LEAK info <<'Z'
@ MX 10 mx
mx A 127.0.2.11 ; banner=220_mx.test_ESMTP_Postfix_3.7.11
--
@ MX 10 mx
mx A 127.0.2.12 ; banner=220_mx.test_ESMTP_Postfix
Z
id STARTTLS warning <<'Z'
@ MX 10 mx
mx A 127.0.2.13
--
@ MX 10 mx
mx A 127.0.2.14 ; tls=good
Z
id TLS-VERSION notice <<'Z'
@ MX 10 mx
mx A 127.0.2.15 ; tls=good tlsmin=1.0
--
@ MX 10 mx
mx A 127.0.2.16 ; tls=good
Z
id CERT warning <<'Z'
@ MX 10 mx
mx A 127.0.2.17 ; tls=old
--
@ MX 10 mx
mx A 127.0.2.18 ; tls=good
Z
id STARTTLS-INJECT warning <<'Z'
@ MX 10 mx
mx A 127.0.2.19 ; tls=good keep=1
--
@ MX 10 mx
mx A 127.0.2.20 ; tls=good
Z
id TLSA-MATCH error <<'Z'
signed
@ MX 10 mx
mx A 127.0.2.21 ; tls=good
_25._tcp.mx TLSA 3 1 1 @spki-self@
--
signed
@ MX 10 mx
mx A 127.0.2.22 ; tls=self
_25._tcp.mx TLSA 3 1 1 @spki-self@
Z
id TLSA-NAME error <<'Z'
signed
@ MX 10 mx
mx A 127.0.2.23 ; tls=wrong
_25._tcp.mx TLSA 2 0 1 @digest-ca@
--
signed
@ MX 10 mx
mx A 127.0.2.24 ; tls=good
_25._tcp.mx TLSA 2 0 1 @digest-ca@
Z
id VRFY-EXPN notice <<'Z'
@ MX 10 mx
mx A 127.0.2.25 ; expn=250_somebody
--
@ MX 10 mx
mx A 127.0.2.26 ; tls=good
Z
id NULL-SENDER warning <<'Z'
@ MX 10 mx
mx A 127.0.2.27 ; null=550_5.7.1_no
--
@ MX 10 mx
mx A 127.0.2.28 ; tls=good
Z
id RELAY error <<'Z'
@ MX 10 mx
mx A 127.0.2.29 ; relay=250_2.1.5_OK
--
@ MX 10 mx
mx A 127.0.2.30 ; tls=good
Z
id POSTMASTER warning <<'Z'
@ MX 10 mx
mx A 127.0.2.31 ; bare=550_5.1.1_who
--
@ MX 10 mx
mx A 127.0.2.32 ; tls=good
Z
id ABUSE notice <<'Z'
@ MX 10 mx
mx A 127.0.2.33 ; abuse=550_5.1.1_who
--
@ MX 10 mx
mx A 127.0.2.34 ; tls=good
Z
# shellcheck disable=SC2086 # lists of words
{
id RCPT-PARITY warning $own <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.2.35 ; tls=good
mx2 A 127.0.2.36 ; unknown=250_2.1.5_OK
--
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.2.37 ; tls=good
mx2 A 127.0.2.38 ; tls=good
Z
id EXT-SUBSET warning $own <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.2.39 ; tls=good
mx2 A 127.0.2.40 ; extra=SMTPUTF8
--
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.2.41 ; extra=SMTPUTF8
mx2 A 127.0.2.42 ; tls=good
Z
id TLS-PARITY warning $own <<'Z'
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.2.43 ; tls=good
mx2 A 127.0.2.44 ; tls=self
--
@ MX 10 mx1
@ MX 20 mx2
mx1 A 127.0.2.45 ; tls=good
mx2 A 127.0.2.46 ; tls=good
Z
}

# ---- MTA-STS ----

printf '%s\r\n' 'version: STSv1' 'mode: enforce' 'mx: mx.pass.sts-covers.test' \
    'mx: mx.pass.sts-policy.test' 'mx: mx.pass.sts-cert.test' \
    'mx: mx.fail.sts-cert.test' 'max_age: 86400' >"$tmp/policy"
printf '%s\r\n' 'version: STSv1' 'mode: enforce' 'mx: *.pass.sts-stale.test' \
    'max_age: 86400' >"$tmp/policy.stale"
printf '%s\r\n' 'version: STSv1' 'mode: enforce' 'mx: 192.0.2.1' \
    'max_age: 86400' >"$tmp/policy.fail"
cp "$tmp/policy" "$tmp/policy.pass"
id STS-POLICY warning --sts-policy "@policy@" <<'Z'
@ MX 10 mx1.hosts.test.
--
@ MX 10 mx1.hosts.test.
Z
id STS-COVERS error --sts-policy "$tmp/policy" <<'Z'
@ MX 10 mx
mx A 20.0.0.1
--
@ MX 10 mx
mx A 20.0.0.1
Z
id STS-STALE notice --sts-policy "$tmp/policy.stale" <<'Z'
@ MX 10 mx
mx A 20.0.0.1
--
@ MX 10 mx
mx A 20.0.0.1
Z
id STS-CERT error --sts-policy "$tmp/policy" <<'Z'
@ MX 10 mx
mx A 127.0.2.47 ; tls=self
--
@ MX 10 mx
mx A 127.0.2.48 ; tls=good
Z

# ---- the hosts that most zones share, and the way back from their addresses ----

cat >"$defs/hosts.test" <<'Z'
ns1 A 127.0.0.1
ns2 A 127.0.0.2
mx1 A 20.0.0.1
mx1 AAAA 2600::1
mx2 A 21.0.0.2
9.0.0.20.bl A 127.0.0.4
2.0.0.127.bl A 127.0.0.2
Z
cat >"$defs/20.in-addr.arpa" <<'Z'
1.0.0 PTR mx1.hosts.test.
Z
cat >"$defs/0.0.6.2.ip6.arpa" <<'Z'
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mx1.hosts.test.
Z
echo '10 PTR other.test.' >"$defs/2.0.127.in-addr.arpa"

# ---- servers and zones ----

certs_make
set --
for zone in "$defs"/pass.* "$defs"/fail.*; do
	set -- "$@" "dns_name = \"*.${zone##*/}\""
done
cert good ca 'cn = "mx"' tls_www_server "$@"
cert self self 'cn = "mx"' tls_www_server "$@"
cert old ca 'cn = "mx"' tls_www_server "$@" \
    'activation_date = "2012-01-01 00:00:00"' \
    'expiration_date = "2013-01-01 00:00:00"'
cert wrong ca 'cn = "other.example"' 'dns_name = "other.example"' tls_www_server
{
	sed -n 's/^[a-z0-9]* A \(127\.0\.2\.[0-9]*\) *;*/\1/p' "$defs"/*
	! grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null || echo ::1
} >"$tmp/hosts"
mailhosts_start <"$tmp/hosts"

# zone_of SERVER NAME: the zone file as this server has it.
zone_of()
{
	zone_serial=7
	[ "$1" = 1 ] || zone_serial=$(sed -n 's/^2:serial //p' "$defs/$2")
	echo "\$ORIGIN $2."
	echo "\$TTL 3600"
	echo "@ SOA ns1.hosts.test. hostmaster.hosts.test. ${zone_serial:-7} 3600 600 86400 60"
	echo "@ NS ns1.hosts.test."
	[ "$2" = fail.dns-fate-zone.test ] || echo "@ NS ns2.hosts.test."
	sed -e '/^signed$/d' -e '/^forge /d' -e '/^2:serial/d' -e "s/^$1://" \
	    -e '/^[12]:/d' -e "s/@spki-self@/$spki_self/" \
	    -e "s/@digest-ca@/$digest_ca/" "$defs/$2"
}
spki_self=$(spki self)
digest_ca=$(digest ca)
mkdir "$tmp/zones" "$tmp/zones2"
for file in "$defs"/*; do
	zone=${file##*/}
	zone_of 1 "$zone" >"$tmp/zones/$zone"
	if grep -q '^signed$' "$file"; then
		nsd_sign "$zone" || bail "cannot sign $zone"
		sed -n 's/^forge //p' "$file" >"$tmp/forge"
		sed -i -f "$tmp/forge" "$tmp/zones/$zone"
		cp "$tmp/zones/$zone" "$tmp/zones2/$zone"
	else
		zone_of 2 "$zone" >"$tmp/zones2/$zone"
	fi
done
nsd_start
sed "s|127.0.0.1@|127.0.0.2@|; s|$tmp/zones\"|$tmp/zones2\"|; s|$tmp/nsd|$tmp/second|" \
    "$tmp/nsd.conf" >"$tmp/second.conf"
start_bg second nsd -d -c "$tmp/second.conf"
unbound_start
"$tap_await" listen 20 127.0.0.2 "$nsd_port" ||
    bail "second NSD: $(cat "$tmp/second.log")"

# ---- the checks ----

# audit ID WAY WANT ZONE OPTION...: a line of $tmp/results.
audit()
{
	audit_id=$1
	audit_zone=$4
	printf '%s\t%s\t%s\t' "$1" "$2" "$3" >>"$tmp/results"
	shift 4
	timeout 60 bmx-mxcheck -q --json --only "$audit_id" --deadline 4 \
	    --ns-port "$nsd_port" --resolver "$unbound" \
	    --smtp-port "$mail_port" --smtp-timeout 20 --helo probe.example \
	    --ca-file "$certs/ca.pem" --cert-days 1 "$@" "$audit_zone" \
	    >"$tmp/record" 2>&1
	{ head -n 1 "$tmp/record" | tr -d '\n'; echo; } >>"$tmp/results"
}

while read -r id severity options; do
	lower=$(echo "$id" | tr '[:upper:]' '[:lower:]')
	for way in fail pass; do
		zone=$way.$lower.test
		words=$(echo "$options" | sed "s/@@/$zone/g; s/@nsd@/$nsd/g; s|@policy@|$tmp/policy.$way|")
		want=pass
		[ "$way" = pass ] || want=$severity
		# shellcheck disable=SC2086 # a list of words
		audit "$id" $way "$want" "$zone" $words
	done
done <"$tmp/table"

# How each ended: "pass", or the severity of its worst finding, all with
# evidence, a cure, and who said it.
cat >"$tmp/read.py" <<'E'
import json, sys
for line in open(sys.argv[1]):
    name, way, want, record = line.split("\t", 3)
    try:
        r = json.loads(record)
    except ValueError:
        print(name, way, want, "no-record", record.strip())
        continue
    worst = ["info", "notice", "warning", "error"]
    mine = [f for f in r["findings"] if f["id"] == name]
    if not all(f["evidence"] and f["cure"] and f["server"] for f in mine):
        got = "no-evidence"
    elif mine:
        got = max((f["severity"] for f in mine), key=worst.index)
    else:
        got = "pass" if name in r["passed"] else "neither"
    print(name, way, want, got, [f["evidence"] for f in mine + r["untested"]])
E
python3 "$tmp/read.py" "$tmp/results" >"$tmp/outcomes" ||
    bail "the results cannot be read"
while read -r id way want got evidence; do
	if [ "$id $way" = "V6 pass" ] && ! grep -q ::1 "$tmp/hosts"; then
		skip "$id $way" "no IPv6 on loopback"
		continue
	fi
	if [ "$got" = "$want" ]; then
		pass "$id $way"
	else
		fail "$id $way" "$got, not $want: $evidence"
	fi
done <"$tmp/outcomes"

# ---- every id has its pair, its severity and its place in the manual ----

bmx-mxcheck --explain all | sed -n 's/^\([A-Z][A-Z0-9-]*\) (\(.*\))$/\1 \2/p' \
    >"$tmp/explained"
cut -d ' ' -f 1 "$tmp/table" | sort >"$tmp/tested"
cut -d ' ' -f 1 "$tmp/explained" | sort >"$tmp/ids"
same "each id has a zone that fails and one that passes" "$tmp/tested" "$tmp/ids"
sed -n 's/^\.It Cm \([A-Z][A-Z0-9-]*\) Pq \([a-z]*\)$/\1 \2/p' \
    "$top_srcdir/man/bmx-mxcheck.1" >"$tmp/manual"
same "the manual has each id with its severity, in order" "$tmp/manual" \
    "$tmp/explained"
done_testing
