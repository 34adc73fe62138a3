#!/bin/sh
# The DNS engine and a real authoritative server: what is said is told.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_nsd
dnsdump=$top_builddir/tests/lib/dnsdump
plan 19

{
	cat <<'E'
@ MX 10 Mail
@ MX 20 backup.example.net.
mail 120 A 192.0.2.1
mail 60 A 192.0.2.2
mail AAAA 2001:db8::1
_25._tcp.mail TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
null MX 0 .
alias CNAME alias2
alias2 CNAME mail
self CNAME self
ring1 CNAME ring2
ring2 CNAME ring1
ptr PTR mail
empty.sub A 192.0.2.3
a\.b MX 5 c\.d
txt TXT "v=STSv1; " "id=1"
E
	# more than UDP carries
	awk 'BEGIN { for (i = 0; i < 100; i++)
		printf "big TXT \"%03d %s\"\n", i, \
		    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz" }'
	# eight aliases, and nine
	awk 'BEGIN { for (i = 1; i <= 9; i++)
		printf "c%d CNAME c%d\n", i, i - 1
		print "c0 A 192.0.2.4" }'
} | nsd_zone example.com
nsd_start

ask()
{
	"$dnsdump" -s "$nsd" "$@" 2>&1
}

# answer "test" NAME TYPE REGEX...: each is a line of the answer
answer()
{
	what=$1
	out=$(ask "$2" "$3")
	shift 3
	for want; do
		printf '%s\n' "$out" | grep -Eq -e "$want" && continue
		fail "$what" "no line matches $want:
$out"
		return
	done
	pass "$what"
}

t=$(printf '\t')
answer "MX, names in lower case" Example.COM mx \
    ': found, 2 records, ttl 300, 0 aliases, owner example\.com\., ad=0 aa=1' \
    "^${t}10 mail\.example\.com\.$" "^${t}20 backup\.example\.net\.$"
answer "A, the smallest TTL" mail.example.com A ': found, 2 records, ttl 60,' \
    "^${t}192\.0\.2\.1$" "^${t}192\.0\.2\.2$"
answer "AAAA" mail.example.com AAAA "^${t}2001:db8::1$"
answer "TLSA as on the wire" _25._tcp.mail.example.com TLSA \
    "^${t}03010100112233445566778899aabbccddeeff0{2}112233"
answer "SOA, its numbers" example.com SOA \
    "^${t}00000001 *00000e10 *00000258 *00015180 *0000003c$"
answer "NS" example.com NS "^${t}ns\.invalid\.$"
answer "PTR" ptr.example.com PTR "^${t}mail\.example\.com\.$"
answer "TXT, its strings joined" txt.example.com TXT \
    "^${t}13 \"v=STSv1; id=1\"$"
answer "D8 null MX" null.example.com MX "^${t}0 \.$"
answer "an alias of an alias" alias.example.com A \
    ': found, 2 records, ttl 60, 2 aliases, owner mail\.example\.com\.'
answer "a CNAME that was asked for" alias.example.com CNAME \
    ': found, 1 records, ttl 300, 0 aliases' "^${t}alias2\.example\.com\.$"
answer "an alias of itself" self.example.com A ': malformed answer,'
answer "aliases of each other" ring1.example.com A ': malformed answer,'
answer "eight aliases" c8.example.com A ': found, 1 records, .* 8 aliases,'
answer "nine are too many" c9.example.com A ': malformed answer,'
answer "D5 NODATA, as long as the SOA says" mail.example.com MX \
    ': no such record, 0 records, ttl 60,'
answer "D5 NXDOMAIN" nosuch.example.com MX ': NXDOMAIN, 0 records, ttl 60,'
answer "dots in labels are escaped, both ways" 'a\.b.example.com' MX \
    "^${t}5 c\\\\\.d\.example\.com\.$"
is "what UDP does not carry comes by TCP" \
    "$(ask big.example.com TXT | grep -c 'abcdefg')" 100
