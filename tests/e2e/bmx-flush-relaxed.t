#!/bin/sh
# TLS-Required: No (D46, RFC 8689 section 4.2.2): mail that says so does without
# TLSA records where no address comes up to them, and all other mail waits.
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
cert good self 'cn = good'
cert other self 'cn = other'
at=_$primary_port._tcp

nsd_zone example.com <<E
@ MX 10 mx1
@ MX 40 backup.example.net.
mx1 A 127.0.0.1
$at.mx1 TLSA 3 1 1 $(spki good)
bogus A 127.0.0.1
$at.bogus TLSA 3 1 1 $(spki other)
E
nsd_sign example.com || bail "ldns-signzone"
# one record is not what was signed
sed -i "/^$at\.bogus.*[[:space:]]TLSA[[:space:]]/s/$(spki other)/$(spki good)/" \
    "$tmp/zones/example.com"
nsd_start
unbound_start
primary_start

# conf HOST TLS [LINE...]
conf()
{
	conf_at="primary = $1:$primary_port" conf_tls="tls = $2"
	shift 2
	make_conf "resolver = $unbound" "state = $tmp/state" '[example.com]' \
	    "$conf_at" "$conf_tls" "$@"
}

# serve CERT|- [ROW...]: all anew; - offers no TLS.
serve()
{
	serve_cert=$1
	shift
	if [ "$serve_cert" = - ]; then
		primary_renew "$@"
	else
		primary_renew --tls "$certs/$serve_cert.chain" \
		    "$certs/$serve_cert.key" "$@"
	fi
	empty_spool
	rm -rf "$tmp/state"
	mkdir -m 700 "$tmp/state"
	: >"$tmp/bmx.log"
}

# mail NAME TEXT [KEY=VALUE]...: a message with this text (of printf).
mail()
{
	mail_name=$1
	# shellcheck disable=SC2059 # it is a format
	printf "$2" >"$tmp/$mail_name.in"
	shift 2
	put_file "$tmp/$mail_name.in" "$@"
}

no='Received: from x\r\n\tby y; now\r\nTLS-Required: No\r\nSubject: relaxed\r\n\r\nHello\r\n'

ended()
{
	logged ' end=' | sed 's/.* \(left=[0-9]*\) .* end=/\1 end=/' | tail -n 1
}

events()
{
	logged ' policy=' | sed 's/.* policy=/policy=/; s/ reason=.*//'
}

learnt()
{
	bmx-queue recipients list | grep -c @
}

# waits "test" [KEY=VALUE]...: $tmp/kept.in is not delivered.
waits()
{
	waits_name=$1
	shift
	empty_spool
	: >"$tmp/bmx.log"
	put_file "$tmp/kept.in" "$@"
	exits "$waits_name: not delivered" 75 bmx-flush --now
	is "waits, and nothing is relaxed" \
	    "$(primary_count) $(states "$id") $(held) $(logged relaxed=) $(ended)" \
	    "0 P 0  left=1 end=primary-down"
}

# keeps "test" TEXT [KEY=VALUE]...
keeps()
{
	keeps_name=$1
	# shellcheck disable=SC2059
	printf "$2" >"$tmp/kept.in"
	shift 2
	waits "$keeps_name" "$@"
}

# ---- the wrong certificate ----

conf mx1.example.com dane
bob='rcpt<bob@example.com> 250 2.1.5 OK'
nobody='rcpt 550 5.1.1 no such user'
serve other "$bob" "$nobody"
mail plain 'Subject: plain\r\n\r\nHello\r\n'
plain=$id
mail relaxed "$no"
mail more "$no"
exits "D46: of three messages two say it" 75 bmx-flush --now
is "they are delivered" \
    "$(primary_count) $(grep -l 'Subject: relaxed' "$primary"/*.msg | wc -l)" "2 2"
is "the other one waits" "$(waiting) $(states "$plain") $(ended)" \
    "1 P left=1 end=primary-down"
like "the log says what did not count" "$(logged relaxed=)" \
    'domain=example.com relaxed=2 messages say TLS-Required: No'
is "first by the records, then in TLS all the same" "$(events)" \
    'policy=tlsa result=tlsa-invalid
