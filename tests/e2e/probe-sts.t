#!/bin/sh
# MTA-STS (D43) as bmx-probe sees it: a verdict goes by the policy that is kept,
# and waits for no web server; the policy is fetched behind it, for the next one.
# shellcheck source=tests/lib/hosts.sh source=tests/lib/tap.sh source=tests/lib/certs.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/hosts.sh"
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/https.sh"
need_unbound
web_hosts
cert web ca 'cn = web' 'dns_name = mta-sts.example.com' tls_www_server
cert other ca 'cn = mx1' 'dns_name = mx2.example.com' tls_www_server
nsd_zone example.com <<Z
@ MX 10 mx1
@ MX 40 backup.example.net.
mx1 A $mx1
mta-sts A $web
_mta-sts TXT "v=STSv1; id=one;"
Z
nsd_start
unbound_start
web_make web
primary_start -a "$mx1" --tls "$certs/other.chain" "$certs/other.key"
state=$tmp/state
kept=$state/mta-sts/example.com
mkdir "$state"
make_conf "resolver = $unbound" "state = $state" \
    '[example.com]' "tls-ca = $certs/ca.pem"

# result: of the last probe, and whether it took as long as it may
result()
{
	awk -F '\t' '{ print $4, $5, ($8 + 0 >= 3 ? "slow" : "fast") }' "$tmp/out"
}

# ---- the web server says nothing ----

exits "D43: the web server stalls: up" 0 timeout 20 bmx-probe --timeout 3 example.com
is "the verdict did not wait for it" "$(result)" "up ok fast"
is "it was asked" "$(fetches)" 1
like "for no longer than the probe may take" "$(cat "$tmp/bmx.log")" \
    'domain=example.com policy=sts result=sts-policy-fetch-error'
like "and is not asked again for five minutes" "$(cat "$kept")" '^id=- fetched=0 tried=[1-9]'
exits "the next probe: up" 0 timeout 20 bmx-probe --timeout 3 example.com
is "asks nobody" "$(fetches)" 1

# ---- it answers ----

rm -r "$state/mta-sts"
policy enforce mx1.example.com
exits "D43: nothing is kept: up" 0 timeout 20 bmx-probe example.com
like "behind the verdict the policy was fetched" "$(cat "$kept")" '^mode: enforce'
exits "D43: the next one" 0 timeout 20 bmx-probe example.com
is "goes by it: a bad result" "$(result)" "down tls-failed fast"
like "for the certificate" "$(cat "$tmp/out")" 'certificate-host-mismatch'
is "it was fetched once" "$(fetches)" 2

# ---- nothing to keep it in ----

rm -r "$state"
exits "no state directory: up" 0 timeout 20 bmx-probe example.com
is "the web server is not asked with every probe" "$(fetches)" 2
primary_check
done_testing
