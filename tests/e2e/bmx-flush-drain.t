#!/bin/sh
# A real primary that has a hard time: Postfix answers 421 in bursts, restarts
# twice and refuses some recipients, while one long run drains the spool. Every
# message comes out even in its log (C9, C11, D33). DRAIN_N=20000 is the full
# size.
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
postfix_make "smtpd_recipient_restrictions = check_recipient_access
	inline:{ bad@example.com=REJECT }
	check_policy_service inet:127.0.0.1:$policy_port" \
    'queue_run_delay = 3s' 'minimal_backoff_time = 3s'
sed -i 's/^virtual_transport = .*/virtual_transport = discard:/' "$postfix/etc/main.cf"
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

# ---- the ledger, the log ----

sort "$tmp/good" "$tmp/mixed" >"$tmp/all"
sed -n 's/.* id=\([^ ]*\) .*what=delivered.*/\1/p' "$spool"/ledger/* | sort \
    >"$tmp/handed-over"
is "every message is in the ledger" \
    "$(sort -u "$tmp/handed-over" | comm -23 "$tmp/all" - | wc -l)" 0
# shellcheck disable=SC2016 # for the inner shell
ok "Postfix delivers all: its queue is empty" wait_for 120 sh -c '
	test "$(find "$0/incoming" "$0/active" "$0/deferred" -type f -perm -u+x |
	    wc -l)" -eq 0' "$postfix/queue"
bmx-queue reconcile "$postfix/log/mail.log" >"$tmp/findings"
status=$?
unknown=$(logged 'state=unknown' | wc -l)
diag "$(tail -n 1 "$tmp/findings"); replies lost: $unknown;" \
    "bursts: $(logged 'a bad moment' | wc -l);" \
    "sessions: $(grep -c 'postfix/smtpd.*: connect from' "$postfix/log/mail.log")"
# Each restart takes Postfix's logger with it, and the last words of what was
# being delivered.
like "the ledger reconciles, status $status" "$(tail -n 1 "$tmp/findings")" \
    "^total $(wc -l <"$tmp/handed-over" | tr -d ' ') missing [0-9]+ unknown 0 bounced 0 "
ok "each message was taken, by Postfix's log, but for the last words" \
    test "$(grep -c ^missing "$tmp/findings")" -le 20
ok "and delivered" test "$(grep -c ^waiting "$tmp/findings")" -le 20
ok "nothing came twice but what the restarts left in doubt" \
    test "$(grep -c ^doubled "$tmp/findings")" -le "$unknown"
like "there were bursts" "$(logged 'a bad moment')" '421 4.3.2'
echo 'relay postfix/qmgr[1]: 0123456789ABCDEF: removed' >"$tmp/other.log"
exits "against another log nothing does: 69" 69 \
    bmx-queue reconcile "$tmp/other.log"
is "and each message is named" "$(grep -c ^missing "$tmp/out")" \
    "$(wc -l <"$tmp/handed-over" | tr -d ' ')"
exits "since tomorrow there is nothing: 0" 0 bmx-queue reconcile \
    --since "$(date -u -d tomorrow +%Y-%m-%d)" "$tmp/other.log"
done_testing
