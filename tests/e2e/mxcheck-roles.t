#!/bin/sh
# bmx-mxcheck: who is the primary and who the backup, by bmx.conf.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_nsd
plan 23

nsd_zone test <<'E'
$TTL 3600
good MX 10 mx1
good MX 20 backup
tie MX 10 mx1
tie MX 10 backup
first MX 10 backup
first MX 20 mx1
unlisted MX 10 mx1
unlisted MX 20 mx2
alone MX 10 backup
noother MX 10 mx1
noother MX 20 other
byaddress MX 10 mx1
byaddress MX 20 other
here MX 10 mx1
here MX 20 thishost
none A 20.0.0.9
null MX 0 .
mx1 A 20.0.0.1
mx2 A 24.0.0.2
backup A 22.0.0.3
other A 23.0.0.4
thishost A 127.0.0.1
E
nsd_start
make_conf 'hostname = backup.test' "resolver = $nsd" \
    '[good.test]' '[tie.test]' '[first.test]' '[unlisted.test]' '[alone.test]' \
    '[here.test]' '[none.test]' '[null.test]' '[byaddress.test]'
sed -i '/backup.example.net/d' "$BMX_CONF"

# check DOMAIN VERDICT IDS [OPTION...]
check()
{
	check_domain=$1
	check_want="$1.test	$2	$3"
	shift 3
	is "$check_domain $*" \
	    "$(bmx-mxcheck --brief -q "$@" "$check_domain.test" 2>&1)" "$check_want"
}

is "the domains of bmx.conf" "$(bmx-mxcheck --brief -q | cut -f1 | tr '\n' ' ')" \
    "alone.test byaddress.test first.test good.test here.test none.test null.test tie.test unlisted.test "

check good ok -
check tie error PREF-TIE,SELF-LISTED
check first error PREF-ORDER,SELF-LISTED
check unlisted error SELF-LISTED
check alone error SELF-LISTED,MX-ONE
check none error SELF-LISTED,MX-EXISTS,MX-IMPLICIT
check null error MX-NULL
check first error PREF-ORDER,SELF-LISTED --primary mx1.test \
    --assume 'MX 30 mx2.test' # an error and an info, of one check
check noother ok - # not in bmx.conf: not ours
check here error MX-ADDR-SPECIAL # listed by an address of this host
check byaddress error SELF-LISTED
# ... until bmx.conf says that the address is ours too
sed -i 's/^\[bmx\]/[bmx]\nself = 23.0.0.4/' "$BMX_CONF"
check byaddress ok -

# The command line wins.
check unlisted ok - --backup mx2.test
check noother ok - --primary mx1.test --backup other.test
check good error PREF-ORDER --primary mx9.test
check good error SELF-LISTED --backup mx9.test

# A primary that bmx.conf names need not be an MX host, and none need be better.
sed -i 's/^\[alone.test\]/[alone.test]\nprimary = 192.0.2.25:2525/' "$BMX_CONF"
check alone warning MX-ONE
sed -i 's/^primary = 192.0.2.25:2525/primary = lmtp:192.0.2.25:2525/' "$BMX_CONF"
check alone warning MX-ONE

sed 's/^self = .*/self = 2001:db8:::1/' "$BMX_CONF" >"$tmp/slip.conf"
exits "an address with a slip is 78" 78 bmx-mxcheck -c "$tmp/slip.conf" good.test
like "and named" "$(cat "$tmp/err")" 'self: "2001:db8:::1" is no host name or address$'
exits "--check-config" 0 bmx-mxcheck --check-config
echo 'nonsense = 1' >>"$BMX_CONF"
exits "a broken bmx.conf is 78" 78 bmx-mxcheck good.test
