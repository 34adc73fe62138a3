#!/bin/sh
# bmx-mxcheck and MTA-STS as it is published: the policy comes over HTTPS, the
# mail hosts are at port 25, and both are on another host.
# shellcheck source=tests/lib/hosts.sh source=tests/lib/tap.sh source=tests/lib/certs.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/mailhosts.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/hosts.sh"
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/mailhosts.sh"
need_unbound
need python3
web=198.51.100.2
mx1=198.51.100.3
mx2=198.51.100.4
hosts_start $web $mx1 $mx2
certs_make
cert web ca 'cn = web' 'dns_name = "mta-sts.example.com"' tls_www_server
cert web-other ca 'cn = web' 'dns_name = "www.example.com"' tls_www_server
cert mx ca 'cn = mx' 'dns_name = "mx1.example.com"' 'dns_name = "mx2.example.com"' \
    tls_www_server
nsd_zone example.com <<E
@ MX 10 mx1
@ MX 20 mx2
mx1 A $mx1
mx2 A $mx2
mta-sts A $web
_mta-sts TXT "v=STSv1; id=one;"
none MX 10 mx1
E
nsd_start
unbound_start
# shellcheck disable=SC2034,SC2154 # for mailhosts.sh, from hosts.sh
{
	mail_port=25
	mail_where=$there
}
mailhosts_start <<E
$mx1 name=mx1.example.com tls=mx
$mx2 name=mx2.example.com
E
mkdir "$tmp/web"
web_shows()
{
	cp "$certs/$1.chain" "$tmp/web/chain"
	cp "$certs/$1.key" "$tmp/web/key"
}
# publish STATUS TYPE: what stdin has is the answer of the web server.
publish()
{
	cat >"$tmp/body"
	{
		printf 'HTTP/1.1 %s\r\nContent-Type: %s\r\n' "$1" "$2"
		printf 'Content-Length: %d\r\nConnection: close\r\n\r\n' \
		    "$(wc -c <"$tmp/body")"
		cat "$tmp/body"
	} >"$tmp/web/answer"
}
policy()
{
	printf 'version: STSv1\nmode: %s\nmax_age: 604800\n' "$1"
	shift
	printf 'mx: %s.example.com\n' "$@"
}
web_shows web
# shellcheck disable=SC2154,SC2086 # a list of words, from hosts.sh
start_bg web $there python3 "$top_srcdir/tests/fake/https.py" "$web" 443 "$tmp/web"
wait_up web

sts=STS-TXT,STS-POLICY,STS-COVERS,STS-STALE,STS-CERT
mxcheck()
{
	timeout 60 bmx-mxcheck -q --resolver "$unbound" --ca-file "$certs/ca.pem" \
	    --helo probe.example.net --smtp-timeout 10 "$@" 2>&1
}
check()
{
	is "$1" "$(mxcheck --brief --only $sts example.com)" "example.com	$2"
}

is "no record, no policy, nobody is asked" \
    "$(mxcheck --brief --only $sts none.example.com; cat "$tmp/web/log" 2>/dev/null)" \
    "none.example.com	ok	-"
policy enforce mx1 | publish '200 OK' text/plain
check "D44: the backup is not in the policy" "error	STS-COVERS"
like "that is told of the backup" "$(mxcheck --only $sts example.com)" \
    'STS-COVERS +mx2\.example\.com: the policy does not name it: senders with MTA-STS do not deliver'
policy enforce mx1 mx2 | publish '200 OK' text/plain
check "D44: it is, and has no TLS" "error	STS-CERT"
policy testing mx1 mx2 | publish '200 OK' text/plain
check "in mode testing that is a warning" "warning	STS-CERT"
policy none mx1 | publish '200 OK' text/plain
check "in mode none nothing" "ok	-"
policy enforce mx1 mx2 mx3 | publish '200 OK' text/plain
check "a host that is no more" "error	STS-CERT,STS-STALE"
policy enforce mx1 | publish '404 Not Found' text/plain
out=$(mxcheck --brief --only STS-POLICY example.com)
like "no policy behind the record" "$out" '	warning	STS-POLICY'
echo '<html>' | publish '200 OK' text/html
like "something that is no policy" \
    "$(mxcheck --brief --only STS-POLICY example.com)" '	warning	STS-POLICY'
policy enforce mx1 mx2 | publish '200 OK' text/plain
web_shows web-other
like "a web server of another name" \
    "$(mxcheck --brief --only STS-POLICY example.com)" '	warning	STS-POLICY'
web_shows web

# The whole audit, at the ports that the RFCs know.
policy enforce mx1 | publish '200 OK' text/plain
out=$(mxcheck --smtp --all --json --primary mx1.example.com \
    --without mx1.example.com example.com | python3 -c 'import json, sys
r = json.loads(sys.stdin.readline())
print(sorted({f["id"] for f in r["findings"] if f["subject"].startswith("mx2")
              and f["id"] in ("STARTTLS", "TLS-PARITY", "STS-COVERS", "CERT")}),
      [(c["class"], c["fate"]) for c in r["senders"]["classes"]])')
is "the backup's faults, and who would lose it" "$out" \
    "['STARTTLS', 'STS-COVERS', 'TLS-PARITY'] [('plain', 'arrives'), ('DANE', 'arrives'), ('MTA-STS', 'waits')]"
is "no address was visited twice at once" \
    "$(grep -c overlap "$visits")" 0
done_testing
