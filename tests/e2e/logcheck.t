#!/bin/sh
# scripts/examples/logcheck matches every line that bmx logs when all is well,
# in both shapes that syslog daemons write, and none that asks for a person.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
rules=$top_srcdir/scripts/examples/logcheck
mkdir -m 700 "$tmp/state"
conf()
{
	make_conf "state = $tmp/state" 'min-free = 1M' '[example.com]' \
	    "primary = 127.0.0.1:$primary_port" 'tls = may' 'rise = 1' 'fall = 1' "$@"
}

# the log as rsyslog writes it now, and as it was written before
recent()
{
	sed 's/^\([^ ]*\)Z \(bmx-[a-z]*\[[0-9]*\]\): /\1+00:00 mx2 \2: /' "$1"
}
old()
{
	sed 's/^[^ ]* \(bmx-[a-z]*\[[0-9]*\]\): /Nov 24 03:11:14 mx2 \1: /' "$1"
}
# left FILE: lines that nobody expects
left()
{
	{ recent "$1"; old "$1"; } | grep -Evf "$rules"
}
# send RECIPIENT...
send()
{
	{
		say 'EHLO client.example.org' "MAIL FROM:<o'neil=x@example.org>"
		for to; do
			say "RCPT TO:<$to>"
		done
		say DATA 'Subject: x' '' 'hello' . QUIT
	} | bmx-receive >"$tmp/said" 2>&1
}

is "each rule is a regular expression of its own" \
    "$(grep -Ec '^\^.*\$$' "$rules") $(grep -Ecv '^\^.*\$$' "$rules")" \
    "$(wc -l <"$rules" | tr -d ' ') 0"

# ---- a day in the life ----

conf 'admit = through'
nobody='rcpt 550 5.1.1 no such user'
primary_start 'rcpt<bob@example.com> 250 2.1.5 OK' "$nobody"
bmx-probe --brief >/dev/null
send bob@example.com            # it is relayed live
send nobody@example.com         # it refuses that one
send other@example.org          # not ours
stop primary
bmx-probe --brief >/dev/null
cp "$tmp/bmx.log" "$tmp/before"
grep -v ' primary=down ' "$tmp/before" >"$tmp/regular"
send bob@example.com            # known: it is spooled
bmx-flush 2>/dev/null
id=$(bmx-queue list | cut -f 1)
bmx-queue hold --reason 'a look at it' "$id" >/dev/null
bmx-queue release "$id" >/dev/null
bmx-queue pause --reason 'new disk' example.com >/dev/null
bmx-flush 2>/dev/null
bmx-queue resume example.com >/dev/null
primary_start 'rcpt<bob@example.com>#1 450 4.2.1 mailbox busy' \
    'rcpt<bob@example.com> 250 2.1.5 OK' "$nobody"
bmx-probe --brief >/dev/null
bmx-flush --now 2>/dev/null     # it is deferred
bmx-flush --now 2>/dev/null
is "the mail went home" "$(bmx-queue count) $(primary_count)" "0 1"
sed 1,"$(wc -l <"$tmp/before")d" "$tmp/bmx.log" | grep -v ' primary=down ' >>"$tmp/regular"
ok "there is a log" test "$(wc -l <"$tmp/regular")" -gt 15
is "nothing that is regular is left" "$(left "$tmp/regular")" ''
is "a primary that goes down is left" "$(left "$tmp/bmx.log" | grep -c 'primary=down was=up')" 2

# ---- what a person has to see ----

stop primary
bmx-probe --brief >/dev/null
send bob@example.com
stop primary
primary_start 'rcpt 550 5.7.1 I do not know this host'
: >"$tmp/bmx.log"
bmx-probe --brief >/dev/null
bmx-flush --now 2>/dev/null
like "mail that is held is left" "$(left "$tmp/bmx.log")" ' held '
cat >"$tmp/bad" <<'E'
2026-11-24T03:11:14.000000Z bmx-flush[1]: alarm=1 id=x held: no primary
2026-11-24T03:11:14.000000Z bmx-receive[1]: a line nobody knows
2026-11-24T03:11:14.000000Z bmx-probe[1]: domain=example.com on-change=failed reason="x: status 1"
2026-11-24T03:11:14.000000Z bmx-probe[1]: domain=example.com primary=down was=up address=- reason="no connection"
2026-11-24T03:11:14.000000Z bmx-probe[1]: domain=example.com primary, line 1: damaged: begun anew
2026-11-24T03:11:14.000000Z other[1]: peer=192.0.2.1:1 name=unknown connected
E
is "so is all that is amiss or strange" "$(left "$tmp/bad" | wc -l | tr -d ' ')" 12
done_testing
