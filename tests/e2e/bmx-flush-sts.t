#!/bin/sh
# MTA-STS (D43): a policy that a web server publishes, against the hosts that MX
# records name and what they show. The results are those of RFC 8460 (D45).
# The servers are on another host, with the ports that the RFCs know.
# shellcheck source=tests/lib/hosts.sh source=tests/lib/tap.sh source=tests/lib/certs.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/hosts.sh"
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/https.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_unbound
web_hosts

past='activation_date = "2020-01-01 00:00:00"'
over='expiration_date = "2020-02-01 00:00:00"'
cert web ca 'cn = web' 'dns_name = mta-sts.example.com' tls_www_server
cert web-other ca 'cn = web' 'dns_name = www.example.com' tls_www_server
cert web-old ca 'cn = web' 'dns_name = mta-sts.example.com' tls_www_server "$past" "$over"
cert web-self self 'cn = web' 'dns_name = mta-sts.example.com'
cert mx1 ca 'cn = mx1' 'dns_name = mx1.example.com' tls_www_server
cert mx1-other ca 'cn = mx1' 'dns_name = mx2.example.com' tls_www_server
cert mx1-old ca 'cn = mx1' 'dns_name = mx1.example.com' tls_www_server "$past" "$over"
cert mx1-self self 'cn = mx1' 'dns_name = mx1.example.com'

nsd_zone example.com <<E
@ MX 10 mx1
@ MX 40 backup.example.net.
mx1 A $mx1
mta-sts A $web
_mta-sts TXT "v=STSv1; id=one;"
E
zone=$tmp/zones/example.com
nsd_start
unbound_start

# ---- the domain's side ----

# says TXT...: these records of _mta-sts, from now on.
says()
{
	sed -i '/^_mta-sts/d' "$zone"
	for says_text; do
		echo "_mta-sts TXT \"$says_text\"" >>"$zone"
	done
	stop nsd
	start_bg nsd nsd -d -c "$tmp/nsd.conf"
	wait_port "$nsd_port" || bail "NSD does not start again"
	stop unbound
	start_bg unbound unbound -d -c "$tmp/unbound.conf"
	wait_port "$unbound_port" || bail "Unbound does not start again"
}

web_make web

# ---- ours ----

state=$tmp/state
mkdir "$state"

# conf [LINE...]
conf()
{
	make_conf "resolver = $unbound" "state = $state" \
	    '[example.com]' "tls-ca = $certs/ca.pem" "$@"
}

serve()
{
	primary_renew -a "$mx1" --tls "$certs/$1.chain" "$certs/$1.key"
}

# tried: the last event of a handshake.
tried()
{
	logged ' peer=.* policy=' | sed 's/.* policy=/policy=/; s/ reason=.*//' |
	    tail -n 1
}

# told: the last event about the policy itself.
told()
{
	logged ' domain=example.com policy=sts' | sed 's/.* result=//; s/ reason=.*//' |
	    tail -n 1
}

anew()
{
	rm -rf "$state/mta-sts" "$spool"/example.com/*/*,S=* "$tmp/web/log"
}

try()
{
	: >"$tmp/bmx.log"
	put m
}

# hands_over "test" EVENT
hands_over()
{
	try
	exits "$1: delivered" 0 bmx-flush --now
	is "with this event" "$(waiting) $(tried)" "0 policy=$2"
}

# keeps "test" EVENT
keeps()
{
	try
	exits "$1: not delivered" 75 bmx-flush --now
	is "waits, with this event" "$(waiting) $(held) $(tried)" "1 0 policy=$2"
	rm -f "$spool"/example.com/*/*,S=*
}

conf

# ---- mode enforce ----

policy enforce '*.example.com'
serve mx1
hands_over "D43: enforce, listed, a good certificate" 'sts result=ok'
is "D43: the policy was fetched once, from its well-known place" \
    "$(cat "$tmp/web/log")" 'mta-sts.example.com /.well-known/mta-sts.txt'
like "D43: the MX host's name is asked for (SNI)" "$(cat "$primary/log")" \
    'T: sni=mx1\.example\.com '
hands_over "the same again" 'sts result=ok'
is "D43: what is kept is used, not fetched again" "$(fetches)" 1

conf 'tls-name = other.example.com'
hands_over "D43: the name is that of the MX host, tls-name is for verify" 'sts result=ok'
conf
serve mx1-other
keeps "D43: enforce, another name" 'sts result=certificate-host-mismatch'
serve mx1-old
keeps "D43: enforce, expired" 'sts result=certificate-expired'
serve mx1-self
keeps "D43: enforce, self-signed" 'sts result=certificate-not-trusted'
primary_renew -a "$mx1"
keeps "D43: enforce, no STARTTLS" 'sts result=starttls-not-supported'
anew
policy enforce mx2.example.com '*.mx1.example.com' example.com
serve mx1
keeps "D43: enforce, not listed" 'sts result=validation-failure'
is "D43: not even a connection" "$(grep -ac . "$primary/log")" 0

