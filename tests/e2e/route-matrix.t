#!/bin/sh
# Who is the primary? Every kind of MX set, asked of a real name server (D1-D8).
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_nsd
routedump=$top_builddir/tests/lib/routedump
plan 50

# An address of an interface that is not loopback, where there is one.
interface=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -F . | head -n 1)

{
	cat <<'E'
p A 198.51.100.1
q A 198.51.100.2
x A 198.51.100.3
us A 198.51.100.9
alias-of-us A 198.51.100.9
v6-of-us AAAA 2001:db8::9
nat A 203.0.113.9
both A 198.51.100.4
both AAAA 2001:db8::4
two A 198.51.100.5
two A 198.51.100.6
loop A 127.0.0.1
loop6 AAAA ::1
any A 0.0.0.0
noaddr TXT "no address"
cname CNAME p
broken CNAME broken

order MX 30 x
order MX 10 p
order MX 20 q
order MX 40 us
tie MX 10 p
tie MX 10 q
tie MX 20 us
number MX 9 p
number MX 100 us
psx MX 10 p
psx MX 20 us
psx MX 30 x
psq MX 10 p
psq MX 20 us
psq MX 20 q
anyorder MX 30 x
anyorder MX 20 us
anyorder MX 10 p
qsp MX 20 q
qsp MX 20 us
qsp MX 10 p
sfirst MX 10 us
sfirst MX 20 p
stie MX 10 us
stie MX 10 p
aliased MX 10 p
aliased MX 20 alias-of-us
aliased MX 30 x
six MX 10 p
six MX 20 v6-of-us
six MX 30 x
behind MX 10 p
behind MX 20 nat
behind MX 30 x
local MX 10 p
local MX 20 loop
local MX 30 x
local6 MX 10 p
local6 MX 20 loop6
local6 MX 30 x
zero MX 10 p
zero MX 20 any
zero MX 30 x
iface MX 10 p
iface MX 20 iface-of-us
iface MX 30 x
unlisted MX 10 p
unlisted MX 20 q
noaddress MX 10 noaddr
noaddress MX 20 us
gone MX 10 nosuch
gone MX 20 us
trouble MX 10 broken
trouble MX 20 us
half MX 10 broken
half MX 10 q
half MX 20 us
maybe MX 10 p
maybe MX 20 broken
implicit A 198.51.100.7
implicit-us A 198.51.100.9
implicit-cname CNAME implicit-us
next MX 10 noaddr
next MX 15 q
next MX 20 us
target-cname MX 10 cname
target-cname MX 20 us
literal MX 10 198.51.100.1.
literal MX 20 us
domain-alias CNAME psx
null MX 0 .
null-low MX 10 .
null-mixed MX 0 .
null-mixed MX 10 p
null-mixed MX 20 us
families MX 10 both
families MX 20 us
all MX 10 two
all MX 15 q
all MX 20 us
E
	echo "iface-of-us A ${interface:-127.0.0.1}"
} | nsd_zone example.test
nsd_start