policy=no-policy-found result=ok'
is "D46: what is known of the primary is what the records say" \
    "$(grep -E '^(verdict|reason) ' "$spool/example.com/primary")" \
    'verdict down
reason tlsa-invalid: no TLSA record matches'
is "D46: nobody can make us believe things of recipients that way" \
    "$(learnt) $(primary_said 'nobody-')" "0 0"
exits "the next run" 75 bmx-flush --now
is "does not relax for nobody" "$(logged relaxed= | wc -l) $(primary_count)" "1 2"

serve other
mail relaxed "$no"
exits "D46: when that was all, the run is done" 0 bmx-flush --now
is "and the log says so" "$(primary_count) $(waiting) $(ended)" "1 0 left=0 end=done"

serve other
for n in 1 2 3; do mail "$n" "$no"; done
exits "D46: no more than --max" 0 bmx-flush --now --max 2
is "of them" "$(primary_count) $(waiting) $(ended)" "2 1 left=1 end=max"

serve other "$nobody"
mail relaxed "$no"
exits "D46: a refusal is one" 69 bmx-flush --now
is "the message is held" "$(primary_count) $(states "$id") $(held)" "0 F 1"
is "which teaches nothing" "$(learnt)" 0

# ---- who comes up to the records ----

serve good "$bob" "$nobody"
mail relaxed "$no"
exits "D46: the right certificate: delivered" 0 bmx-flush --now
is "by the records" "$(primary_count) $(logged relaxed=) $(events)" \
    "1  policy=tlsa result=ok"
is "which teaches who is there" "$(learnt)" 1

# ---- less than a certificate ----

serve -
mail relaxed "$no"
exits "D46: no STARTTLS: delivered" 0 bmx-flush --now
is "in the clear" "$(primary_count) $(primary_said STARTTLS)" "1 0"
conf bogus.example.com dane
serve other
mail relaxed "$no"
exits "D46: bogus records: delivered" 0 bmx-flush --now
is "in TLS" "$(primary_count) $(primary_said 'T: sni')" "1 1"

# ---- who may not ----

conf mx1.example.com dane
serve other
keeps "D46: REQUIRETLS, whatever the field says" "$no" \
    'mail=FROM:<a@s.example> REQUIRETLS'
keeps "D46: in the body" 'Subject: x\r\n\r\nTLS-Required: No\r\n'
keeps "D46: another word" 'TLS-Required: Yes\r\n\r\nx\r\n'
keeps "D46: twice" 'TLS-Required: No\r\nSubject: x\r\nTLS-Required: No\r\n\r\nx\r\n'

# long N: the field stands behind N others of 50 bytes.
long()
{
	yes 'X-Long: 1234567890123456789012345678901234567890' | head -n "$1" |
	    sed 's/$/\r/'
	printf 'TLS-Required: No\r\n\r\nx\r\n'
}
long 5300 >"$tmp/kept.in"
waits "D46: behind more of a header section than is read"
long 5000 >"$tmp/long"
put_file "$tmp/long"
exits "D46: behind nearly as much: delivered" 75 bmx-flush --now
is "it is" "$(primary_count) $(waiting)" "1 1"

# ---- whose word it is not to relax ----

serve other
conf mx1.example.com dane-only
keeps "D46: dane-only is the operator's word" "$no"
conf mx1.example.com pin "tls-pin = $(spki good)"
keeps "and so is a pin" "$no"
conf mx1.example.com verify
keeps "and verify" "$no"
serve -
conf mx1.example.com encrypt
keeps "and encrypt" "$no"
conf mx1.example.com dane
stop primary
keeps "a primary that is not there is no matter of policy" "$no"

# ---- live relay ----

serve other
conf mx1.example.com dane 'admit = through'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA \
    'TLS-Required: No' 'Subject: x' '' x . QUIT | bmx-receive >"$tmp/out"
is "live: taken" "$(last_code "$tmp/out")" '250 2.0.0'
is "and spooled: RCPT does not tell what the content will say" \
    "$(primary_count) $(waiting)" "0 1"
exits "D46: and delivered from there" 0 bmx-flush --now
is "without the records" "$(primary_count) $(waiting)" "1 0"
primary_check
done_testing