# ---- the same in live relay, which asks no web server ----

live()
{
	: >"$tmp/bmx.log"
	rm -f "$spool/example.com/primary"
	conf 'admit = through'
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA \
	    'Subject: x' '' x . QUIT | bmx-receive >"$tmp/out"
	last_code "$tmp/out"
}
is "live, not listed: taken" "$(live)" '250 2.0.0'
is "into the spool" "$(waiting) $(tried)" "1 policy=sts result=validation-failure"
anew
is "live, nothing kept: taken" "$(live)" '250 2.0.0'
is "and handed over, without a fetch" "$(waiting) $(primary_count) $(fetches)" "0 1 0"
conf

# ---- D46: mail that does without it (RFC 8689 4.2.2) ----

printf 'TLS-Required: No\r\n\r\nx\r\n' >"$tmp/no.in"

# relaxes "test" EVENT: it is delivered, beside one that waits.
relaxes()
{
	try
	put_file "$tmp/no.in"
	exits "$1: delivered" 75 bmx-flush --now
	is "with this event, and the other one waits" \
	    "$(primary_count) $(waiting) $(tried)" "1 1 policy=no-policy-found result=$2"
	rm -f "$spool"/example.com/*/*,S=*
}

# insists "test" EVENT: it waits, too.
insists()
{
	try
	put_file "$tmp/no.in"
	exits "$1: not delivered" 75 bmx-flush --now
	is "waits, with this event" "$(primary_count) $(waiting) $(tried)" \
	    "0 2 policy=no-policy-found result=$2"
	rm -f "$spool"/example.com/*/*,S=*
}

anew
policy enforce mx2.example.com
serve mx1
relaxes "D46: not listed" ok
serve mx1
conf 'tls = verify'
relaxes "D46: not listed, where bmx.conf has it verified" ok
serve mx1-self
insists "D46: and that has to be" certificate-not-trusted
anew
policy enforce mx1.example.com
conf
serve mx1-self
relaxes "D46: self-signed" ok
primary_renew -a "$mx1"
relaxes "D46: no STARTTLS" starttls-not-supported
primary_renew -a "$mx1"
conf 'tls = encrypt'
insists "D46: where bmx.conf asks for TLS" starttls-not-supported
conf

# ---- modes testing and none ----

anew
policy testing mx1.example.com
serve mx1-other
hands_over "D43: testing, another name" 'sts result=certificate-host-mismatch'
cp "$state/mta-sts/example.com" "$tmp/testing"
anew
policy testing mx2.example.com
serve mx1
hands_over "D43: testing, not listed" 'sts result=ok'
is "which is told" "$(logged ' mx=mx1.example.com policy=sts' |
    sed 's/.* result=\([^ ]*\).*/\1/' | head -n 1)" validation-failure
anew
policy none
primary_renew -a "$mx1"
hands_over "D43: none" 'no-policy-found result=starttls-not-supported'

# ---- the policy cannot be had: as if there were none ----

# cannot "test" RESULT
cannot()
{
	hands_over "$1" 'no-policy-found result=starttls-not-supported'
	is "and told" "$(told)" "$2"
	last_told=$(logged ' domain=example.com policy=sts')
	anew
}

anew
policy enforce mx2.example.com
for status in '301 Moved' '302 Found' '404 Not Found' '500 Oops'; do
	answers "$status" text/plain <"$tmp/policy"
	hands_over "D43: HTTP $status" 'no-policy-found result=starttls-not-supported'
	is "and told, nothing followed" "$(told) $(fetches)" "sts-policy-fetch-error 1"
	anew
done
answers '200 OK' text/html <"$tmp/policy"
cannot "D43: not text/plain" sts-policy-fetch-error
answers '200 OK' 'Text/Plain; charset=utf-8' <"$tmp/policy"
keeps "D43: text/plain with parameters is" 'sts result=validation-failure'
anew
{
	cat "$tmp/policy"
	head -c 70000 /dev/zero | tr '\0' x | fold -w 60 | sed 's/^/x: /'
} | answers '200 OK' text/plain
cannot "D43: more than 64 KiB" sts-policy-fetch-error
{
	printf 'HTTP/1.1 200 OK\r\n'
	head -c 70000 /dev/zero | tr '\0' x | fold -w 60 | sed 's/^/X-Flood: /; s/$/\r/'
	printf '\r\n\r\n'
	cat "$tmp/policy"
} >"$tmp/web/answer"
cannot "D43: a head of more than 64 KiB" sts-policy-fetch-error
like "for that reason" "$last_told" 'a head of more than 65536 bytes'
echo 'version: STSv1' | answers '200 OK' text/plain
cannot "D43: not a policy" sts-policy-invalid
policy enforce mx2.example.com
for bad in web-other web-old web-self; do
	web_shows $bad
	cannot "D43: the web server's certificate: $bad" sts-webpki-invalid
done
web_shows web
stop web
cannot "D43: no web server" sts-policy-fetch-error
web_start

# ---- a failed fetch is not repeated at once ----

