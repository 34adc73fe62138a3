#!/bin/sh
# The power goes while bmx-flush runs, after it, and after each order of
# bmx-queue: every message that was acknowledged is whole in the spool, or with
# the primary, or given up with a trace; and what an order promised is on disk.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/disk.sh source=tests/lib/powercut.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/disk.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
. "$top_srcdir/tests/lib/powercut.sh"
need_disk
primary_make
echo 1 >"$tmp/recipients"
power_conf 'min-free = 0' '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'tls = none' "recipients = $tmp/recipients"

# ids_at_primary
ids_at_primary()
{
	cat "$primary"/*.msg 2>/dev/null |
	    sed -n 's/.*with ESMTP id \([0-9a-v]*\).*/\1/p' | sort -u
}

# after_flush KIND: the power goes at three moments of it, and after it.
after_flush()
{
	session 30 | bmx-receive >"$tmp/one"
	acknowledged "$tmp/one" >"$tmp/ids.0"
	primary_renew 'dot#12 451 4.3.0 later'
	start_bg flush bmx-flush --now
	for n in 1 2 3; do
		# shellcheck disable=SC2016
		wait_for 30 sh -c 'test "$(ls "$0" | grep -c env)" -ge "$1"' \
		    "$primary" $((n * 8))
		freeze flush 2>/dev/null # it may have ended
		ids_at_primary >"$tmp/gone.$n"
		disk_cut $n
		thaw flush 2>/dev/null
	done
	wait_gone "$(pid_of flush)"
	ids_at_primary >"$tmp/gone.4"
	disk_cut 4
	for n in 1 2 3 4; do
		disk_look $n
		judge "$tmp/ids.0" "$tmp/gone.$n"
	done >"$tmp/wrong"
	is "$1: while bmx-flush runs, and after it: at the primary or in the spool" \
	    "$(cat "$tmp/wrong")" ''
	is "$1: what was refused for now is still there" "$(wc -l <"$tmp/gone.4")" 29
	is "$1: what is gone is in the ledger" \
	    "$(sed -n 's/.* id=\([0-9a-v]*\) .*what=delivered.*/\1/p' "$spool"/ledger/* |
		sort -u | comm -23 "$tmp/gone.4" -)" ''
}

# order WHAT ORDER...: of bmx-queue, and then the power goes.
order()
{
	n=$((n + 1))
	echo "$1" >"$tmp/what.$n"
	shift
	bmx-queue "$@" >/dev/null 2>&1
	disk_cut $n
}

# has PATTERN: files of that name in the spool.
has()
{
	find "$spool" -path "*$1*" | wc -l
}

# after_queue KIND: each order, and what it promised to be on disk then. A hold, a
# release and a removal may be undone.
after_queue()
{
	session 8 | bmx-receive >"$tmp/one"
	acknowledged "$tmp/one" >"$tmp/ids.0"
	n=0
	after_kind=$1
	# shellcheck disable=SC2046 # a list of words
	set -- $(cat "$tmp/ids.0")
	order hold hold "$1" "$2"
	order release release "$1"
	order export export -o "$disk/exported" "$1"
	order remove remove "$4"
	order bounce bounce "$5"
	order pause pause example.com
	order resume resume example.com
	printf 'Subject: from elsewhere\n\ntext\n' >"$tmp/mail"
	order 'import' import --from a@s.example --to 1@example.com "$tmp/mail"
	printf '%s\n' "$4" "$5" >"$tmp/given-up"
	for i in $(seq $n); do
		disk_look "$i"
		judge "$tmp/ids.0" "$tmp/given-up" | sed "s/^/$(cat "$tmp/what.$i"): /"
		case $(cat "$tmp/what.$i") in
		remove) grep -qs "id=$4 .*what=removed" "$spool"/ledger/* ||
		    [ "$(has "/$4,")" -eq 1 ] || echo 'removed without a trace' ;;
		bounce) grep -qs "id=$5 .*what=bounced" "$spool"/ledger/* ||
		    echo 'given up without a trace'
		    [ "$(has "/$5,")" -eq 0 ] || echo 'given up and still there'
		    grep -l "Bmx-Notice: failed $5" "$spool"/s.example/new/* >/dev/null ||
			echo 'no notice of it' ;;
		export) grep -qs '^Subject: 1' "$disk/exported" ||
		    echo 'exported and lost' ;;
		pause) [ "$(has example.com/paused)" -eq 1 ] || echo 'not paused' ;;
		resume) [ "$(has example.com/paused)" -eq 0 ] || echo 'still paused' ;;
		import) grep -lF 'Subject: from elsewhere' "$spool"/example.com/new/* >/dev/null ||
		    echo 'imported and lost' ;;
		esac
	done >"$tmp/wrong"
	is "$after_kind: after each order of bmx-queue: what was promised is there" \
	    "$(cat "$tmp/wrong")" ''
}

primary_start
for kind in ext4 xfs btrfs; do
	if begin $kind; then
		after_flush $kind
		begin $kind
		after_queue $kind
	else
		skip "$kind: after bmx-flush and bmx-queue" "$(head -n 1 "$tmp/disk.log")"
	fi
done
primary_check
done_testing
