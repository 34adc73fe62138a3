#!/bin/sh
# A real primary that has a hard time: Postfix answers 421 in bursts, restarts
# twice and refuses some recipients, while one long run drains the spool. Every
# message is in its mailbox, once but where a reply was lost, and comes out even
# in its log (C9, C11, D33). DRAIN_N=20000 is the full size.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_postfix
need python3
total=${DRAIN_N:-1500}
refused=$((total / 100))
policy_port=$(free_port)
start_bg policy python3 "$top_srcdir/tests/fake/bursts.py" "$policy_port" 0.7 0.3
wait_up policy listening
keeper=$(id -u nobody)
postfix_make "smtpd_recipient_restrictions = check_recipient_access
	inline:{ bad@example.com=REJECT }
	check_policy_service inet:127.0.0.1:$policy_port" \
    'queue_run_delay = 3s' 'minimal_backoff_time = 3s' \
    "virtual_mailbox_base = $tmp/postfix" "virtual_uid_maps = static:$keeper" \
    "virtual_gid_maps = static:$keeper"
sed -i 's/^virtual_transport = .*/virtual_transport = virtual/
    s|^virtual_mailbox_maps =.*|virtual_mailbox_maps = static:mail/|' \
    "$postfix/etc/main.cf"
echo 'virtual unix - n n - - virtual' >>"$postfix/etc/master.cf"
make_conf '[example.com]' "primary = 127.0.0.1:$postfix_port" \
    'retry-min = 1' 'retry-max = 2'
"$mkmsg" "$spool" example.com n=$((total - refused)) size=2000 >"$tmp/good"
"$mkmsg" "$spool" example.com n="$refused" to=bad@example.com to=bob@example.com \
    >"$tmp/mixed"
postfix_start
start_bg flush bmx-flush --watch

# ledger_has N: so many lines.
# shellcheck disable=SC2016 # for the inner shell
ledger_wait()
{
	"$tap_await" true 900 sh -c \
	    'test "$(cat "$0"/spool/ledger/* | wc -l)" -ge "$1"' "$tmp" "$1" \
	    >/dev/null 2>&1
}

for restart in 1 2; do
	ledger_wait $((total * restart / 4))
	stop postfix
	postfix_start
	diag "restart $restart, at $(cat "$spool"/ledger/* | wc -l) of $total"
done
ok "the long run hands over $total messages" ledger_wait "$total"
# shellcheck disable=SC2016 # for the inner shell
ok "nothing but what was refused is left, and that is held" wait_for 60 sh -c '
	test "$(find "$0/new" "$0/cur" -type f ! -name "*F" | wc -l)" -eq 0' \
    "$spool/example.com"
ok "neither bursts nor restarts end the run, but for one each" \
    test "$(logged ' end=' | grep -vc 'end=done$')" -le 2
is "as many as were refused" "$(held)" "$refused"
stop flush
like "the run ends in an orderly way" "$(tail -n 1 "$tmp/bmx.log")" \
    'watching no longer'

# ---- the mailbox, the ledger ----

# shellcheck disable=SC2016 # for the inner shell
ok "Postfix delivers all: its queue is empty" wait_for 120 sh -c '
	test "$(find "$0/incoming" "$0/active" "$0/deferred" -type f -perm -u+x |
	    wc -l)" -eq 0' "$postfix/queue"
sort "$tmp/good" "$tmp/mixed" >"$tmp/all"
logged 'state=unknown' | sed 's/.* id=\([^ ]*\) .*/\1/' | sort -u >"$tmp/unknown"

# ID and queue ID, of what Postfix said that it took and of what it stored: a
# file of its queue that a restart made it deliver twice is there once.
sed -n 's/.* id=\([^ ]*\) .*what=delivered.* queued as \([^ ]*\)$/\1 \2/p' \
    "$spool"/ledger/* | sort >"$tmp/pairs"
# shellcheck disable=SC2016 # awk's own
find "$postfix/mail/new" -type f -exec awk '
	/^\tby primary.example.com / { queue_id = $NF }
	/^Received: by backup.example.net id / { print $NF, queue_id; nextfile }' \
    {} + | tr -d '\r' | sort -u >"$tmp/arrived"
cut -d ' ' -f 1 "$tmp/pairs" >"$tmp/handed-over"
same "the ledger has every message, once" "$tmp/all" "$tmp/handed-over"
is "what Postfix took is in the mailbox" \
    "$(comm -23 "$tmp/pairs" "$tmp/arrived" | head)" ""
is "what else came is what it had taken when its reply was lost" \
    "$(comm -13 "$tmp/pairs" "$tmp/arrived" | cut -d ' ' -f 1 |
	sort -u | comm -23 - "$tmp/unknown" | head)" ""

# ---- its log ----

bmx-queue reconcile "$postfix/log/mail.log" >"$tmp/findings"
status=$?
diag "$(tail -n 1 "$tmp/findings"); replies lost: $(wc -l <"$tmp/unknown");" \
    "came twice: $(comm -13 "$tmp/pairs" "$tmp/arrived" | wc -l);" \
    "bursts: $(logged 'a bad moment' | wc -l);" \
    "sessions: $(grep -c 'postfix/smtpd.*: connect from' "$postfix/log/mail.log")"
# Each restart takes Postfix's logger with it, and the last words of what was
# being delivered: the mailbox is what proves that it was.
like "the ledger reconciles, status $status" "$(tail -n 1 "$tmp/findings")" \
    "^total $total missing [0-9]+ unknown 0 bounced 0 waiting [0-9]+ doubled 0\$"
ok "each message was taken, by Postfix's log, but for the last words" \
    test "$(grep -c ^missing "$tmp/findings")" -le 20
ok "and delivered" test "$(grep -c ^waiting "$tmp/findings")" -le 20
like "there were bursts" "$(logged 'a bad moment')" '421 4.3.2'
echo 'relay postfix/qmgr[1]: 0123456789ABCDEF: removed' >"$tmp/other.log"
exits "against another log nothing does: 69" 69 \
    bmx-queue reconcile "$tmp/other.log"
is "and each message is named" "$(grep -c ^missing "$tmp/out")" "$total"
exits "since tomorrow there is nothing: 0" 0 bmx-queue reconcile \
    --since "$(date -u -d tomorrow +%Y-%m-%d)" "$tmp/other.log"
done_testing
