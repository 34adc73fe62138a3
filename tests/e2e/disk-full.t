#!/bin/sh
# D49: no room and no inodes left, on a real disk: 452 at once and nothing half;
# what waits can still be handed over, looked at and removed. D50: the clock
# jumps, and no mail is lost, bounced or forgotten for it.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/disk.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/disk.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
need_disk
primary_make
primary_start
spool=$disk/spool
make_conf 'min-free = 0' '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'tls = none'
sed "s,^spool = .*,spool = $spool," "$BMX_CONF" >"$tmp/disk.conf"
BMX_CONF=$tmp/disk.conf

# send BYTES: the reply to a message of that size: the first 4yz, since the rest
# of it is no command then, or the last one.
send()
{
	{
		say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA
		head -c "$1" /dev/zero | tr '\0' x | fold -w 70 | crlf
		say '' . QUIT
	} | bmx-receive >"$tmp/reply"
	codes "$tmp/reply" | awk '/^50|^221/ { next } { last = $0 } /^4/ { exit }
	    END { print last }'
}

# half: files that are not as long as they say, or are in tmp/.
half()
{
	find "$spool/example.com/tmp" -type f
	for half_file in "$spool"/example.com/new/*; do
		is_whole "$half_file" || echo "$half_file"
	done
}

# fill what: messages of BYTES until one is refused.
fill()
{
	while
		fill_reply=$(send "$1")
		[ "$fill_reply" = '250 2.0.0' ]
	do
		:
	done
	echo "$fill_reply"
}

disk_make ext4 4M -m 0 -O ^has_journal || bail "$(cat "$tmp/disk.log")"
mkdir -m 700 "$spool"
is 'D49 no room for the content: 452' "$(fill 150000)" '452 4.3.1'
is 'D49 nor for a small one, in the end: 452' "$(fill 3000)" '452 4.3.1'
is 'D49 nothing is half' "$(half)" ''
kept=$(waiting)
exits 'the list can be read' 0 bmx-queue
is 'and has all of it' "$(wc -l <"$tmp/out")" "$kept"
id=$(bmx-queue | sed -n '1s/	.*//p')
bmx-queue remove "$id" >/dev/null 2>&1
is 'one can be removed' "$(waiting)" $((kept - 1))
bmx-flush --now >/dev/null 2>&1
is 'and the others are handed over, once each' \
    "$(waiting) $(primary_count)" "0 $((kept - 1))"
is 'then there is room again' "$(send 3000)" '250 2.0.0'
disk_end

disk_make ext4 4M -m 0 -N 200 || bail "$(cat "$tmp/disk.log")"
mkdir -m 700 "$spool"
primary_renew
is 'D49 hardly an inode is left: 452' "$(fill 300)" '452 4.3.1'
is 'D49 nothing is half then, either' "$(half)" ''
kept=$(waiting)
bmx-flush --now >/dev/null 2>&1
is 'they are handed over all the same' "$(waiting) $(primary_count)" "0 $kept"
disk_end

# ---- the clock ----

if ! faketime_works; then
	skip 'D50 the clock jumps' "$faketime_why"
	done_testing
	exit 0
fi
disk_make ext4 8M || bail "$(cat "$tmp/disk.log")"
mkdir -m 700 "$spool"
primary_renew 'rcpt#1 450 4.2.1 later'
at()
{
	at_when=$1
	shift
	faketime -f "$at_when" "$@"
}
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA text . \
    QUIT >"$tmp/in"
for when in '+400d' '-400d' '+0'; do
	at "$when" bmx-receive <"$tmp/in" >"$tmp/reply" 2>&1
	is "D50 mail is taken at $when" "$(last_code "$tmp/reply")" '250 2.0.0'
done
at '+20y' bmx-queue >"$tmp/out" 2>&1
is 'D50 all of it is listed from far ahead' "$(wc -l <"$tmp/out")" 3
at '-10y' bmx-queue >"$tmp/out" 2>&1
is 'and from long ago' "$(wc -l <"$tmp/out")" 3
at '+400d' bmx-flush >/dev/null 2>&1
is 'D50 one was deferred with the clock ahead' "$(waiting) $(primary_count)" '1 2'
exits 'D50 it is handed over with the clock right again, when told to' 0 \
    bmx-flush --now
is 'none is left, none came twice' "$(waiting) $(primary_count)" '0 3'
primary_check
done_testing
