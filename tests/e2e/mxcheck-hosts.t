#!/bin/sh
# bmx-mxcheck --smtp as a guest: one session for each address, never two at
# once, never DATA, nobody else's hosts; and hosts that are no good hosts:
# always a record with a reason, in time. What was heard can be judged again.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh source=tests/lib/certs.sh
# shellcheck source=tests/lib/mailhosts.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/mailhosts.sh"
need_nsd
need python3 certtool openssl

certs_make
cert good ca 'cn = "mx"' 'dns_name = "*.hosts.test"' tls_www_server
ways='silent flood junk http hangup drip'
{
	cat <<-E
		127.0.3.1 name=good.hosts.test tls=good
		127.0.3.2 name=two.hosts.test tls=good
		127.0.3.3 vrfy=421_4.3.2_bye
		127.0.3.4 tls=good starttls=junk
	E
	n=10
	for way in $ways; do
		n=$((n + 1))
		echo "127.0.3.$n way=$way"
	done
} >"$tmp/hosts"
mailhosts_start <"$tmp/hosts"
{
	cat <<-'E'
		good A 127.0.3.1
		alias-of-good A 127.0.3.1
		two A 127.0.3.2
		deaf A 127.0.3.3
		broken A 127.0.3.4
		zero A 0.0.0.0
		zero AAAA ::
		nowhere MX 10 zero
		pair MX 10 good
		pair MX 20 two
		twice MX 10 good
		twice MX 20 alias-of-good
		d.deaf MX 10 deaf
		d.broken MX 10 broken
	E
	n=10
	for way in $ways; do
		n=$((n + 1))
		echo "$way A 127.0.3.$n"
		echo "d.$way MX 10 $way"
	done
	awk 'BEGIN {
		for (i = 0; i < 40; i++)
			print "many" i " MX 10 good\nmany" i " MX 20 two"
		for (i = 0; i < 1100; i++)
			print "h" i " A 127.4." int(i / 250) "." (i % 250 + 1) "\nd.h" i " MX 10 h" i
	}'
} >"$tmp/zone"
nsd_zone hosts.test <"$tmp/zone"
nsd_start

mxcheck()
{
	timeout 60 bmx-mxcheck -q --resolver "$nsd" --smtp-port "$mail_port" \
	    --smtp-timeout "${wait:-20}" --helo probe.example \
	    --ca-file "$certs/ca.pem" --cert-days 1 "$@"
}

# ---- a polite guest ----

# seen ADDRESS: how many connections it had.
seen()
{
	grep -c "^$1 connect" "$visits"
}
forget_visits()
{
	cat "$visits" >>"$tmp/all-visits"
	: >"$visits"
}
mxcheck --smtp --primary good.hosts.test pair.hosts.test >"$tmp/out" 2>&1
like "a pair is audited" "$(cat "$tmp/out")" '^pair\.hosts\.test: '
is "one connection to the primary" "$(seen 127.0.3.1)" 1
is "one to the backup" "$(seen 127.0.3.2)" 1
is "and none to anybody else" "$(cut -d ' ' -f 1 "$visits" | sort -u | tr '\n' ' ')" \
    "127.0.3.1 127.0.3.2 "
forget_visits
mxcheck --smtp --all pair.hosts.test >/dev/null 2>&1
is "--all: two more, one after the other" "$(seen 127.0.3.1)" 3
forget_visits
mxcheck --smtp twice.hosts.test >/dev/null 2>&1
is "two names of one host: two sessions, one after the other" \
    "$(seen 127.0.3.1)" 2
i=0
while [ $i -lt 40 ]; do
	echo "many$i.hosts.test"
	i=$((i + 1))
done >"$tmp/list"
forget_visits
mxcheck --smtp --brief -f "$tmp/list" >"$tmp/out" 2>&1
is "40 domains, 40 records, in order" "$(cut -f 1 "$tmp/out")" "$(cat "$tmp/list")"
like "share the sessions with their host, one at a time" "$(seen 127.0.3.1)" \
    '^[3-9]$'
is "and the same is found of each" "$(cut -f 2- "$tmp/out" | sort -u | wc -l)" 1
forget_visits
mxcheck --only CERT,BANNER --brief -f "$tmp/list" >"$tmp/out" 2>&1
is "where no recipient is asked for, one session does for all" \
    "$(seen 127.0.3.1)" 1
