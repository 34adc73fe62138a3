#!/bin/sh
# The verdict that bmx-probe keeps: it rises after 2 and falls after 3, a
# change is a line in the log, and what the primary offers is remembered.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'rise = 2' 'fall = 3'
state=$tmp/spool/example.com/primary
changes()
{
	grep -c ' primary=' "$tmp/bmx.log"
}

primary_start -x 'SIZE 12345'
exits "a first good result counts at once: 0" 0 bmx-probe
like "the state is in the spool" "$(cat "$state")" '^verdict up$'
like "with the address" "$(cat "$state")" "^address 127.0.0.1:$primary_port\$"
like "and the offer" "$(cat "$state")" '^plain SIZE 12345$'
is "its mode is 600" "$(stat -c %a "$state")" 600
like "the change is logged" "$(tail -n 1 "$tmp/bmx.log")" \
    'domain=example.com primary=up was=unknown address=127\.0\.0\.1:'
is "once" "$(changes)" 1
since=$(sed -n 's/^since //p' "$state")

# -6 finds nothing to look at there: that says nothing of the primary.
cp "$state" "$tmp/before"
for n in 1 2 3; do
	exits "look $n at no address: 71" 71 bmx-probe -6
	is "the verdict is still up" "$(cut -f 2,4,5 "$tmp/out")" 'up	unknown	not-tried'
done
same "the state is not touched" "$tmp/before" "$state"

stop primary
for n in 1 2; do
	exits "bad result $n of 3: still up: 0" 0 bmx-probe
	is "but this probe was not" "$(cut -f 2,4,5 "$tmp/out")" \
	    'up	down	connection-refused'
done
is "the verdict is as old as it was" "$(cut -f 3 "$tmp/out")" "$since"
is "nothing is logged" "$(changes)" 1
exits "the third: down: 69" 69 bmx-probe
is "said so" "$(cut -f 2,4 "$tmp/out")" 'down	down'
like "and logged" "$(tail -n 1 "$tmp/bmx.log")" \
    'primary=down was=up .*reason="no connection: .*Connection refused"'
like "the offer is still known" "$(cat "$state")" '^plain SIZE 12345$'

primary_start 'connect 421 4.3.2 busy'
exits "down turns deferring at once: 75" 75 bmx-probe
primary_renew
exits "good result 1 of 2: not yet up: 75" 75 bmx-probe
is "but this probe was good" "$(cut -f 2,4 "$tmp/out")" 'deferring	up'
exits "the second: up: 0" 0 bmx-probe
is "four changes in all" "$(changes)" 4

echo 'verdict perhaps' >"$state"
exits "a damaged state is begun anew: 0" 0 bmx-probe
like "and logged" "$(cat "$tmp/bmx.log")" 'line 1: damaged: begun anew'
like "it is whole again" "$(cat "$state")" '^verdict up$'

# ---- a domain whose state cannot be kept ----

make_conf '[broken.example]' "primary = 127.0.0.1:$primary_port" \
    '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none'
: >"$tmp/spool/broken.example"
exits "its directory is a file: 71" 71 bmx-probe
is "it is unknown, the next one is not" "$(cut -f 1,2,5 "$tmp/out")" \
    'broken.example	unknown	own-trouble
example.com	up	ok'
like "why is told" "$(cat "$tmp/err")" '^bmx-probe: broken\.example: .*not a directory'
like "and logged, as an alarm" "$(tail -n 1 "$tmp/bmx.log")" \
    'alarm=yes domain=broken\.example primary: .*not a directory'
exits "the filter, too: 71" 71 bmx-probe --up
is "passes on the others" "$(cat "$tmp/out")" example.com
rm "$tmp/spool/broken.example"
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none'

rm -rf "$tmp/spool"
exits "without a spool: the verdict all the same: 0" 0 bmx-probe
like "and a word about it" "$(cat "$tmp/err")" 'no state is kept: there is no '
ok "nothing is made" test ! -e "$tmp/spool"

mkdir -m 777 "$tmp/spool" && chmod 777 "$tmp/spool"
exits "a spool that others can write is an error: 78" 78 bmx-probe
is "without a verdict" "$(cat "$tmp/out")" ''
exits "unless nobody asks for state: 0" 0 bmx-probe --no-state
chmod 700 "$tmp/spool"
if [ "$(id -u)" -eq 0 ] && [ -w /dev/full ]; then
	exits "output that cannot be written: 74" 74 sh -c 'bmx-probe -n >/dev/full'
else
	skip "output that cannot be written: 74" "no /dev/full"
fi
primary_check
done_testing
