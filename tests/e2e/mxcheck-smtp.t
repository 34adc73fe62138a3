#!/bin/sh
# bmx-mxcheck --smtp: each check that talks to the mail servers finds its fault
# at a server that has it, and only there. The servers are real ones on
# loopback, the zones signed.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh source=tests/lib/certs.sh
# shellcheck source=tests/lib/mailhosts.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/mailhosts.sh"
need_unbound
need python3 ldns-keygen ldns-signzone certtool openssl

certs_make
cert good ca 'cn = "mx"' 'dns_name = "*.signed.test"' tls_www_server
cert wrong ca 'cn = "other.example"' 'dns_name = "other.example"' tls_www_server
cert self self 'cn = "mx"' 'dns_name = "*.signed.test"' tls_www_server
cert_type=rsa
cert rsa ca 'cn = "mx"' 'dns_name = "*.signed.test"' tls_www_server
cert_type=ed25519
cert edwards ca 'cn = "mx"' 'dns_name = "*.signed.test"' tls_www_server
cert_type=ecdsa
cert old ca 'cn = "mx"' 'dns_name = "*.signed.test"' tls_www_server \
    'activation_date = "2012-01-01 00:00:00"' \
    'expiration_date = "2013-01-01 00:00:00"'

# ---- the hosts: name, address, faults ----

has_v6()
{
	grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null
}

hosts()
{
	cat <<-T
		good 127.0.1.1 name=good.signed.test tls=good
		good2 127.0.1.2 name=good2.signed.test tls=good
		plain 127.0.1.3 name=plain.signed.test
		wrong 127.0.1.4 tls=wrong
		self 127.0.1.5 tls=self
		old 127.0.1.6 tls=old
		pinned 127.0.1.7 tls=self
		unpinned 127.0.1.8 tls=good
		issued 127.0.1.9 tls=good
		misissued 127.0.1.10 tls=wrong
		tls11 127.0.1.11 tls=good tlsmin=1.0 tlsmax=1.1
		tls10on 127.0.1.12 tls=good tlsmin=1.0
		keeper 127.0.1.13 tls=good keep=1
		refuser 127.0.1.14 tls=good starttls=454
		breaker 127.0.1.15 tls=good starttls=junk
		closed 127.0.1.16 banner=554_5.7.1_go_away
		later 127.0.1.17 banner=421_4.3.2_later
		heloonly 127.0.1.18 ehlo=502
		noehlo 127.0.1.19 hangup=EHLO
		leaky 127.0.1.20 banner=220_mx.test_ESMTP_Postfix_3.7.11
		rude 127.0.1.21 null=550_5.7.0_no sender=250_OK postmaster=550_5.1.1_who abuse=550_5.1.1_who bare=501_what relay=250_OK vrfy=250_me expn=250_me
		looser 127.0.1.22 tls=good ext=SIZE_9000000,8BITMIME,SMTPUTF8 unknown=250_OK
		strict 127.0.1.23 sender=450_4.7.1_greylisted
		silent 127.0.1.24 way=silent
		flood 127.0.1.25 way=flood
		junk 127.0.1.26 way=junk
		http 127.0.1.27 way=http
		hangup 127.0.1.28 way=hangup
		drip 127.0.1.29 way=drip
		twokeys 127.0.1.32 tls=good second=rsa
		onekey 127.0.1.33 tls=good second=rsa
		catchall 127.0.1.30 unknown=250_OK
		deaf 127.0.1.31 vrfy=421_4.3.2_bye
		onlyrsa 127.0.1.34 tls=rsa
		edwards 127.0.1.35 tls=edwards
		own 127.0.1.36 tls=good name=own.signed.test
		nohelo 127.0.1.37 ehlo=502 helo=502
		bye0 127.0.1.38 sender=421_4.3.2_bye
		bye1 127.0.1.39 bare=421_4.3.2_bye
		bye2 127.0.1.40 abuse=421_4.3.2_bye
		once 127.0.1.41 tls=good starttls=junk 2.banner=554_5.7.1_no
		notls0 127.0.1.42 tls=good 2.starttls=454
		notls1 127.0.1.43 tls=good 2.starttls=454
		behind 127.0.1.49 tls=good 2.starttls=junk
		hung 127.0.1.50 tls=good 2.hangup=QUIT
		babble0 127.0.1.44 tls=good 2.starttls=babble
		babble1 127.0.1.45 tls=good 2.starttls=babble
		close0 127.0.1.46 tls=good 2.starttls=close
		close1 127.0.1.48 tls=good 2.starttls=close
		mute 127.0.1.47 tls=good 2.starttls=mute
	T
}
{
	hosts | cut -d ' ' -f 2-
	! has_v6 || echo "::1 name=six.signed.test"
} >"$tmp/hosts"
mailhosts_start <"$tmp/hosts"

