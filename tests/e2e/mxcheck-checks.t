#!/bin/sh
# bmx-mxcheck: each check finds its fault in a zone that has it, and only there.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_unbound

# Addresses that no registry lists; nobody talks to them.
nsd_zone test <<'E'
$TTL 3600
good MX 10 mx1
good MX 20 mx2
mx1 A 20.0.0.1
mx1 AAAA 2600::1
mx2 A 21.0.0.2
mx2 AAAA 2601::2
v6 MX 10 mx1
v6 MX 20 six
six AAAA 2602::6

bare TXT "neither MX nor address"
implicit A 20.0.0.9
implicit10 A 192.168.1.1
null MX 0 .
nullbeside MX 0 .
nullbeside MX 10 mx1
nullpref MX 10 .
one MX 10 mx1
oneset MX 10 mx1
oneset MX 20 twin
twin A 20.0.0.1
twin AAAA 2600::1
alias CNAME good
dangling CNAME gone
loop CNAME loop2
loop2 CNAME loop
c1 CNAME c2
c2 CNAME c3
c3 CNAME c4
c4 CNAME c5
c5 CNAME c6
c6 CNAME c7
c7 CNAME c8
c8 CNAME good
long CNAME c1

cname MX 10 mx1
cname MX 20 www
www CNAME mx2
cnamegone MX 10 mx1
cnamegone MX 20 old
old CNAME gone
cnameloop MX 10 mx1
cnameloop MX 20 loop
quad MX 10 mx1
quad MX 20 192.0.2.1.
digits MX 10 mx1
digits MX 20 mx.25.
underscore MX 10 mx1
underscore MX 20 mx_2
mx_2 A 20.0.0.3
hyphen MX 10 mx1
hyphen MX 20 mx3-
mx3- A 20.0.0.3
localhost MX 10 mx1
localhost MX 20 localhost.
noaddr MX 10 mx1
noaddr MX 20 bare
nohost MX 10 mx1
nohost MX 20 gone
nodot MX 10 mx1
nodot MX 20 mx1.nodot.test

private MX 10 mx1
private MX 20 lan
lan A 10.0.0.1
lan A 20.0.0.4
local6 MX 10 mx1
local6 MX 20 ula
ula AAAA fd00::1
dup MX 10 mx1
dup MX 20 half
half A 20.0.0.1
half A 20.0.0.5
twice MX 10 mx1
twice MX 20 mx2
twice MX 30 mx1
tie MX 10 mx1
tie MX 10 mx2

short 60 MX 10 mx1
short 60 MX 20 mx2
zero 0 MX 10 mx1
zero 0 MX 20 mx2
week 604800 MX 10 mx1
week 604800 MX 20 mx2
mixed 3600 MX 10 mx1
mixed 7200 MX 20 mx2
shortaddr MX 10 mx1
shortaddr MX 20 quick
quick 30 A 20.0.0.6
E
nsd_start
unbound_start

# check DOMAIN VERDICT IDS [OPTION...]: what the zone's own server gives.
check()
{
	check_domain=$1
	check_want="$1.test	$2	$3"
	shift 3
	is "$check_domain $*" "$(bmx-mxcheck --brief --quiet \
	    --resolver "$nsd" "$@" "$check_domain.test" 2>&1)" "$check_want"
}

# A domain without fault passes all checks, and so does its pair.
check good ok -
check good ok - --primary mx1.test --backup mx2.test
check v6 ok - --primary mx1.test --backup 2602::6
exits "no fault is exit 0" 0 bmx-mxcheck --resolver "$nsd" good.test

# The set.
check gone error MX-EXISTS
check bare error MX-EXISTS
check implicit warning MX-EXISTS,MX-IMPLICIT
check null info MX-NULL
check null error MX-NULL --backup mx2.test
check nullbeside error MX-NULL-MIXED,MX-ONE
check nullpref error MX-NULL-MIXED
check one warning MX-ONE
check oneset warning MX-ONE,MX-ADDR-DUP
check alias info MX-OWNER-ALIAS
check c1 info MX-OWNER-ALIAS
check dangling error MX-EXISTS,MX-OWNER-ALIAS

# Its hosts.
check cname error MX-TARGET-ALIAS
check cnamegone error MX-TARGET-ALIAS,MX-TARGET-NOADDR,MX-ONE
check quad error MX-TARGET-IP,MX-ONE
check digits error MX-TARGET-IP,MX-ONE
check underscore error MX-TARGET-NAME
check hyphen error MX-TARGET-NAME
check noaddr error MX-TARGET-NOADDR,MX-ONE
check nohost error MX-TARGET-NOADDR,MX-ONE
check nodot error MX-TARGET-NOADDR,MX-ONE
like "a forgotten dot is suspected" \
    "$(bmx-mxcheck --resolver "$nsd" nodot.test 2>&1)" \
    'mx1\.nodot\.test\.test: .*dot seems to be missing'
check private error MX-ADDR-SPECIAL
check local6 error MX-ADDR-SPECIAL
check implicit10 error MX-ADDR-SPECIAL,MX-EXISTS,MX-IMPLICIT
check dup warning MX-ADDR-DUP
check twice warning MX-NAME-DUP

# The pair.
check tie ok -
check tie error PREF-TIE,SELF-LISTED --backup mx2.test
check tie error PREF-TIE --primary mx1.test
check good error PREF-ORDER,SELF-LISTED --backup mx1.test
check good error SELF-LISTED --backup mx9.test
check good error PREF-ORDER --primary mx9.test --backup mx2.test
check good error PREF-ORDER,SELF-LISTED --primary 21.0.0.2 --backup 20.0.0.1

# TTLs, from the server that has them.
check short notice TTL-RANGE
check short ok - --ttl-min 60
check zero warning TTL-RANGE
check week notice TTL-RANGE
check week ok - --ttl-max 604800
check shortaddr notice TTL-RANGE
check mixed notice TTL-RRSET

# Chains that never end: the server gives them without an answer, the resolver
# gives SERVFAIL.
for server in "$nsd" "$unbound"; do
	out=$(bmx-mxcheck --brief --quiet --resolver "$server" \
	    loop.test long.test cnameloop.test 2>&1)
	like "a loop of aliases ($server)" "$out" \
	    '^loop\.test	error	MX-OWNER-ALIAS,\?MX-EXISTS'
	like "nine aliases in a row ($server)" "$out" \
	    '^long\.test	error	MX-OWNER-ALIAS,\?MX-EXISTS'
	like "a host that is a loop of aliases ($server)" "$out" \
	    '^cnameloop\.test	error	MX-TARGET-ALIAS,\?MX-TARGET-NOADDR'
done

is "the same verdicts through a resolver" "$(bmx-mxcheck --brief --quiet \
    --resolver "$unbound" good.test cname.test nohost.test alias.test 2>&1)" \
    "good.test	ok	-
cname.test	error	MX-TARGET-ALIAS
nohost.test	error	MX-TARGET-NOADDR,MX-ONE
alias.test	info	MX-OWNER-ALIAS"
is "localhost is no mail host" "$(bmx-mxcheck --brief --quiet \
    --resolver "$unbound" localhost.test 2>&1)" \
    "localhost.test	error	MX-TARGET-NAME,MX-ADDR-SPECIAL"
bmx-mxcheck --json --quiet --resolver "$unbound" short.test |
    grep -q '"untested":\[{"id":"TTL-RANGE"'
is "a short TTL out of a cache says nothing" $? 0
done_testing
