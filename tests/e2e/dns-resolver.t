#!/bin/sh
# The DNS engine and a real validating resolver: AD, SERVFAIL, servers that are
# gone or hang, many questions at once.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_unbound
dnsdump=$top_builddir/tests/lib/dnsdump
names=5000
plan 15

{
	echo '@ MX 10 mail'
	awk -v n=$names 'BEGIN { for (i = 0; i < n; i++) {
		printf "d%d MX 10 mx%d\nmx%d A 192.0.2.%d\n", i, i, i, i % 256
	} }'
} | nsd_zone example.com
awk -v n=$names 'BEGIN { for (i = 0; i < n; i++) {
	printf "d%d.example.com MX\nmx%d.example.com A\n", i, i
} }' >"$tmp/names"

signed=no
if command -v ldns-signzone >/dev/null; then
	echo '@ MX 10 mail' | nsd_zone signed.test
	echo '@ MX 10 mail' | nsd_zone bogus.test
	nsd_sign signed.test && nsd_sign bogus.test && signed=yes
	sed 's/signed\.test/bogus.test/' "$tmp/anchor.signed.test" \
	    >"$tmp/anchor.bogus.test"
fi
nsd_start
unbound_start

ask()
{
	"$dnsdump" "$@" 2>&1
}

# ms COMMAND...: its time in milliseconds; output in $tmp/out
ms()
{
	began=$(date +%s%N)
	"$@" >"$tmp/out" 2>&1
	echo $((($(date +%s%N) - began) / 1000000))
}

like "an unsigned zone is not authentic" \
    "$(ask -s "$unbound" example.com MX)" ': found, 1 .* ad=0 '
if [ $signed = yes ]; then
	like "D42 a signed zone is authentic, over loopback" \
	    "$(ask -s "$unbound" signed.test MX)" ': found, 1 .* ad=1 '
	like "D42 the denial in it is, too" \
	    "$(ask -s "$unbound" signed.test TLSA)" \
	    ': no such record, 0 .* ad=1 '
	like "D42 a zone with a wrong key is SERVFAIL, not absent" \
	    "$(ask -s "$unbound" bogus.test MX)" ': SERVFAIL, 0 records'
else
	skip "D42 a signed zone is authentic, over loopback" "no ldns-signzone"
	skip "D42 the denial in it is, too" "no ldns-signzone"
	skip "D42 a zone with a wrong key is SERVFAIL, not absent" \
	    "no ldns-signzone"
fi
like "what the resolver cannot find out is SERVFAIL" \
    "$(ask -s "$unbound" example.org MX)" ': SERVFAIL, 0 records'
like "what a server does not serve is REFUSED" \
    "$(ask -s "$nsd" example.org MX)" ': REFUSED, 0 records'
like "the next server is asked, and named" \
    "$(ask -s "$nsd" -s "$unbound" signed.test MX example.com MX)" \
    "^example\.com MX: found, .* from $nsd$"

is "10,000 questions, 10,000 answers" \
    "$(ask -q -s "$unbound" <"$tmp/names")" "$((2 * names)) found"
is "with a window of 10" \
    "$(ask -q -w 10 -s "$unbound" <"$tmp/names")" "$((2 * names)) found"
is "with so many at once that packets are lost" \
    "$(ask -q -w 2000 -d 60000 -s "$unbound" <"$tmp/names")" \
    "$((2 * names)) found"

gone=127.0.0.1:$(free_port)
is "with a first server that is not there" \
    "$(ask -q -s "$gone" -s "$unbound" <"$tmp/names")" "$((2 * names)) found"
took=$(ms ask -d 5000 -s "$gone" -s "$unbound" example.com MX)
like "which costs no time" "$took $(cat "$tmp/out")" '^[0-9]{1,3} .*: found'

freeze unbound
took=$(ms ask -d 1000 -s "$unbound" example.com MX)
like "a resolver that hangs: no answer" "$(cat "$tmp/out")" ': no answer,'
like "at the deadline" "$took" '^(9|1[0-9]|2[0-9])[0-9][0-9]$'
like "with another one that works, its answer" \
    "$(ask -s "$unbound" -s "$nsd" example.com MX)" ": found, .* from $nsd$"
thaw unbound