# ---- the zones: each host HOST is the MX of d.HOST.signed.test ----

pin=$(spki self)
nsd_zone signed.test <<Z
$(hosts | while read -r host address _; do
	echo "$host A $address"
	echo "d.$host MX 10 $host"
done)
six AAAA ::1
d.six MX 10 six
dead A 127.0.1.200
d.dead MX 10 dead
dead6 A 127.0.1.1
dead6 AAAA ::2
nolist MX 10 dead
nolist MX 20 good
pair MX 10 good
pair MX 20 good2
loose MX 10 good
loose MX 20 looser
bothall MX 10 catchall
bothall MX 20 looser
bare MX 10 good
bare MX 20 plain
backdead MX 10 good
backdead MX 20 dead
grey MX 10 good
grey MX 20 strict
good TXT "v=spf1 a -all"
good2 TXT "v=spf1 ip4:127.0.1.2 -all"
plain TXT "v=spf1 ip4:192.0.2.1 -all"
_25._tcp.pinned TLSA 3 1 1 $pin
_25._tcp.unpinned TLSA 3 1 1 $pin
_25._tcp.issued TLSA 2 0 1 $(digest ca)
_25._tcp.misissued TLSA 2 0 1 $(digest ca)
_25._tcp.plain TLSA 3 1 1 $pin
_25._tcp.twokeys TLSA 3 1 1 $(spki good)
_25._tcp.twokeys TLSA 3 1 1 $(spki rsa)
_25._tcp.onekey TLSA 3 1 1 $(spki good)
_25._tcp.onlyrsa TLSA 3 1 1 $(spki rsa)
_25._tcp.edwards TLSA 3 1 1 $(spki edwards)
_25._tcp.notls1 TLSA 3 1 1 $(spki good)
danepair MX 10 pinned
danepair MX 20 self
_mta-sts.pair TXT "v=STSv1; id=1;"
_mta-sts.bare TXT "v=STSv1; id=1;"
_mta-sts.d.old TXT "v=STSv1; id=1;"
Z
nsd_zone 1.0.127.in-addr.arpa <<'Z'
1 PTR good.signed.test.
20 PTR another.signed.test.
Z
nsd_zone example.net <<'Z'
@ MX 10 good.signed.test.
Z
nsd_sign signed.test || bail "cannot sign"
nsd_start
unbound_start

mxcheck()
{
	timeout 60 bmx-mxcheck -q --resolver "$unbound" --smtp-port "$mail_port" \
	    --smtp-timeout "${wait:-5}" --helo probe.example --ca-file "$certs/ca.pem" "$@"
}

# check ID DOMAIN VERDICT [OPTION...]: the verdict of this check alone; the id
# is there if it is no "ok", with a ? if it is unknown.
check()
{
	check_want="$2.signed.test	$3	$1"
	[ "$3" != unknown ] || check_want="$2.signed.test	$3	?$1"
	[ "$3" != ok ] || check_want="$2.signed.test	ok	-"
	check_what="$*"
	check_id=$1
	check_domain=$2
	shift 3
	is "$check_what" "$(mxcheck --brief --only "$check_id" "$@" \
	    "$check_domain.signed.test" 2>&1)" "$check_want"
}

# passes ID DOMAIN: the check was made and found nothing.
passes()
{
	passes_id=$1
	passes_domain=$2
	shift 2
	like "$passes_id $passes_domain passes" "$(mxcheck --json --only \
	    "$passes_id" "$@" "$passes_domain.signed.test" 2>&1)" \
	    "\"passed\":\\[\"$passes_id\"\\]"
}

# untested ID DOMAIN WHY: nothing that the server did tells.
untested()
{
	untested_id=$1
	untested_domain=$2
	untested_why=$3
	shift 3
	like "$untested_id $untested_domain: is not known" "$(mxcheck --json --only \
	    "$untested_id" "$@" "$untested_domain.signed.test" 2>&1)" \
	    "\"untested\":\\[{\"id\":\"$untested_id\".*$untested_why"
}