mxcheck --only CERT,BANNER --brief -j 1 -f "$tmp/list" >"$tmp/again" 2>&1
is "nor is more than one for those that come later" "$(seen 127.0.3.1)" 2
same "who are judged the same" "$tmp/again" "$tmp/out"
forget_visits
{
	echo many0.hosts.test
	awk 'BEGIN { for (i = 0; i < 1100; i++) print "d.h" i ".hosts.test" }'
	echo many1.hosts.test
} >"$tmp/list"
mxcheck --only BANNER,TCP-25 --brief -f "$tmp/list" >"$tmp/out" 2>&1
is "1102 domains, as many records" "$(wc -l <"$tmp/out")" 1102
is "of 1100 hosts each is found dead" "$(cut -f 2,3 "$tmp/out" | grep -c 'error	TCP-25')" 1100
is "the host that was not needed for so long was forgotten" "$(seen 127.0.3.1)" 2
forget_visits
is "nothing that a guest must not say was said" \
    "$(grep forbidden "$tmp/all-visits")" ""
is "and never were there two connections to an address at once" \
    "$(grep overlap "$tmp/all-visits")" ""
out=$(timeout 60 bmx-mxcheck -q --resolver "$nsd" --helo probe.example \
    --only TCP-25 pair.hosts.test)
like "port 25 of a loopback address is our own" "$out" \
    'unknown +good\.hosts\.test: not tried: a loopback address'

is "nor does 0.0.0.0 or :: lead there" "$(timeout 60 bmx-mxcheck -q --json \
    --resolver "$nsd" --helo probe.example --only TCP-25 nowhere.hosts.test |
    grep -o 'not tried: a loopback address' | wc -l)" 2

# hello: our name, as a host hears it, or why there is none.
hello()
{
	: >"$visits"
	bmx-mxcheck -q --resolver "$nsd" --smtp-port "$mail_port" --only BANNER \
	    d.deaf.hosts.test 2>&1
	sed -n 's/^127.0.3.3 hello //p' "$visits"
}
make_conf "resolver = $nsd"
like "the name in EHLO is that of bmx.conf" "$(hello)" '^backup\.example\.net$'
unset BMX_CONF
us=$(uname -n)
case $us in
*.*) is "without one the system's" "$(hello)" "$(printf '%s' "$us" | awk '{ print tolower($0) }')" ;;
*) like "without one the system's" "$(hello)" "^bmx-mxcheck: $us is not a full name" ;;
esac
exits "EHLO wants a full name" 2 bmx-mxcheck --resolver "$nsd" --smtp \
    --helo short pair.hosts.test

# ---- hosts that are none ----

wait=2
for way in $ways deaf broken; do
	began=$(date +%s)
	mxcheck --smtp --all --record "$tmp/facts" "d.$way.hosts.test" \
	    >"$tmp/out" 2>"$tmp/err"
	case $? in
	0 | 1 | 3) pass "$way: a verdict" ;;
	*) fail "$way: a verdict" "$(cat "$tmp/err")" ;;
	esac
	ok "$way: in time" test $(($(date +%s) - began)) -le 15
	like "$way: a record with a reason" "$(cat "$tmp/out")" \
	    "^  (error|warning|unknown) .* \[127\.0\.3\.[0-9]+\]\$"
	unlike "$way: nothing of it reaches the terminal" "$(cat -v "$tmp/out")" \
	    '\^\[|M-'
	bmx-mxcheck -q --replay "$tmp/facts" >"$tmp/again" 2>&1
	like "$way: can be replayed" "$(head -n 1 "$tmp/again")" "^d\\.$way\\.hosts\\.test: "
done
wait=20

# ---- heard once, judged again ----

mxcheck --smtp --all --json --record "$tmp/facts" --primary good.hosts.test \
    pair.hosts.test d.deaf.hosts.test >"$tmp/first"
forget_visits
bmx-mxcheck -q --smtp --all --json --cert-days 1 --primary good.hosts.test \
    --replay "$tmp/facts" >"$tmp/second"
no_time='s/"time":"[^"]*","line":[^,]*,//'
sed "$no_time" "$tmp/first" >"$tmp/first.same"
sed "$no_time" "$tmp/second" >"$tmp/second.same"
same "the same facts, the same judgement" "$tmp/first.same" "$tmp/second.same"
is "and nobody is visited" "$(cat "$visits")" ""
like "other limits, another judgement" "$(bmx-mxcheck -q --brief --only CERT \
    --cert-days 30 --replay "$tmp/facts" | head -n 1)" \
    '^pair\.hosts\.test	warning	CERT$'
sed 's/"step":6/"step":7/' "$tmp/facts" >"$tmp/forged"
exits "a step there is not is refused" 65 bmx-mxcheck --replay "$tmp/forged"
sed 's/"connect_ms"/"connect_msec"/' "$tmp/facts" >"$tmp/forged"
exits "so is a key there is not" 65 bmx-mxcheck --replay "$tmp/forged"
done_testing
