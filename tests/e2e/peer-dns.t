#!/bin/sh
# NSD and Unbound as the tests use them.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_unbound
need drill ldns-signzone
plan 8

nsd_zone example.com <<'E'
@ MX 10 primary
@ MX 20 backup.example.net.
primary A 192.0.2.25
E
nsd_zone signed.test <<'E'
@ MX 10 mail
mail A 192.0.2.26
E
nsd_zone bogus.test <<'E'
@ MX 10 mail
E
ok "a zone is signed" nsd_sign signed.test
ok "another one too" nsd_sign bogus.test
cp "$tmp/anchor.signed.test" "$tmp/anchor.wrong"
sed 's/signed\.test/bogus.test/' "$tmp/anchor.wrong" >"$tmp/anchor.bogus.test"
rm "$tmp/anchor.wrong"
nsd_start
unbound_start

ask()
{
	drill -D -p "$1" @127.0.0.1 "$2" "$3" 2>&1
}

like "NSD answers with authority" \
    "$(ask "$nsd_port" example.com MX)" '^;; flags: qr aa '
like "with the records of the zone" \
    "$(ask "$nsd_port" example.com MX)" 'MX[[:space:]]+20 backup\.example\.net\.$'
like "Unbound answers from NSD" \
    "$(ask "$unbound_port" primary.example.com A)" '192\.0\.2\.25$'
like "a signed zone is authentic" \
    "$(ask "$unbound_port" signed.test MX)" '^;; flags: qr.* ad'
like "a zone with the wrong key is not answered" \
    "$(ask "$unbound_port" bogus.test MX)" 'rcode: SERVFAIL'
like "nor is what NSD does not have" \
    "$(ask "$unbound_port" example.org MX)" 'rcode: SERVFAIL'
