#!/bin/sh
# After a power cut what was removed since the last sync of its directory comes
# again: no more than bmx-spool(5) says, and what was under way. A clock of another
# speed makes the primary a fast or a slow one.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # not under strace
export ASAN_OPTIONS
strace -qq -o /dev/null true 2>/dev/null ||
    skip_all "strace is not installed, or not allowed"
faketime_works || skip_all "$faketime_why"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'max-connections = 1' 'connect-timeout = 10m' 'reply-timeout = 10m'
primary_start

# drain SPEED: with a clock that goes so fast. Its system calls are in $tmp/trace.
drain()
{
	strace -f -qq -y -o "$tmp/trace" -e trace=fsync,unlinkat \
	    faketime -f "+0 x$1" bmx-flush --now
}

# at_once: how many messages were removed ahead of each sync, and after the last.
at_once()
{
	awk '/unlinkat\(.*\/example.com\/(new|cur)>/ { n++ }
	    /fsync\(.*\/example.com\/new>/ { printf "%d ", n; n = 0 }
	    END { print n + 0 }' "$tmp/trace"
}

# synced_by N ALL: N ahead of each sync but the first and the last, give or take
# those that are under way.
synced_by()
{
	at_once | awk -v n="$1" -v all="$2" '{
	    for (i = 1; i <= NF; i++) {
		sum += $i
		if ($i > n + 8 || (i > 1 && i < NF - 1 && $i < n - 8))
			exit 1
	    }
	    exit NF < 4 || $NF != 0 || sum != all }'
}

put many n=700
drain 0.0001
ok "50 ms are never over: removals are synced by 512 ($(at_once))" \
    synced_by 512 700
put many n=300
drain 20
ok "50 ms are over at once: by 64 ($(at_once))" synced_by 64 300

primary_renew 'mail#201 stall'
put many n=201
start_bg drain strace -f -qq -y -o "$tmp/trace" -e trace=fsync,unlinkat \
    faketime -f '+0 x0.02' bmx-flush --now
# shellcheck disable=SC2016 # for awk
ok "the primary stalls: when 50 ms are over less than 64 are not on disk" \
    wait_for 30 awk '/unlinkat\(.*\/example.com\/(new|cur)>/ { n++; all++ }
	/fsync\(.*\/example.com\/new>/ { n = 0 }
	END { exit all != 200 || n >= 64 }' "$tmp/trace"
crash drain
primary_check
done_testing
