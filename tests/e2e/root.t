#!/bin/sh
# What talks to strangers does not do it as root, unless root is asked for.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
need_root 'it is refused'
need strace
strace -o /dev/null true 2>/dev/null || skip_all 'strace cannot trace here'
plan 28

refusal='started as root: name a user in \[bmx\], or start it as the spool.s owner'

# with USER: in bmx.conf; "" is none
with()
{
	make_conf '[example.com]' 'primary = 127.0.0.1:1'
	sed -e '/^user = /d' -e 's/^log = .*/log = stderr/' "$BMX_CONF" >"$tmp/conf"
	[ "$1" = '' ] || sed -i "s/^\[bmx\]\$/&\nuser = $1/" "$tmp/conf"
	cp "$tmp/conf" "$BMX_CONF"
}

# refuses "test" STATUS REGEX COMMAND...: says why, and nobody was connected to
refuses()
{
	refuses_what=$1
	refuses_status=$2
	refuses_why=$3
	shift 3
	ASAN_OPTIONS=detect_leaks=0 exits "$refuses_what" "$refuses_status" timeout 20 \
	    strace -f -o "$tmp/trace" -e trace=connect,sendto "$@"
	like "$refuses_what: says why" "$(cat "$tmp/err")" "$refuses_why"
	unlike "$refuses_what: talks to nobody" "$(cat "$tmp/trace")" 'AF_INET'
}

with ''
refuses 'bmx-flush' 78 "$refusal" bmx-flush
refuses 'bmx-flush --watch' 78 "$refusal" bmx-flush --watch
refuses 'bmx-probe' 78 "$refusal" bmx-probe
refuses 'bmx-probe --no-state' 78 "$refusal" bmx-probe --no-state
say QUIT | bmx-receive >"$tmp/out" 2>"$tmp/err"
like 'bmx-receive: 421' "$(cat "$tmp/out")" '^421 4\.3\.5'
like 'bmx-receive: says why' "$(cat "$tmp/err")" "$refusal"

with nobody
refuses 'bmx-flush as one who does not own the spool' 75 'cannot open the spool .*: Permission denied' bmx-flush
refuses 'bmx-probe as one who does not own the spool' 75 'cannot open the spool .*: Permission denied' bmx-probe
with no-such-user
refuses 'bmx-flush as nobody we know' 78 'there is no such user' bmx-flush

with root
exits 'root, asked for by name, flushes' 0 bmx-flush
ASAN_OPTIONS=detect_leaks=0 exits 'and probes' 69 \
    strace -f -o "$tmp/trace" -e trace=connect,sendto bmx-probe --no-state
like 'which is seen' "$(cat "$tmp/trace")" 'AF_INET'
with ''
chown nobody "$tmp/spool"
exits "no user is needed where the spool has an owner" 0 bmx-flush
exits "nor to check bmx.conf" 0 bmx-receive --check-config
