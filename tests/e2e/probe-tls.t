#!/bin/sh
# STARTTLS as bmx-probe sees it, with Postfix and with primaries that break it.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/primary.sh"
need certtool
primary_make

(
	cd "$tmp" || exit 1
	certtool --generate-privkey --key-type ecdsa --outfile key.pem
	printf 'cn = primary.test\ntls_www_server\nexpiration_days = 2\n' >template
	certtool --generate-self-signed --load-privkey key.pem \
	    --template template --outfile cert.pem
) >"$tmp/certtool.log" 2>&1 || bail "certtool: $(cat "$tmp/certtool.log")"

conf()
{
	make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" "$@"
}
word()
{
	cut -f 4,5 "$tmp/out" | tr '\t' ' '
}
tls()
{
	primary_renew --tls "$tmp/cert.pem" "$tmp/key.pem" "$@"
}

conf
primary_start --tls "$tmp/cert.pem" "$tmp/key.pem"
exits "STARTTLS is done where it is offered: 0" 0 bmx-probe example.com
is "as is said" "$(word) $(cut -f 7 "$tmp/out" | cut -d / -f 1)" "up ok TLS1.3"
is "EHLO comes again" "$(grep -a ' C: ' "$primary/log")" "1 C: EHLO backup.example.net
1 C: STARTTLS
1 C: EHLO backup.example.net
1 C: QUIT"
like "both offers are kept" "$(cat "$tmp/spool/example.com/primary")" '^secured 8BITMIME'
unlike "STARTTLS only in the clear" "$(cat "$tmp/spool/example.com/primary")" \
    '^secured STARTTLS'
exits "--verbose: 0" 0 bmx-probe -nv
like "times the steps" "$(cat "$tmp/out")" ' starttls=[0-9.]+ tls=[0-9.]+ ehlo2=[0-9.]+ quit=[0-9.]+ TLS1\.3/'
conf 'tls = none'
exits "tls = none: 0" 0 bmx-probe -n
is "is in the clear" "$(cut -f 7 "$tmp/out")" -

tls 'starttls hangup'
conf
exits "a broken handshake where TLS may be: 0" 0 bmx-probe -n
is "is up with a blemish" "$(word)" 'up tls-failed'
conf 'tls = encrypt'
exits "a broken handshake where TLS must be: 69" 69 bmx-probe -n
is "is down" "$(word)" 'down tls-failed'

tls 'starttls 454 4.7.0 not now'
exits "TLS not now where it must be: 75" 75 bmx-probe -n
is "is deferring" "$(word)" 'deferring deferred'
conf
exits "TLS not now where it may be: 0" 0 bmx-probe -n
is "is up with a blemish" "$(word)" 'up tls-failed'

tls 'starttls 421 4.3.2 bye'
exits "D32: 421 to STARTTLS: 75" 75 bmx-probe -n
is "is deferring" "$(word)" 'deferring deferred'

tls 'starttls raw 220 go\r\n250-primary.test\r\n250 SIZE 1\r\n'
conf 'tls = encrypt'
exits "D22: replies injected behind the 220: 69" 69 bmx-probe -n
like "are not heard" "$(cut -f 9 "$tmp/out")" 'behind STARTTLS'

tls 'ehlo#2 550 5.7.1 no' 'helo 550 5.7.1 no'
exits "refused within TLS: 69" 69 bmx-probe -n
is "is policy" "$(word)" 'down refused-by-policy'

tls 'ehlo#2 hangup'
exits "closed at EHLO within TLS where it must be: 69" 69 bmx-probe -n
is "is down" "$(word)" 'down closed'
conf
tls 'ehlo#2 hangup'
exits "and where it may be: 0" 0 bmx-probe -nv
is "is up with a blemish, as mail would go in the clear" \
    "$(head -n 1 "$tmp/out" | cut -f 4,5,7)" 'up	tls-failed	-'
like "which has a word" "$(cat "$tmp/out")" ' ehlo2=.* validation-failure$'
tls 'ehlo#2 421 4.3.2 bye'
exits "D32: 421 within TLS: 75" 75 bmx-probe -n
is "is deferring" "$(word)" 'deferring deferred'
conf 'tls = encrypt'

tls 'starttls#1 hangup'
exits "a handshake that broke once, two tries: 0" 0 bmx-probe -nv --tries 2 --gap 0
like "the second is good" "$(cat "$tmp/out")" ' TLS1\.3/.* tries=2$'

