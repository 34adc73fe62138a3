#!/bin/sh
# Whatever DNS says, mail waits: C7, D4, D5, D8. And by MX it finds its way.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_unbound

nsd_zone not-listed.test <<'E'
@ MX 10 mail
mail A 192.0.2.25
E
nsd_zone we-are-best.test <<'E'
@ MX 10 backup.example.net.
@ MX 20 worse
worse A 192.0.2.26
E
nsd_zone null-mx.test <<'E'
@ MX 0 .
E
nsd_zone no-address.test <<'E'
@ MX 10 mail
@ MX 20 backup.example.net.
mail TXT "no address"
E
nsd_zone listed.test <<'E'
@ MX 10 mail
@ MX 20 backup.example.net.
@ MX 30 worse
mail A 192.0.2.25
worse A 192.0.2.26
E
nsd_zone parent.test <<'E'
E
nsd_start
unbound_start
make_conf "resolver = $unbound" '[not-listed.test]' '[we-are-best.test]' \
    '[null-mx.test]' '[no-address.test]' '[listed.test]' \
    '[gone.parent.test]' '[broken.test]'

# held_back DOMAIN CODE ALARM: it is not known where to send its mail
held_back()
{
	"$mkmsg" "$spool" "$1" >"$tmp/id"
	exits "$1: 75" 75 bmx-flush "$1"
	like "$1: the log says $2" "$(logged "domain=$1 ")" \
	    "$3domain=$1 waiting=1 status=$2 route: "
	is "$1: the mail is as it was" \
	    "$(find "$spool/$1/new" -type f | wc -l | tr -d ' ')" 1
	ok "$1: nothing was learnt about a primary" test ! -e "$spool/$1/primary"
}

held_back not-listed.test 4.4.6 'alarm=yes '
held_back we-are-best.test 4.4.6 'alarm=yes '
held_back null-mx.test 4.1.10 'alarm=yes '
held_back no-address.test 4.4.4 'alarm=yes '
held_back gone.parent.test 4.4.4 'alarm=yes '
held_back broken.test 4.4.3 ''

"$mkmsg" "$spool" listed.test >"$tmp/id"
exits "listed.test: --dry-run: 0" 0 bmx-flush --dry-run listed.test
is "the better MX is the route, not the worse" "$(grep '^route' "$tmp/out")" \
    "route listed.test 192.0.2.25:25 mail.listed.test"

done_testing
