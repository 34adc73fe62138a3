#!/bin/sh
# DNS fails, and the mail goes where it went before, for a while (C7); what DNS
# says for good makes mail undeliverable only where strict-routing wants it
# (D3, D5, D8).
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/sender.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_nsd
primary_make
sender_make
sender_start

# Names that the fake name server answers in these ways.
kinds="servfail refused silent"
for kind in $kinds gone; do
	echo "$kind A 127.0.0.1"
done >"$tmp/zone"
nsd_zone p.test <"$tmp/zone"
nsd_zone null-mx.test <<'E'
@ MX 0 .
E
nsd_zone we-are-best.test <<'E'
@ MX 10 backup.example.net.
E
nsd_zone parent.test <<'E'
E
nsd_zone not-listed.test <<'E'
@ MX 10 mail
mail A 192.0.2.25
E
nsd_start

# conf RESOLVER
conf()
{
	{
		for kind in $kinds gone; do
			printf '[%s.test]\nprimary = %s.p.test:%s\n' \
			    "$kind" "$kind" "$primary_port"
		done
		for domain in null-mx we-are-best gone.parent not-listed; do
			printf '[%s.test]\nstrict-routing = yes\non-5xx = bounce\n' \
			    "$domain"
		done
	} >"$tmp/domains"
	make_conf "resolver = $1" "notices = 127.0.0.1:$sender_port" \
	    "$(cat "$tmp/domains")"
}

# there DOMAIN: its messages
there()
{
	find "$spool/$1" -path '*/new/*' -o -path '*/cur/*' | wc -l | tr -d ' '
}

# ---- strict-routing ----

conf "$nsd"
primary_start

# undeliverable DOMAIN CODE "rule"
undeliverable()
{
	before=$(sender_count)
	"$mkmsg" "$spool" "$1" >"$tmp/id"
	"$mkmsg" "$spool" "$1" from= >"$tmp/id"
	exits "$3: strict-routing, $1: 0" 0 bmx-flush "$1"
	is "$1: the sender is told, the null reverse-path not" \
	    "$(($(sender_count) - before))" 1
	like "$1: of $2" "$(sender_notice "$(sender_count)")" "^Status: $2\$"
	is "$1: nothing waits" "$(there "$1")" 0
}

undeliverable null-mx.test 5.1.10 D8
undeliverable we-are-best.test 5.4.6 D3
undeliverable gone.parent.test 5.1.2 D5
"$mkmsg" "$spool" null-mx.test >"$tmp/id"
echo more >>"$(echo "$spool"/null-mx.test/new/*)"
exits "D8: strict-routing, and a damaged file" 75 bmx-flush null-mx.test
is "it is left as it is" "$(there null-mx.test)" 1
like "which is an alarm" "$(logged 'alarm=yes')" \
    "id=$(cat "$tmp/id") cannot be read: .* bytes"
"$mkmsg" "$spool" not-listed.test >"$tmp/id"
exits "D4: strict-routing, a primary that cannot be told: 75" 75 \
    bmx-flush not-listed.test
is "D4: its mail waits" "$(there not-listed.test)" 1

# ---- the last good address ----

for kind in $kinds gone; do
	"$mkmsg" "$spool" "$kind.test" >"$tmp/id"
done
bmx-flush servfail.test refused.test silent.test gone.test
is "with DNS all of it arrives" "$(primary_count)" 4

# sent DOMAIN "how DNS fails": all the same
sent()
{
	before=$(primary_count)
	"$mkmsg" "$spool" "$1" >"$tmp/id"
	exits "$2: the mail goes to the last good address: 0" 0 bmx-flush "$1"
	is "$2: it is there" "$(primary_count)" "$((before + 1))"
	like "$2: with an alarm" "$(logged "alarm=yes domain=$1 ")" \
	    'peer=127\.0\.0\.1:[0-9]* worked [0-9]*s ago, used instead$'
}

stop nsd
start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "$nsd_port"
ok "another name server" wait_port "$nsd_port"
for kind in $kinds; do
	sent "$kind.test" "DNS is $kind"
done

# waits DOMAIN "why"
waits()
{
	before=$(primary_count)
	"$mkmsg" "$spool" "$1" >"$tmp/id"
	exits "$2: 75" 75 bmx-flush "$1"
	is "$2: the mail waits" "$(primary_count) $(there "$1")" "$before 1"
	rm -f "$spool/$1/new/"*
}

sed -i 's/^good .*/good 2026-01-01T00:00:00Z/' "$spool/servfail.test/primary"
waits servfail.test "last-good-age is over"
sed -i 's/^host .*/host other.p.test/' "$spool/refused.test/primary"
waits refused.test "bmx.conf names another host now"
rm "$spool/refused.test/primary"
waits refused.test "no address ever worked"
echo damaged >"$spool/servfail.test/primary"
waits servfail.test "the state is damaged"
stop dns

# NXDOMAIN
grep -v gone "$tmp/zone" | nsd_zone p.test
nsd_start
conf "$nsd"
sent gone.test "the host does not exist any more"
primary_check
done_testing
