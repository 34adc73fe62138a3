#!/bin/sh
# An operator stops the hand-over of a domain's mail, or of one message until a
# time, and lets it go on.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'lifetime-max = 1h'
primary_start
paused=$spool/example.com/paused

# pause [LINE...]
pause()
{
	printf '%s\n' 'since 2026-01-01T00:00:00Z' "$@" >"$paused"
}

# ---- a domain ----

put old age=7200
put young
pause 'uid 0' 'reason the primary is being moved'
exits "a paused domain: its mail is left: 75" 75 bmx-flush --now
like "the log says why" "$(logged ' end=')" 'left=2 .*end=paused$'
is "nothing was connected to, changed or given up" \
    "$(primary_count) $(waiting) $(held) $(ls "$spool/example.com/cur")" \
    "0 2 0 "
ok "not even a session" test ! -s "$primary/log"
exits "--dry-run: 0" 0 bmx-flush --dry-run
is "says so too" "$(cat "$tmp/out")" "paused example.com"
is "it is no alarm" "$(logged alarm=yes)" ""

pause 'until 2026-01-01T00:00:01Z'
exits "a pause that is over: 0" 0 bmx-flush example.com
is "is none" "$(primary_count) $(waiting)" "2 0"

# bad "what" COMMAND...: what cannot be read is a pause
bad()
{
	bad_what=$1
	shift
	rm -rf "$paused"
	"$@" || bail "$*"
	: >"$tmp/bmx.log"
	exits "a file that $bad_what is a pause: 75" 75 timeout 20 bmx-flush
	like "and an alarm" "$(logged alarm=yes)" 'domain=example.com paused, since'
}

put one
bad "is damaged" sh -c "echo until tomorrow >$paused"
bad "is empty" sh -c ": >$paused"
bad "is a FIFO" mkfifo "$paused"
bad "is a link" ln -s nowhere "$paused"
bad "is a directory" mkdir "$paused"
rm -r "$paused"
exits "it is resumed: 0" 0 bmx-flush
is "the message goes" "$(primary_count) $(waiting)" "3 0"

# ---- while it is being drained ----

rm -f "$paused"
primary_renew "mail#5 run echo since 2026-01-01T00:00:00Z >$paused" \
    'mail#6+ slow 100'
put many n=200
exits "a pause in the middle of a run: 75" 75 bmx-flush
there=$(primary_count)
like "ends it ($there were taken)" "$(logged ' end=' | tail -n 1)" \
    'deferred=0 refused=0 .*end=paused$'
is "no message is lost between" "$((there + $(waiting)))" 200
ok "most of them wait" test "$(waiting)" -gt 50
rm "$paused"
exits "the rest goes when it is resumed: 0" 0 bmx-flush
is "each once" "$(primary_count) $(waiting)" "200 0"

# ---- --watch ----

pause
put watched
: >"$tmp/bmx.log"
start_bg flush bmx-flush --watch
ok "--watch leaves a paused domain alone" wait_for 20 \
    grep -q 'left=1 .*end=paused' "$tmp/bmx.log"
put again
ok "it sees the domain, and that it is resumed" rm "$paused"
# shellcheck disable=SC2016 # for the inner shell
ok "and goes on" wait_for 20 sh -c \
    'test "$(ls "$0" | grep -c "env$")" -eq 202' "$primary"
is "the pause was told once" "$(logged 'end=paused' | wc -l | tr -d ' ')" 1

# ---- one message, until a time ----

# held_until SECONDS: the last message, from now on
held_until()
{
	name=$(cd "$spool/example.com/new" && ls)
	mv "$spool/example.com/new/$name" \
	    "$spool/example.com/cur/$name,U=$(($(date +%s) + $1)):2,F"
}

kill -s STOP "$(pid_of flush)"
put held
held_until 3
kill -s CONT "$(pid_of flush)"
# shellcheck disable=SC2016 # for the inner shell
ok "--watch releases a message when its hold ends" wait_for 20 sh -c \
    'test "$(ls "$0" | grep -c "env$")" -eq 203' "$primary"
stop flush

put held
held_until 3600
exits "a message that is held until a time: 0" 0 bmx-flush --now
is "waits for it" "$(waiting) $(held)" "1 1"
name=$(cd "$spool/example.com/cur" && ls)
mv "$spool/example.com/cur/$name" "$spool/example.com/cur/${name%,U=*},U=1:2,F"
exits "--dry-run when it is over: 0" 0 bmx-flush --dry-run
like "would send it" "$(cat "$tmp/out")" "^send example.com $id "
is "and changes nothing" "$(held)" 1
exits "a run sends it: 0" 0 bmx-flush
is "it is gone" "$(primary_count) $(waiting)" "204 0"
primary_check
done_testing