primary_renew
exits "STARTTLS not offered where TLS must be: 69" 69 bmx-probe -n
is "is down" "$(word)" 'down tls-not-offered'

tls
saved=$BMX_TLS_MODULE
BMX_TLS_MODULE=$tmp/none.so
exits "our TLS module is missing: 71" 71 bmx-probe
is "says nothing about the primary" "$(word)" 'unknown own-trouble'
like "but what is missing" "$(cat "$tmp/err")" 'none\.so'
like "the state is as before" "$(cat "$tmp/spool/example.com/primary")" '^last up$'
BMX_TLS_MODULE=$saved
stop primary

# ---- what the certificate has to be ----

(
	cd "$tmp" || exit 1
	certtool --generate-privkey --key-type ecdsa --outfile ca.key
	printf 'cn = Test CA\nca\ncert_signing_key\nexpiration_days = 30\n' >ca.template
	certtool --generate-self-signed --load-privkey ca.key --template ca.template \
	    --outfile ca.pem
	# cert NAME TEMPLATE-LINE...: signed by the CA
	cert()
	{
		cert_name=$1
		shift
		printf '%s\n' 'cn = primary.test' tls_www_server signing_key "$@" >template
		certtool --generate-certificate --load-privkey key.pem --template template \
		    --load-ca-certificate ca.pem --load-ca-privkey ca.key \
		    --outfile "$cert_name"
	}
	cert good.pem 'dns_name = primary.test' 'expiration_days = 10'
	cert other.pem 'dns_name = other.test' 'expiration_days = 10'
	cert old.pem 'dns_name = primary.test' \
	    'activation_date = "2020-01-01 00:00:00"' \
	    'expiration_date = "2020-02-01 00:00:00"'
) >"$tmp/certtool.log" 2>&1 || bail "certtool: $(cat "$tmp/certtool.log")"
pin=$(certtool --certificate-pubkey <"$tmp/cert.pem" 2>/dev/null |
    certtool --pubkey-info 2>/dev/null | sed -n 's/.*sha256:\([0-9a-f]*\)$/\1/p' | head -n 1)

# level "test" STATUS WORDS REASON CERTIFICATE LINE...
level()
{
	level_what=$1
	level_status=$2
	level_words=$3
	level_reason=$4
	level_cert=$5
	shift 5
	primary_renew --tls "$tmp/$level_cert" "$tmp/key.pem"
	conf "$@"
	exits "$level_what: $level_status" "$level_status" bmx-probe -nv
	is "$level_what: $level_words" "$(word | head -n 1)" "$level_words"
	like "$level_what: the reason" "$(cat "$tmp/out")" "$level_reason"
}
verify='tls = verify'
primary_start
level 'verify, as it should be' 0 'up ok' \
    'certificate CN=primary.test, for primary.test, by CN=Test CA, until .*\((9|10) d\), trusted$' \
    good.pem "$verify" "tls-ca = $tmp/ca.pem" 'tls-name = primary.test'
level 'verify, another name' 69 'down tls-failed' ' certificate-host-mismatch$' \
    other.pem "$verify" "tls-ca = $tmp/ca.pem" 'tls-name = primary.test'
level 'verify, expired' 69 'down tls-failed' ' certificate-expired$' \
    old.pem "$verify" "tls-ca = $tmp/ca.pem" 'tls-name = primary.test'
level 'verify, signed by itself' 69 'down tls-failed' ' certificate-not-trusted$' \
    cert.pem "$verify" 'tls-name = primary.test'
level 'encrypt takes any' 0 'up ok' ', not trusted, for another name$' \
    cert.pem 'tls = encrypt'
level 'pin, the right key' 0 'up ok' 'certificate ' cert.pem 'tls = pin' "tls-pin = $pin"
primary_renew --tls "$tmp/cert.pem" "$tmp/key.pem" 'rcpt#3 550 5.1.1 unknown user'
exits "a rehearsal where TLS must be: 0" 0 bmx-probe -n --rehearse --burst 1
like "is in TLS" "$(cat "$tmp/out")" '^	pass +tls: in TLS \(TLS1\.3/[A-Z0-9-]*\)$'
level 'pin, another key' 69 'down tls-failed' 'pinned' cert.pem 'tls = pin' \
    'tls-pin = 0000000000000000000000000000000000000000000000000000000000000000'
