#!/bin/sh
# bmx-queue when the nth call fails, or is its last, for every n: mail is there
# whole, or it is gone because that was asked for, and an error is reported.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
# shellcheck source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/faults.sh"
faults_need
make_conf 'min-free = 0' '[example.com]' 'primary = 127.0.0.1:1'
spool=$tmp/spool

# Two messages; the orders are for the first.
id=$("$top_builddir/tests/lib/mkmsg" "$spool" example.com)
other=$("$top_builddir/tests/lib/mkmsg" "$spool" example.com)
mkdir "$tmp/content"
cat "$spool"/example.com/new/"$id"* >"$tmp/content/$id"
cat "$spool"/example.com/new/"$other"* >"$tmp/content/$other"
cp -a "$spool" "$tmp/new"
bmx-queue hold "$id" >/dev/null
cp -a "$spool" "$tmp/held"
bmx-queue pause example.com >/dev/null
cp -a "$spool" "$tmp/paused"

# files ID: its files in new/ and cur/.
files()
{
	find "$spool/example.com/new" "$spool/example.com/cur" -name "$1*"
}

# whole ID: it is there once, and as it was.
whole()
{
	[ "$(files "$1" | wc -l)" -eq 1 ] &&
	    cmp -s "$(files "$1")" "$tmp/content/$1"
}

# judge STATUS VERB
judge()
{
	fault_common "$1"
	whole "$other" || wrong "$other: touched"
	case $2 in
	remove)
		whole "$id" || [ -z "$(files "$id")" ] || wrong 'half removed'
		[ "$1" -ne 0 ] && [ -n "$(files "$id")" ] ||
		    grep -qs "id=$id .*what=removed" "$spool"/ledger/* ||
		    wrong 'removed, and the ledger does not know it'
		[ "$1" -ne 0 ] || [ -z "$(files "$id")" ] || wrong 'not removed, and 0'
		;;
	hold | release)
		whole "$id" || wrong 'not whole'
		[ "$1" -ne 0 ] || [ "$(is_held)" = "$2" ] || wrong "no $2, and 0"
		;;
	bounce)
		[ "$1" -ne 0 ] && [ -n "$(files "$id")" ] ||
		    grep -qs "id=$id .*what=bounced" "$spool"/ledger/* ||
		    wrong 'given up, and the ledger does not know it'
		[ "$1" -ne 0 ] || [ -z "$(files "$id")" ] || wrong 'not given up, and 0'
		# the next run ends what was begun, whoever of them began it
		bmx-queue bounce "$id" >/dev/null 2>&1
		bmx-flush --now example.com >/dev/null 2>&1
		[ "$(notices)" -eq 1 ] || wrong "$(notices) notices"
		;;
	pause | resume)
		whole "$id" || wrong 'not whole'
		paused=$([ -e "$spool/example.com/paused" ] && echo pause || echo resume)
		[ "$1" -ne 0 ] || [ "$paused" = "$2" ] || wrong "no $2, and 0"
		bmx-queue --domains >/dev/null 2>&1 || wrong 'the pause is damaged'
		;;
	import)
		whole "$id" || wrong 'not whole'
		imported=$(grep -lF 'Subject: imported' "$spool"/example.com/new/* 2>/dev/null)
		[ "$1" -ne 0 ] || [ -n "$imported" ] || wrong 'not imported, and 0'
		for imported_file in $imported; do
			is_whole "$imported_file" || wrong 'imported and not whole'
		done
		;;
	fsck)
		whole "$id" || wrong 'not whole'
		case "$1 $(cat "$tmp/fault-run")" in
		*EINTR) ;; # then it looks again
		"0 create"* | "0 open"* | "0 read"*)
			! was_hit || wrong 'it could not look, and all is sound'
			;;
		esac
		;;
	*)
		whole "$id" || wrong 'not whole'
		[ "$1" -ne 0 ] || said <"$tmp/out" | cmp -s - "$tmp/right" ||
		    wrong "another output, and 0"
		;;
	esac
}

# notices: about $id, that wait or are being made
notices()
{
	find "$spool" -path '*/example.org/*' -type f -exec grep -l "^Bmx-Notice: failed $id" {} + | wc -l
}

# said: without what the clock changes.
said()
{
	sed -E '/^Age:/d; s/[0-9]+ ?(s|min|m|h|d)?//g'
}

is_held()
{
	case $(files "$id") in
	*:2,*F*) echo hold ;;
	*) echo release ;;
	esac
}

# once KINDS N DEED, of $order, in $start
once()
{
	rm -rf "$spool"
	cp -a "$tmp/$start" "$spool"
	status=0
	# shellcheck disable=SC2086 # a list of words
	faulty "$@" bmx-queue $order 2>"$tmp/err" | cat >"$tmp/out"
	status=$(cat "$tmp/status")
	judge "$status" "${order%% *}"
	case "$1 $3" in *kill-*) ;; *)
		[ "$status" -eq 0 ] || [ -s "$tmp/err" ] ||
		    wrong "status $status, and no word"
		;;
	esac
}

# try START ORDER: at every call that it makes.
try()
{
	diag "$2"
	start=$1
	order=$2
	rm -rf "$spool"
	cp -a "$tmp/$start" "$spool"
	# shellcheck disable=SC2086
	bmx-queue $order 2>/dev/null | said >"$tmp/right"
	faults_of once create open write sync rename unlink utime close read \
	    opendir mkdir send memory=ENOMEM disk=kill-before disk=kill-after
	for error in ENOSPC EDQUOT EROFS EMFILE ENFILE EINTR EACCES; do
		once open 2 "$error"
		once disk 1 "$error"
		once disk 1+ "$error"
	done >"$tmp/wrong"
	is "${order%% *}: every error" "$(cat "$tmp/wrong")" ''
}

try new "hold $id"
try held "release $id"
try held "remove $id"
try held "list"
try held "show $id"
try held "cat $id"
try held "fsck"
printf 'Subject: imported\n\ntext\n' >"$tmp/mail"
faults_sample 5
try new "pause example.com"
try paused "resume example.com"
try new "import --from a@s.example --to bob@example.com $tmp/mail"
try new "bounce $id"
faults_enough 200
done_testing
