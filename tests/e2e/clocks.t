#!/bin/sh
# D50: clocks that jump, and a primary for which time stands still. A verdict from
# another time binds nobody; a primary that is frozen holds nothing up for longer
# than its time-outs, and what was left for it arrives when it goes on.
# disk-full.t and bmx-flush-lifetime.t have what becomes of mail when clocks jump.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
mkdir -m 700 "$tmp/state"
make_conf 'min-free = 0' "state = $tmp/state" '[example.com]' \
    "primary = 127.0.0.1:$primary_port" 'tls = none' 'admit = through' \
    'unknown = accept' 'rise = 1' 'fall = 1' 'connect-timeout = 1s' \
    'reply-timeout = 3s'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA text . \
    QUIT >"$tmp/in"

# sent: one message; the last code, at the primary, in the spool
sent()
{
	"$@" timeout 60 bmx-receive <"$tmp/in" >"$tmp/out" 2>&1
	echo "$(last_code "$tmp/out") $(primary_count) $(queued example.com | wc -l)"
}

# ---- a primary that is frozen ----

primary_start
freeze primary
exits 'frozen: bmx-probe says so in time' 69 timeout 60 bmx-probe
like 'frozen: down' "$(cat "$tmp/out")" 'example.com	down	'
empty_spool # and what the probe found
is 'frozen: live relay leaves it to the spool' "$(sent env)" '250 2.0.0 0 1'
exits 'frozen: bmx-flush gives up in time' 75 timeout 60 bmx-flush --now
is 'frozen: the mail waits' "$(waiting) $(held)" '1 0'
thaw primary
wait_for 20 sh -c '! bmx-flush --now || exit 0; exit 1'
is 'it goes on: the mail does not wait any more' "$(waiting)" 0
ok 'it goes on: and is there' test "$(primary_count)" -ge 1
exits 'it goes on: up' 0 bmx-probe

# its thread for the session goes on until all of it has stopped
# shellcheck disable=SC2016 # for the primary's shell
primary_renew 'rcpt#1 run kill -s STOP $PPID; '"$tap_await"' true 20 grep -q "^State:.T" /proc/$PPID/status'
empty_spool
is 'frozen in a session: live relay leaves it to the spool' "$(sent env)" '250 2.0.0 0 1'
thaw primary
exits 'and bmx-flush hands it over when it goes on' 0 bmx-flush --now
is 'it does not wait any more' "$(waiting)" 0
# a slow machine may let the last reply come too late
ok 'but is there' test "$(primary_count)" -ge 1

# ---- clocks ----

if ! faketime_works; then
	skip 'clocks that jump' "$faketime_why"
	primary_check
	done_testing
	exit 0
fi
at()
{
	at_when=$1
	shift
	FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f "$at_when" "$@"
}

# verdict: what the state says
verdict()
{
	sed -n 's/^verdict //p' "$spool/example.com/primary"
}

for when in +400d -400d; do
	empty_spool
	stop primary
	at $when bmx-probe >/dev/null 2>&1
	is "down was found at $when" "$(verdict)" down
	primary_renew
	is "D50 down at $when binds nobody now: mail goes live" "$(sent env)" '250 2.0.0 1 0'
	is 'and that is the new verdict' "$(verdict)" up
	exits "the probe agrees" 0 bmx-probe
	at $when bmx-probe >/dev/null 2>&1
	stop primary
	bmx-probe >/dev/null 2>&1
	is "D50 up at $when, and down now, is down" "$(verdict)" down
	exits 'D50 what was counted for the report is told' 0 \
	    bmx-probe --report --json
	unlike 'no span is negative or longer than there was time' "$(cat "$tmp/out")" \
	    '":-[0-9]|[^0-9.][0-9]{11,}'
	is "D50 mail is taken at $when, with the primary down" \
	    "$(sent at $when)" '250 2.0.0 1 1' # that which went live, and this
	at $when bmx-flush --now >/dev/null 2>&1
	primary_start
	exits 'D50 bmx-queue lists it' 0 bmx-queue
	is 'it is one' "$(wc -l <"$tmp/out")" 1
	bmx-flush --now
	is 'D50 it is handed over now' "$(waiting)" 0
	primary_renew
done
primary_check
done_testing