conf "$verify"
exits "--tls may, though bmx.conf wants more: 0" 0 bmx-probe --tls may
unlike "teaches nothing of what mail will meet" "$(cat "$tmp/spool/example.com/primary")" \
    "^address 127.0.0.1:$primary_port\$.*secured"
exits "--tls none: 0" 0 bmx-probe -n --tls none
is "is in the clear" "$(cut -f 7 "$tmp/out")" -
# ---- two domains, one primary ----

primary_renew --tls "$tmp/good.pem" "$tmp/key.pem"
make_conf '[a.example]' "primary = 127.0.0.1:$primary_port" \
    '[b.example]' "primary = 127.0.0.1:$primary_port" "tls-ca = $tmp/ca.pem" \
    'tls-name = primary.test'
exits "a certificate is judged for each domain by its own roots and names: 0" 0 \
    bmx-probe -n --json --jobs 1
is "so one of them trusts it" "$(python3 -c '
import json, sys
for line in sys.stdin:
    c = json.loads(line)["addresses"][0]["certificate"]
    print(c["trusted"], c["name_matches"])' <"$tmp/out")" 'False False
True True'
conf "$verify"
exits "--tls, a word that is none: 64" 64 bmx-probe -n --tls perhaps

# ---- how long it will last ----

primary_renew --tls "$tmp/good.pem" "$tmp/key.pem"
conf
exits "nobody asked about certificates: 0" 0 bmx-probe -n --nagios
exits "--cert-warn: 1" 1 bmx-probe -n --nagios --cert-warn 14 --cert-crit 3
like "says so" "$(cat "$tmp/out")" 'WARNING - .*, certificate ends in (9|10) d'
like "in the data too" "$(python3 "$top_srcdir/tests/lib/perfdata.py" <"$tmp/out" 2>&1)" \
    '^cert_days (9|10) - 14: 3: - -$'
exits "--cert-crit: 2" 2 bmx-probe -n --nagios --cert-crit 11
exits "it lasts long enough: 0" 0 bmx-probe -n --nagios --cert-warn 9
exits "--prometheus: 0" 0 bmx-probe -n --prometheus
like "has the end" "$(cat "$tmp/out")" \
    '^bmx_probe_tls_cert_not_after_timestamp_seconds\{.*\} [0-9]{10}$'
exits "--json: 0" 0 bmx-probe -n --json
like "has the certificate" "$(cat "$tmp/out")" \
    '"certificate":\{"subject":"CN=primary.test","issuer":"CN=Test CA","names":"primary.test"'
like "and its key" "$(cat "$tmp/out")" "\"spki_sha256\":\"$pin\""

# Else a server that sends tickets, and then waits for their acknowledgement
# before it answers (Nagle), is heard 40 ms later.
if command -v strace >/dev/null; then
	# no leak check under strace
	ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq \
	    -e trace=setsockopt,sendmsg -o "$tmp/trace" bmx-probe --json >/dev/null
	is "what comes behind the handshake is acknowledged at once" \
	    "$(sed -n 's/.*STARTTLS.*/STARTTLS/p; s/.*\(TCP_QUICKACK, \[1\]\).*/\1/p' \
		"$tmp/trace")" "STARTTLS
TCP_QUICKACK, [1]"
else
	skip "what comes behind the handshake is acknowledged at once" \
	    "strace is not installed"
fi
stop primary

# ---- a real one ----

if command -v postconf >/dev/null && [ "$(id -u)" -eq 0 ]; then
	postfix_make "smtpd_tls_cert_file = $tmp/cert.pem" \
	    "smtpd_tls_key_file = $tmp/key.pem" 'smtpd_tls_security_level = may'
	echo 'tlsmgr unix - - n 1000? 1 tlsmgr' >>"$postfix/etc/master.cf"
	chmod 755 "$tmp"
	postfix_start
	make_conf '[example.com]' "primary = 127.0.0.1:$postfix_port" \
	    'tls = encrypt'
	exits "Postfix: 0" 0 bmx-probe --json
	like "Postfix: TLS 1.3" "$(cat "$tmp/out")" '"tls":"TLS1\.3/'
	like "Postfix: it went by the book" "$(cat "$postfix/log/mail.log")" \
	    'disconnect from .* ehlo=2 starttls=1 quit=1 commands=4'
else
	for what in 'Postfix: 0' 'Postfix: TLS 1.3' 'Postfix: it went by the book'; do
		skip "$what" 'postfix is not installed, or we are not root'
	done
fi
primary_check
done_testing
