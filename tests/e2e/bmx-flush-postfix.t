#!/bin/sh
# A real primary: Postfix gets everything that waits, byte for byte, and the
# ledger and its log agree.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_postfix
need python3
postfix_make 'smtpd_recipient_restrictions = check_recipient_access
	inline:{ bad@example.com=REJECT, later@example.com=DEFER }'
make_conf '[example.com]' "primary = 127.0.0.1:$postfix_port" \
    'max-connections = 1'
python3 "$top_srcdir/tests/fake/kinds.py" "$tmp/kinds"
all=$(find "$tmp/kinds" -type f | wc -l | tr -d ' ')

# ---- every kind of message, while it is down, when it is back ----

for kind in "$tmp"/kinds/*; do
	put_file "$kind" to=bob@example.com to=carol@example.com
done
put null from= to=dave@example.com
exits "the primary is down: 75" 75 bmx-flush
is "all wait" "$(waiting)" $((all + 1))
postfix_start
exits "it is back: 0" 0 bmx-flush
is "nothing waits any more" "$(waiting)" 0
ok "Postfix delivers all" postfix_wait $((all + 1))

ok "in one session, by its own count" wait_for 20 grep -q \
    "disconnect from .* mail=$((all + 1)) rcpt=$((2 * all + 1)) bdat=$((all + 1)) " \
    "$postfix/log/mail.log"

# stored NAME: the message of that subject
stored()
{
	postfix_find "Subject: $1$(printf '\r')" | head -n 1
}

differ=
for kind in "$tmp"/kinds/* "$tmp/null.in"; do
	name=$(basename "$kind" .in)
	strip_received 1 "$(stored "$name")" | cmp - "$kind" >&2 ||
	    differ="$differ $name"
done
is "byte for byte" "$differ" ""
is "with the null sender" "$(cat "$(stored null).env")" \
    "from 
to dave@example.com"
is "with all recipients" "$(cat "$(stored dots).env")" \
    "from alice@example.org
to bob@example.com
to carol@example.com"

# ---- its replies ----

put mixed to=bob@example.com to=bad@example.com to=later@example.com
exits "D33: it takes one, refuses one, defers one: 75" 75 bmx-flush
is "each has its state" "$(states "$id")" "D F P"
put bad to=bad@example.com
exits "it refuses the only one: 69" 69 bmx-flush
is "that is held" "$(held)" 1
rm -f "$spool"/example.com/cur/*

# ---- it dies in the middle ----

rm -rf "$spool/ledger" "$postfix/mail"/*
put many n=500
start_bg flush bmx-flush
postfix_wait 20
crash postfix
ok "it dies, the run ends" wait_gone "$(pid_of flush)"
left=$(waiting)
diag "$left of 500 wait"
postfix_start
exits "it is back: 0" 0 bmx-flush --now
is "nothing waits" "$(waiting)" 0
postfix_wait 500
is "every message has its line in the ledger" \
    "$(cat "$spool"/ledger/* | grep -o ' id=[^ ]*' | sort -u | wc -l)" 500
sed -n 's/.*queued as \([^ ]*\).*/\1/p' "$spool"/ledger/* | sort -u >"$tmp/sent"
is "with Postfix's queue ID" "$(wc -l <"$tmp/sent")" 500
# shellcheck disable=SC2016 # for the inner shell
ok "which its log has as delivered" wait_for 60 sh -c '
	sed -n "s/.*: \([0-9A-Za-z]*\): to=.*status=sent.*/\1/p" "$0" | sort -u |
	    comm -23 "$1" - | wc -l | grep -qx 0' \
    "$postfix/log/mail.log" "$tmp/sent"

done_testing