# found "test" DOMAIN STATUS "HOST=ADDRESS ..." [SELF [PRIMARY...]]
found()
{
	what=$1
	want="$3 $4"
	self=${5-}
	domain=$2
	shift 4
	[ $# -eq 0 ] || shift
	got=$("$routedump" "$nsd" us.example.test "$self" "$domain" "$@" \
	    2>&1 | awk '
		NR == 1 { printf "%s ", $1; next }
		{
			sub(/\.example\.test$/, "", $2)
			printf "%s%s=%s", (NR > 2 ? " " : ""), $2, $3
		}')
	is "$what" "$got" "$want"
}

d=example.test
found "D1 better preferences come first" order.$d OK \
    "p=198.51.100.1:25 q=198.51.100.2:25 x=198.51.100.3:25"
"$routedump" -n 200 "$nsd" us.$d "" tie.$d >"$tmp/orders"
is "D1 every time both hosts of equal preference" \
    "$(sort -u "$tmp/orders")" "198.51.100.1 198.51.100.2
198.51.100.2 198.51.100.1"
# one of 200 fair draws below 50: about one in 10^13
like "D1 and each order about as often" \
    "$(grep -c '^198.51.100.1 ' "$tmp/orders")" '^([5-9][0-9]|1[0-4][0-9])$'
found "D1 preferences are numbers" number.$d OK "p=198.51.100.1:25"

found "D2 10 primary, 20 self, 30 other: only the primary" psx.$d OK \
    "p=198.51.100.1:25"
found "D2 10 primary, 20 self, 20 other: only the primary" psq.$d OK \
    "p=198.51.100.1:25"
found "D2 the same in another order" anyorder.$d OK "p=198.51.100.1:25"
found "D2 self after its equal" qsp.$d OK "p=198.51.100.1:25"
found "D2 self by a name of bmx.conf" aliased.$d OK "p=198.51.100.1:25" \
    "Alias-of-Us.$d."
found "D2 self by an IPv4 address of bmx.conf" aliased.$d OK \
    "p=198.51.100.1:25" 198.51.100.9
found "D2 self by an IPv6 address of bmx.conf" six.$d OK \
    "p=198.51.100.1:25" 2001:db8::9
found "D2 self behind NAT" behind.$d OK "p=198.51.100.1:25" \
    "192.0.2.77 203.0.113.9"
found "D2 self by loopback" local.$d OK "p=198.51.100.1:25"
found "D2 self by IPv6 loopback" local6.$d OK "p=198.51.100.1:25"
found "D2 self by 0.0.0.0" zero.$d OK "p=198.51.100.1:25"
if [ -n "$interface" ]; then
	found "D2 self by the address of an interface" iface.$d OK \
	    "p=198.51.100.1:25"
else
	skip "D2 self by the address of an interface" "only loopback here"
fi

found "D3 10 self: nobody" sfirst.$d WE_ARE_BEST ""
found "D3 self and primary are equal: nobody" stie.$d WE_ARE_BEST ""
found "D3 a better MX without address" noaddress.$d NO_ADDRESS ""
found "D3 a better MX that does not exist" gone.$d NO_ADDRESS ""
found "D3 a better MX whose address cannot be found out" trouble.$d \
    DNS_TROUBLE ""
found "D3 one of two cannot be found out: the other" half.$d OK \
    "q=198.51.100.2:25"

found "D4 self is not listed" unlisted.$d NOT_LISTED ""
found "D4 unless somebody set a primary" unlisted.$d OK \
    "x=198.51.100.3:25" "" x.$d
found "D4 nobody knows whether self is listed" maybe.$d DNS_TROUBLE ""

found "D5 no MX: the domain itself, which is not self" implicit.$d \
    NOT_LISTED ""
found "D5 no MX: the domain itself, which is self" implicit-us.$d \
    WE_ARE_BEST "" 198.51.100.9
found "D5 no MX: the domain itself, which is self by name" us.$d \
    WE_ARE_BEST ""
found "D5 the same through an alias" implicit-cname.$d WE_ARE_BEST "" \
    198.51.100.9
found "D5 MX without use: not the domain itself" noaddress.$d NO_ADDRESS ""
found "D5 NXDOMAIN" nosuch.$d NO_DOMAIN ""
found "D5 no zone: nobody knows" elsewhere.invalid DNS_TROUBLE ""

found "D6 an MX that is an alias is taken" target-cname.$d OK \
    "cname=198.51.100.1:25"
found "D6 an MX without address: the next one" next.$d OK "q=198.51.100.2:25"
found "D6 an MX that is an address is none" literal.$d NO_ADDRESS ""
found "D6 a domain that is an alias is followed" domain-alias.$d OK \
    "p=198.51.100.1:25"

found "D8 null MX" null.$d NULL_MX ""
found "D8 the root with another preference is no null MX" null-low.$d \
    NOT_LISTED ""
found "D8 nor is the root beside others" null-mixed.$d OK "p=198.51.100.1:25"

exits "a primary whose port is none is a mistake in bmx.conf" 78 \
    "$routedump" "$nsd" us.$d "" order.$d p.$d:0
like "which is named" "$(cat "$tmp/err")" "primary \"p\.$d:0\" is no HOST:PORT"

out=$("$routedump" "$nsd" us.$d "" all.$d | sed '1d; s/.* //' | sort |
    tr '\n' ' ')
is "D7 all addresses of all better hosts" "$out" \
    "198.51.100.2:25 198.51.100.5:25 198.51.100.6:25 "
like "D7 those of the better host first" \
    "$("$routedump" "$nsd" us.$d "" all.$d | sed -n '$p')" '198.51.100.2:25$'
out=$("$routedump" "$nsd" us.$d "" families.$d | sed '1d; s/.* //' | sort |
    tr '\n' ' ')
is "D7 both families of a host" "$out" "198.51.100.4:25 [2001:db8::4]:25 "

found "a set primary: hosts and addresses, with and without port, in order" \
    unlisted.$d OK "x=198.51.100.3:2525 198.51.100.8:26=198.51.100.8:26\
 2001:db8::8=[2001:db8::8]:25 p=198.51.100.1:25" "" \
    x.$d:2525 198.51.100.8:26 2001:db8::8 p.$d
found "a set primary that is this host is left out" unlisted.$d OK \
    "p=198.51.100.1:25 127.0.0.1:2525=127.0.0.1:2525" 198.51.100.9 \
    us.$d 198.51.100.9 127.0.0.1 '[::1]:25' p.$d 127.0.0.1:2525
found "a final dot is fine" unlisted.$d OK \
    "p=198.51.100.1:25 q=198.51.100.2:26" "" p.$d. q.$d.:26
found "by its name" unlisted.$d OK "p=198.51.100.1:25" "" \
    us.$d. US.$d:25 p.$d
found "by its name, unless with another port" unlisted.$d OK \
    "us=198.51.100.9:2525" "" us.$d:2525
found "nothing is left of it" unlisted.$d WE_ARE_BEST "" "" loop.$d