while read -r id good bad verdict options; do
	case $id in '' | '#'*) continue ;; esac
	# shellcheck disable=SC2086 # a list of words
	{
		[ "$good" = - ] || passes "$id" "$good" $options
		check "$id" "$bad" "$verdict" $options
	}
done <<T
# id		passes at	fails at	with	options
TCP-25		d.good		d.dead		error
TCP-25		-		backdead	warning
NOLIST		pair		nolist		info
BANNER		d.good		d.closed	error
BANNER		-		d.later		warning
BANNER		-		d.hangup	error
EHLO		d.good		d.heloonly	warning
EHLO		-		d.noehlo	error
EHLO		-		d.closed	unknown
EHLO		-		d.nohelo	error
PTR-EHLO	d.good		d.leaky		notice
LEAK		d.good		d.leaky		info
STARTTLS	d.good		d.plain		warning
STARTTLS	-		d.refuser	warning
STARTTLS	-		d.breaker	warning
STARTTLS	-		d.dead		unknown
TLS-VERSION	d.good		d.tls11		warning
TLS-VERSION	-		d.tls10on	notice
CERT		-		d.good		warning	--cert-days 30
CERT		d.good		d.wrong		warning	--cert-days 1
CERT		-		d.self		warning
CERT		-		d.old		warning
CERT		-		d.pinned	notice
CERT		-		d.breaker	unknown
STARTTLS-INJECT	d.good		d.keeper	warning
STARTTLS-INJECT	d.notls0	d.breaker	ok
STARTTLS-INJECT	d.close0	d.behind	unknown
STARTTLS-INJECT	d.babble0	d.plain		ok
STARTTLS-INJECT	d.hung		d.dead		unknown
TLSA-MATCH	d.pinned	d.unpinned	error
TLSA-MATCH	d.issued	d.plain		error
TLSA-MATCH	d.twokeys	d.onekey	error
TLSA-MATCH	d.onlyrsa	d.notls1	unknown
TLSA-NAME	d.issued	d.misissued	error
VRFY-EXPN	d.good		d.rude		notice
NULL-SENDER	d.good		d.rude		warning
RELAY		d.good		d.rude		error
RELAY		-		d.strict	unknown
RELAY		-		d.bye0		unknown
RELAY		-		d.once		unknown
POSTMASTER	d.good		d.rude		warning
POSTMASTER	-		d.strict	unknown
POSTMASTER	-		d.bye1		unknown
ABUSE		d.good		d.rude		notice
SPF-HELO	pair		bare		notice	--primary good.signed.test
RCPT-PARITY	pair		loose		warning	--primary good.signed.test
RCPT-PARITY	-		bothall		notice	--primary catchall.signed.test
RCPT-PARITY	-		backdead	unknown	--primary good.signed.test
EXT-SUBSET	pair		loose		warning	--primary good.signed.test
TLS-PARITY	pair		bare		warning	--primary good.signed.test
TLS-PARITY	-		danepair	warning	--primary pinned.signed.test
T
untested ABUSE d.bye2 'abuse: 421 4.3.2 bye'
untested TLS-VERSION d.babble1 'TLS 1.1 was not answered'
wait=2
untested TLS-VERSION d.mute 'TLS 1.1 was not answered'
wait=5
passes TLS-VERSION d.close1
passes TLSA-MATCH d.edwards
passes EHLO d.own --helo own.signed.test
passes STARTTLS d.own --helo own.signed.test
like "the stranger is not one of those we ask about" "$(: >"$visits"
	mxcheck --brief --only RELAY example.net && cat "$visits")" \
    'relay bmx-mxcheck@example\.org$'
like "STARTTLS that is refused is told as such" "$(mxcheck --only STARTTLS d.refuser.signed.test)" \
    'is offered and refused: 454 4\.7\.0'
passes NOLIST nolist --expect-down dead.signed.test
check NOLIST pair info --expect-down good.signed.test
check TCP-25 nolist ok --expect-down dead.signed.test
if has_v6; then
	passes V6 d.six
	check V6 d.six error --smtp-port "$(free_port)"
else
	skip "V6 d.six" "no IPv6 on loopback"
	skip "V6 d.six error" "no IPv6 on loopback"
fi
check V6 d.good notice

# Several checks, one session: the same findings as each by itself.
like "all of them at once" "$(mxcheck --smtp --all --brief \
    --primary good.signed.test bare.signed.test)" \
    '^bare\.signed\.test	error	MX-ADDR-SPECIAL,TLSA-MATCH,.*STARTTLS,.*TLS-PARITY'
done_testing
