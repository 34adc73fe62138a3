#!/bin/sh
# D17: the power goes. The disk is copied as it is right after a 250, at random
# moments under load, and after bmx-flush and bmx-queue, and looked at: every
# message that was acknowledged is there and whole, or with the primary.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/disk.sh source=tests/lib/faults.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/disk.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
faults_need
need_disk
primary_make
sed_conf="s,^spool = .*,spool = $disk/spool,"
make_conf 'min-free = 0' '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'tls = none'
sed "$sed_conf" "$BMX_CONF" >"$tmp/disk.conf"
BMX_CONF=$tmp/disk.conf
spool=$disk/spool

# begin KIND: an empty spool on a new disk, itself on disk.
begin()
{
	disk_end
	case $1 in
	ext4) disk_make ext4 32M ;;
	*) disk_make "$1" 320M ;;
	esac || return 1
	mkdir -m 700 "$spool"
	sync -f "$disk"
}

# session N: mail of N messages, of 200 bytes to 60 kB.
session()
{
	say 'EHLO c'
	awk -v n="$1" 'BEGIN {
		for (i = 1; i <= n; i++) {
			printf "MAIL FROM:<a@s.example>\r\nRCPT TO:<1@example.com>\r\n"
			printf "DATA\r\nSubject: %d\r\n\r\n", i
			for (j = 0; j < i * i * 97 % 1500; j++)
				printf "a line that is always the same\r\n"
			printf "the end\r\n.\r\n"
		}
		printf "QUIT\r\n"
	}'
}

# acknowledged FILE...: the IDs.
acknowledged()
{
	sed -n 's/^250 2.0.0 Queued as \([0-9a-v]*\).*/\1/p' "$@"
}

# judge IDS [GONE]: what is wrong on the disk that is mounted; the IDs in GONE
# need not be there.
judge()
{
	while read -r judge_id; do
		judge_file=$(find "$spool/example.com/new" "$spool/example.com/cur" \
		    -name "$judge_id,*" 2>/dev/null | head -n 1)
		if [ -z "$judge_file" ]; then
			grep -qsxF "$judge_id" "${2:-/dev/null}" || echo "$judge_id: lost"
		elif ! is_whole "$judge_file"; then
			echo "$judge_id: of another size"
		elif [ "$(tail -c 9 "$judge_file" | tr -d '\r')" != 'the end' ]; then
			echo "$judge_id: not whole"
		fi
	done <"$1"
}

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

# ---- the same after bmx-flush and bmx-queue ----

begin ext4
session 30 | bmx-receive >"$tmp/one"
acknowledged "$tmp/one" >"$tmp/ids.0"
primary_start 'dot#12 451 4.3.0 later'
start_bg flush bmx-flush --now
for n in 1 2 3; do
	# shellcheck disable=SC2016
	wait_for 30 sh -c 'test "$(ls "$0" | grep -c env)" -ge "$1"' "$primary" $((n * 8))
	freeze flush
	cat "$primary"/*.msg 2>/dev/null |
	    sed -n 's/.*with ESMTP id \([0-9a-v]*\).*/\1/p' >"$tmp/gone.$n"
	disk_cut $n
	thaw flush
done
wait_gone "$(pid_of flush)"
cat "$primary"/*.msg | sed -n 's/.*with ESMTP id \([0-9a-v]*\).*/\1/p' >"$tmp/gone.4"
disk_cut 4
for n in 1 2 3 4; do
	disk_look $n
	judge "$tmp/ids.0" "$tmp/gone.$n"
done >"$tmp/wrong"
is 'while bmx-flush runs, and after it: at the primary or in the spool' \
    "$(cat "$tmp/wrong")" ''
is 'what was refused for now is still there' "$(sort -u "$tmp/gone.4" | wc -l)" 29

begin ext4
session 8 | bmx-receive >"$tmp/one"
acknowledged "$tmp/one" >"$tmp/ids.0"
n=0
# shellcheck disable=SC2046 # a list of words
set -- $(cat "$tmp/ids.0")
: >"$tmp/none"
for order in "hold $1 $2" "release $1" "hold $3" "remove $4" "release $2"; do
	n=$((n + 1))
	# shellcheck disable=SC2086 # a list of words
	bmx-queue $order >/dev/null
	disk_cut $n
done
echo "$4" >"$tmp/removed"
for n in 1 2 3 4 5; do
	disk_look $n
	judge "$tmp/ids.0" "$tmp/removed"
done >"$tmp/wrong"
is 'after each order of bmx-queue: what was not removed is there' "$(cat "$tmp/wrong")" ''
primary_check
done_testing
