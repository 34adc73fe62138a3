#!/bin/sh
# D17: one of many programs that work on one spool at the same time is killed
# before or after it changes the disk, or such a change fails: what was
# acknowledged is with the primary or whole in the spool, and the next runs clear
# up without help.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/faults.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
faults_need
primary_make
make_conf 'min-free = 0' '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'tls = none'
primary_start

# work: three clients with four messages each, three flushers, an operator who
# holds all and lets it go.
for client in 1 2 3; do
	say 'EHLO c' >"$tmp/in.$client"
	for n in 1 2 3 4; do
		say 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA \
		    "Subject: $client$n" '' 'the end' .
	done >>"$tmp/in.$client"
	say QUIT >>"$tmp/in.$client"
done
cat >"$tmp/work" <<'E2'
dir=$1
shift
for client in 1 2 3; do
	{
		cat "$dir/in.$client" | "$@" bmx-receive | cat >"$dir/out.$client"
		"$@" bmx-flush --now
	} &
done
"$@" bmx-queue hold example.com
"$@" bmx-queue release example.com
wait
E2
fault_via="sh $tmp/work $tmp"

# ids FILE...: of the messages that were acknowledged
ids()
{
	sed -n 's/^250 2.0.0 Queued as \([0-9a-v]*\).*/\1/p' "$@" | sort
}

# once KINDS N DEED: all of them at once, and then what is left is handed over.
once()
{
	empty_spool
	rm -f "$primary"/*.msg "$primary"/*.env "$tmp"/out.?
	faulty "$@" >/dev/null 2>&1
	# no fault_common: a session of several messages syncs one directory for
	# each, which is no second try at what failed
	[ "$(cat "$tmp/status")" -lt 124 ] || wrong 'does not end'
	for fault_file in "$spool"/example.com/new/* "$spool"/example.com/cur/*; do
		[ ! -e "$fault_file" ] || is_whole "$fault_file" ||
		    wrong "$fault_file is not whole"
	done
	bmx-queue release example.com >/dev/null 2>&1
	flush_again --now >/dev/null 2>&1
	cat "$primary"/*.msg 2>/dev/null |
	    sed -n 's/.*with ESMTP id \([0-9a-v]*\).*/\1/p' | sort >"$tmp/arrived"
	ids "$tmp"/out.? >"$tmp/acknowledged"
	lost=$(comm -23 "$tmp/acknowledged" "$tmp/arrived")
	[ -z "$lost" ] || wrong "acknowledged and lost: $lost"
	[ "$(uniq -d "$tmp/arrived" | wc -l)" -le 1 ] ||
	    wrong "came twice: $(uniq -d "$tmp/arrived")"
	left=$(cd "$spool/example.com" && find new cur tmp -type f)
	[ -z "$left" ] || wrong "left: $left"
}

once none 1 EIO
is 'without a fault all arrive' \
    "$(wc -l <"$tmp/acknowledged") $(sort -u "$tmp/arrived" | wc -l)" '12 12'

# How many calls there are depends on who comes first: some are not reached in
# each run, which ends a series early.
fault_step=5
faults_sample 80
faults_of once disk disk=kill-before disk=kill-after
faults_enough 5
primary_check
done_testing