answers '404 Not Found' text/plain </dev/null
hands_over "D43: a fetch fails" 'no-policy-found result=starttls-not-supported'
hands_over "and the next run" 'no-policy-found result=starttls-not-supported'
is "D43: does not try again for five minutes" "$(fetches)" 1

# ---- what is kept ----

anew
policy enforce mx1.example.com
serve mx1
hands_over "a policy is kept" 'sts result=ok'
answers '404 Not Found' text/plain </dev/null
says 'v=STSv1; id=two;'
serve mx1-self
keeps "D43: it stays in force when a refresh fails" 'sts result=certificate-not-trusted'
is "D43: another id made it ask" "$(fetches) $(told)" "2 sts-policy-fetch-error"
says
keeps "D43: also without a record" 'sts result=certificate-not-trusted'
says 'v=STSv1; id=three;' 'v=STSv1; id=four;'
keeps "D43: and with two, which count as none" 'sts result=certificate-not-trusted'
is "that is told" "$(told)" sts-policy-invalid
says 'v=STSv1; id=no-id;'
keeps "D43: and with one that is damaged" 'sts result=certificate-not-trusted'
is "that is told, too" "$(told)" sts-policy-invalid
like "of which name" "$(logged ' domain=example.com policy=sts')" \
    'reason="_mta-sts.example.com: '
is "D43: nothing was fetched for them" "$(fetches)" 2
sed -i 's/fetched=[0-9]*/fetched=1000000000/' "$state/mta-sts/example.com"
hands_over "D43: older than max_age: over" 'no-policy-found result=ok'
says 'v=STSv1; id=five;'
policy enforce mx1.example.com
anew
keeps "it is fetched anew" 'sts result=certificate-not-trusted'
head -c 40 "$state/mta-sts/example.com" >"$tmp/torn"
cp "$tmp/torn" "$state/mta-sts/example.com"
cp "$tmp/torn" "$state/mta-sts/.example.com.4711.00c0ffee"
touch -d '2 hours ago' "$state/mta-sts/.example.com.4711.00c0ffee"
keeps "D43: a damaged file counts as none, and is made anew" \
    'sts result=certificate-not-trusted'
is "by one more fetch" "$(fetches)" 2
is "what a crash had left goes" "$(ls -A "$state/mta-sts")" example.com

# ---- a host that keeps nothing ----

anew
rm -r "$state"
serve mx1
hands_over "without a state directory: the policy counts" 'sts result=ok'
is "and is told not to be kept" "$(told)" not-kept
says
hands_over "and where there is no record there is nothing to tell" \
    'no-policy-found result=ok'
is "and nothing is told" "$(told)" ''

# ---- the library is for policies alone ----

mkdir "$tmp/alone" "$state"
cp "$BMX_TLS_MODULE" "$tmp/alone"
modules=$BMX_TLS_MODULE
BMX_TLS_MODULE=$tmp/alone/$(basename "$modules")
hands_over "without a record no libcurl is loaded" 'no-policy-found result=ok'
says 'v=STSv1; id=six;'
try
exits "with one it has to be there" 78 bmx-flush --now
like "or mail waits, and the log says for what" "$(waiting) $(cat "$tmp/bmx.log" "$tmp/err")" \
    'bmx-https\.so'
rm -f "$spool"/example.com/*/*,S=*
BMX_TLS_MODULE=$modules
conf
sed -i "s|^tls-ca = .*|tls-ca = $tmp/none.pem|" "$BMX_CONF"
try
exits "roots of ours that cannot be read are no judgment of theirs" 78 \
    bmx-flush --now
like "and named" "$(cat "$tmp/bmx.log" "$tmp/err")" "$tmp/none\.pem"
is "mail waits" "$(waiting)" 1
rm -f "$spool"/example.com/*/*,S=*
conf

# ---- a host without roots ----

make_conf "resolver = $unbound" "state = $state" '[example.com]'
rootless()
{
	unshare -m sh -c 'mount --bind /dev/null /etc/ssl/certs/ca-certificates.crt &&
	    exec bmx-flush --now'
}
if unshare -m test -f /etc/ssl/certs/ca-certificates.crt 2>/dev/null; then
	policy enforce mx1.example.com
	try
	exits "no roots: no policy can be had, delivered" 0 rootless
	is "and told" "$(waiting) $(told) $(tried)" \
	    "0 sts-webpki-invalid policy=no-policy-found result=ok"
	cp "$tmp/testing" "$state/mta-sts/example.com"
	try
	exits "no roots: testing is no reason to keep mail" 0 rootless
	is "and told, too" "$(waiting) $(tried)" \
	    "0 policy=sts result=validation-failure"
else
	skip "a host without roots" "the system has no ca-certificates.crt"
fi
conf

# ---- where it does not count ----

conf 'tls = none'
serve mx1-self
try
exits "tls = none: delivered" 0 bmx-flush --now
is "without TLS" "$(grep -c 'T: sni' "$primary/log")" 0
primary_check
done_testing
