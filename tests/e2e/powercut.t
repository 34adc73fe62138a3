#!/bin/sh
# D17: the power goes. The disk is copied as it is right after a 250 and at
# random moments under load, and looked at: every message that was acknowledged
# is there and whole. powercut-after.t has bmx-flush and bmx-queue.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/disk.sh source=tests/lib/faults.sh
# shellcheck source=tests/lib/powercut.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/disk.sh"
. "$top_srcdir/tests/lib/powercut.sh"
. "$top_srcdir/tests/lib/faults.sh"
faults_need
need_disk
power_conf 'min-free = 0' '[example.com]'

# under_load: four clients; the power goes at five moments, when all of them
# stand still.
under_load()
{
	: >"$tmp/load"
	for client in 1 2 3 4; do
		start_bg "client$client" sh -c 'while :; do
			bmx-receive <"$0" >>"$1"; done' "$tmp/load.in" "$tmp/load.$client"
	done
	for n in 1 2 3 4 5; do
		wanted=$((n * 40))
		# shellcheck disable=SC2016 # for the inner shell
		wait_for 60 sh -c 'test "$(cat "$1".? | grep -c Queued)" -ge "$2"' \
		    - "$tmp/load" "$wanted"
		for client in 1 2 3 4; do
			freeze "client$client"
		done
		cat "$tmp"/load.? >"$tmp/seen"
		acknowledged "$tmp/seen" >"$tmp/ids.$n"
		disk_cut "$n"
		for client in 1 2 3 4; do
			thaw "client$client"
		done
	done
	for client in 1 2 3 4; do
		crash "client$client"
	done
}

session 30 >"$tmp/load.in"
for kind in ext4 xfs btrfs; do
	if ! begin $kind; then
		for what in 'a 250' load; do
			skip "$kind: right after $what" "$(head -n 1 "$tmp/disk.log")"
		done
		continue
	fi
	session 1 | bmx-receive >"$tmp/one"
	disk_cut 0
	acknowledged "$tmp/one" >"$tmp/ids.0"
	rm -f "$tmp"/load.?
	under_load
	disk_look 0
	is "$kind: right after a 250" "$(wc -l <"$tmp/ids.0") $(judge "$tmp/ids.0")" '1 '
	for n in 1 2 3 4 5; do
		disk_look $n
		judge "$tmp/ids.$n"
	done >"$tmp/wrong"
	is "$kind: at five moments under load, $(wc -l <"$tmp/ids.5") messages" \
	    "$(cat "$tmp/wrong")" ''
done

# ---- what a missing sync does: this test would see it ----

# forgets N: one message is taken while the Nth sync does nothing.
forgets()
{
	begin ext4
	session 1 | bmx-receive >"$tmp/one" # makes the domain
	sync -f "$disk"
	session 1 | faulty sync "$1" skip bmx-receive | cat >"$tmp/one"
	disk_cut 0
	acknowledged "$tmp/one" >"$tmp/ids.0"
	disk_look 0
	judge "$tmp/ids.0" | sed 's/.*: //'
}
like 'without any sync it is lost' "$(forgets 1+)" 'lost|whole|size'
# the only two there are once the domain is made: the file, its name
like 'without that of the file it is not whole, or lost' "$(forgets 1)" 'lost|whole|size'
like 'without that of the name it is lost' "$(forgets 2)" lost
done_testing
