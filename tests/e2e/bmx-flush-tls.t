#!/bin/sh
# The TLS that the primary owes us: each level of bmx.conf against each kind of
# certificate, and against every way to have no TLS. A level is never lowered:
# mail waits, and the log has the result type of RFC 8460 (D45).
# shellcheck source=tests/lib/tap.sh source=tests/lib/certs.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
certs_make
primary_make

host='dns_name = primary.example.com'
cert good ca 'cn = good' "$host" tls_www_server
cert wild ca 'cn = wild' 'dns_name = *.example.com' tls_www_server
cert part ca 'cn = part' 'dns_name = *mary.example.com' tls_www_server
cert above ca 'cn = above' 'dns_name = *.com' 'dns_name = *.primary.example.com' \
    tls_www_server
cert address ca 'cn = address' 'ip_address = 127.0.0.1' tls_www_server
cert other ca 'cn = other' 'dns_name = other.example.org' tls_www_server
cert common ca 'cn = primary.example.com' tls_www_server
cert client ca 'cn = backup' tls_www_client
cert self self 'cn = self' "$host" tls_www_server
cert foreign other-ca 'cn = foreign' "$host" tls_www_server
cert expired ca 'cn = expired' "$host" tls_www_server \
    'activation_date = "2020-01-01 00:00:00"' \
    'expiration_date = "2020-02-01 00:00:00"'
cert future ca 'cn = future' "$host" tls_www_server \
    'activation_date = "2037-01-01 00:00:00"' \
    'expiration_date = "2037-02-01 00:00:00"'
cert purpose ca 'cn = purpose' "$host" tls_www_client

