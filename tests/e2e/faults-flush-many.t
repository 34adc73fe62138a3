#!/bin/sh
# bmx-flush when a sync fails while many messages are under way: none is lost, and
# no descriptor is synced again, which would say yes to what was lost.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
faults_need
primary_make
primary_start -e PIPELINING 'rcpt<later@example.com> 450 4.2.1 greylisted' \
    'rcpt<bad@example.com> 550 5.1.1 unknown'
make_conf 'min-free = 0' '[example.com]' "primary = 127.0.0.1:$primary_port"

# What was removed is synced each 64 messages. Of one message, the first, the
# states are synced with the notice that bob has it, and then for the others.
put notice from=alice@example.com 'rcpt=TO:<bob@example.com> NOTIFY=SUCCESS' \
    to=later@example.com to=bad@example.com
"$mkmsg" "$spool" example.com n=80 | sort >"$tmp/ids"
cp -a "$spool" "$tmp/start"

# once KINDS N DEED: a run with the fault, and two without.
once()
{
	flush_faulty "$tmp/start" "$@"
	bmx-flush --now # the notice
	cat "$primary"/*.msg |
	    sed -n 's/^Received: by backup.example.net id \([0-9a-v]*\).*/\1/p' \
	    >"$tmp/came"
	[ "$(sort -u "$tmp/came" | comm -12 - "$tmp/ids" | wc -l)" -eq 80 ] ||
	    wrong 'some are lost'
	[ "$(waiting)" -eq 1 ] || wrong "$(waiting) are waiting, not one"
	[ "$(states "$id")" = 'D P F' ] || wrong "$(states "$id")"
}

once none 1 EIO
is "without a fault each comes once" "$(wc -l <"$tmp/came" | tr -d ' ')" 80
faults_of once sync
once sync 3+ "$fault_error" >"$tmp/wrong"
is 'no sync works' "$(cat "$tmp/wrong")" ''
faults_enough 10
primary_check
done_testing