# der_names TEXT...: dNSNames as DER, in hex; "\\0" is a NUL
der_names()
{
	for der_name; do
		der_hex=$(printf '%b' "$der_name" | od -An -v -tx1 | tr -d ' \n')
		printf '82%02x%s' $((${#der_hex} / 2)) "$der_hex"
	done >"$tmp/der"
	printf '30%02x' $(($(wc -c <"$tmp/der") / 2)) | cat - "$tmp/der"
}
cert_san nul "$(der_names 'primary.example.com\0.evil.test')"
cert_san nul-behind "$(der_names evil.test 'primary.example.com\0')"
cert_san blank "$(der_names 'primary.example.com evil.test')"
cert_san plain "$(der_names primary.example.com)"

conf()
{
	make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
	    'tls-name = primary.example.com' "tls-ca = $certs/ca.pem" \
	    'connect-timeout = 5' "$@"
}
conf
primary_start

# serve NAME [ROW...]: a primary with this certificate.
serve()
{
	serve_name=$1
	shift
	primary_renew --tls "$certs/$serve_name.chain" "$certs/$serve_name.key" "$@"
}

# tried: how many events the log has of a handshake, or of none, and the last.
tried()
{
	logged ' policy=' | sed 's/.* policy=/policy=/; s/ reason=.*//' | tail -n 1
}

# hands_over "test" NAME RESULT: with that certificate.
hands_over()
{
	serve "$2"
	: >"$tmp/bmx.log"
	put m
	exits "$1: delivered" 0 bmx-flush --now
	is "and the event tells" "$(primary_count) $(waiting) $(tried)" \
	    "1 0 policy=no-policy-found result=$3"
	is "one event for one handshake" "$(logged ' policy=' | wc -l)" 1
}

# keeps "test" NAME RESULT
keeps()
{
	serve "$2"
	: >"$tmp/bmx.log"
	put m
	exits "$1: not delivered" 75 bmx-flush --now
	is "waits, and D45: the event tells" "$(primary_count) $(states "$id") $(held) $(tried)" \
	    "0 P 0 policy=no-policy-found result=$3"
	unlike "no command was said with it" "$(grep -a ' C: ' "$primary/log")" 'MAIL|RCPT|DATA'
	rm -f "$spool"/example.com/*/*,S=*
}

# ---- verify ----

conf 'tls = verify'
hands_over "verify: a good certificate" good ok
hands_over "verify: a wildcard for the leftmost label" wild ok
keeps "D43: verify: a wildcard for a part of a label" part certificate-host-mismatch
keeps "verify: a wildcard for more than a label, or below it" above \
    certificate-host-mismatch
keeps "verify: another name" other certificate-host-mismatch
keeps "verify: the name as common name alone" common certificate-host-mismatch
keeps "verify: expired" expired certificate-expired
keeps "verify: not valid yet" future certificate-expired
keeps "verify: self-signed" self certificate-not-trusted
keeps "verify: of a root that is not trusted" foreign certificate-not-trusted
keeps "verify: for clients" purpose validation-failure
keeps "verify: a NUL behind the name" nul certificate-host-mismatch
keeps "verify: a NUL at the end of the second" nul-behind certificate-host-mismatch
keeps "verify: a blank behind the name" blank certificate-host-mismatch
hands_over "verify: a name in DER" plain ok
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = verify' \
    "tls-ca = $certs/ca.pem"
hands_over "verify: the address that bmx.conf names" address ok
keeps "verify: a name is no address" good certificate-host-mismatch
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = verify' \
    'tls-name = primary.example.com'
keeps "verify: the system's roots do not know it" good certificate-not-trusted

# ---- pin ----

conf 'tls = pin' "tls-pin = $(spki other), $(spki self)"
hands_over "pin: one of the keys, of whatever certificate" self ok
keeps "pin: another key" good certificate-not-trusted
conf 'tls = pin' "tls-pin = $(spki expired | sed 's/../&:/g; s/:$//')"
hands_over "pin: dates do not matter" expired ok

# ---- encrypt, may, none ----

conf 'tls = encrypt'
hands_over "encrypt: any certificate" expired ok
conf 'tls = may'
hands_over "may: any certificate" self ok
conf 'tls = none'
serve good
put m
exits "none: delivered" 0 bmx-flush --now
is "none: no STARTTLS" "$(primary_said 'STARTTLS$') $(primary_said T:)" "1 0"

# ---- no TLS at all: every level but may and none keeps ----

# trouble "test" RESULT PRIMARY_OPTION...
trouble()
{
	trouble_what=$1
	trouble_result=$2
	shift 2
	for level in encrypt verify pin; do
		conf "tls = $level" "tls-pin = $(spki good)" 'reply-timeout = 1'
		primary_renew "$@"
		: >"$tmp/bmx.log"
		put m
		exits "$level: $trouble_what: not delivered" 75 bmx-flush --now
		is "D45: the event tells" "$(primary_count) $(states "$id") $(tried)" \
		    "0 P policy=no-policy-found result=$trouble_result"
		rm -f "$spool"/example.com/*/*,S=* "$primary/broken"
	done
	conf 'tls = may' 'reply-timeout = 1'
	primary_renew "$@"
	: >"$tmp/bmx.log"
	put m
	exits "may: $trouble_what: delivered" 0 bmx-flush --now
	is "D45: the event tells all the same" "$(waiting) $(tried)" \
	    "0 policy=no-policy-found result=$trouble_result"
	rm -f "$primary/broken"
}

tls="--tls $certs/good.chain $certs/good.key"
# shellcheck disable=SC2086 # a list of words
{
	trouble "STARTTLS not offered" starttls-not-supported
	trouble "not now" starttls-not-supported $tls 'starttls 454 4.7.0 not now'
	trouble "hangs up instead" validation-failure $tls 'starttls#1 hangup'
	trouble "no handshake" validation-failure $tls \
	    'starttls#1 raw 220 go\r\n'
	trouble "words behind the 220" validation-failure $tls \
	    'starttls#1 raw 220 go\r\n250 injected\r\n'
	trouble "another reply" validation-failure $tls 'starttls#1 354 go on'
	trouble "hangs up in TLS" validation-failure $tls 'ehlo#2 hangup'
}

# ---- names that the session tells ----

conf 'tls = verify'
serve good
put m
exits "a session" 0 bmx-flush --now
is "SNI is the name that is verified" "$(grep -a ' T: ' "$primary/log")" \
    "1 T: sni=primary.example.com client=None"

make_conf "tls-client-certificate = $certs/client.pem" \
    "tls-client-key = $certs/client.key" \
    '[example.com]' "primary = 127.0.0.1:$primary_port"
primary_renew --tls "$certs/good.chain" "$certs/good.key" \
    --client-ca "$certs/ca.pem"
put m
exits "a primary that asks for a certificate" 0 bmx-flush --now
like "is shown ours" "$(grep -a ' T: ' "$primary/log")" 'client=backup$'
serve good
put m
exits "a primary that does not ask" 0 bmx-flush --now
like "is shown none" "$(grep -a ' T: ' "$primary/log")" 'client=None$'
make_conf "tls-client-certificate = $certs/client.pem" \
    "tls-client-key = $certs/good.key" \
    '[example.com]' "primary = 127.0.0.1:$primary_port"
put m
exits "the key of another certificate is a mistake of ours" 78 bmx-flush --now
is "the mail waits" "$(states "$id")" P
rm -f "$spool"/example.com/*/*,S=*

# ---- two addresses: what the first does not owe, the second may have ----

conf 'tls = verify'
serve other
second=$(free_port)
start_bg second python3 "$top_srcdir/tests/fake/primary.py" -p "$second" \
    --tls "$certs/good.chain" "$certs/good.key" "$tmp/second"
wait_port "$second"
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port 127.0.0.1:$second" \
    'tls-name = primary.example.com' "tls-ca = $certs/ca.pem" 'tls = verify'
put m
exits "the next address is tried" 0 bmx-flush --now
is "and has it" "$(primary_count) $(find "$tmp/second" -name '*.env' | wc -l)" "0 1"

# ---- roots that are not there ----

make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = verify' \
    "tls-ca = $tmp/none.pem"
put m
exits "no file of roots: a mistake of ours" 78 bmx-flush --now
is "the mail waits" "$(states "$id")" P
primary_check
done_testing
