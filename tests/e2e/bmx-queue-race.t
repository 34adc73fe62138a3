#!/bin/sh
# Several hands on one spool at once: each message is changed by one of them,
# none is lost, and who came late is not in error (D48).
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need python3
plan 14

n=300
make_conf '[example.com]'
spool=$tmp/spool/example.com

fill()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" example.com "n=$1" \
	    >"$tmp/ids"
}

# all_of NAME...: wait for those started in the background; $statuses.
all_of()
{
	statuses=
	for name; do
		wait "$(pid_of "$name")"
		statuses="$statuses $?"
	done
}

# The IDs of the files that are in the spool.
spooled()
{
	find "$spool/new" "$spool/cur" -type f | sed 's/.*\///' | cut -c 1-21
}

# same_ids "test": those in $tmp/found are those that were put there, each once.
same_ids()
{
	sort "$tmp/found" >"$tmp/got"
	sort "$tmp/ids" >"$tmp/wanted"
	same "$1" "$tmp/wanted" "$tmp/got"
}

# ---- four removers ----

fill $n
for hand in 1 2 3 4; do
	start_bg "remove$hand" bmx-queue remove --yes example.com
done
all_of remove1 remove2 remove3 remove4
is "four removers at once are all content" "$statuses" " 0 0 0 0"
grep -h removed "$tmp"/remove?.log | cut -f 1 >"$tmp/found"
same_ids "each message was removed by one of them"
# a line is there before its message is removed, by whoever; an empty one may be
# between those of two writers at once
sed -n 's/.* id=\([^ ]*\) .*/\1/p' "$tmp"/spool/ledger/* | sort -u >"$tmp/found"
same_ids "and is in the ledger"

# ---- a flusher defers and delivers meanwhile ----

fill $n
cat >"$tmp/flusher" <<'E'
cd "$1" || exit 1
i=0
for file in new/*; do
	i=$((i + 1))
	case $((i % 3)) in
	0) mv "$file" "cur/${file#new/}:2," ;; # deferred
	1) rm "$file" && echo "${file#new/}" ;; # delivered
	esac
done 2>/dev/null
exit 0
E
start_bg flusher sh "$tmp/flusher" "$spool"
start_bg remover bmx-queue remove --yes example.com
start_bg lister bmx-queue
all_of flusher remover lister
is "a remover and a list beside a flusher are content" "$statuses" " 0 0 0"
unlike "nobody complains" "$(cat "$tmp/remover.log" "$tmp/lister.log")" \
    '^bmx-queue:'
{
	cut -c 1-21 "$tmp/flusher.log"
	grep removed "$tmp/remover.log" | cut -f 1
	spooled
} >"$tmp/found"
same_ids "every message was delivered or removed, once"

# ---- hold and release at once ----

rm -f "$spool"/new/* "$spool"/cur/*
fill $n
start_bg hold1 bmx-queue hold example.com
start_bg hold2 bmx-queue hold example.com
start_bg release bmx-queue release example.com
all_of hold1 hold2 release
is "hold, hold and release at once are content" "$statuses" " 0 0 0"
spooled >"$tmp/found"
same_ids "no message is lost or doubled"
bmx-queue | cut -f 1 >"$tmp/found"
same_ids "and bmx-queue sees them all"

# ---- what was selected is something else when its turn comes ----

# stuck CHANGE COMMAND...: nobody reads what the command prints until it has begun
# to, and CHANGE was run: its pipe has room for 4 KiB, and its buffer for 64.
cat >"$tmp/stuck.py" <<'E'
import array, fcntl, subprocess, sys, termios, time
pipe = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, pipesize=4096)
waiting = array.array("i", [0])
until = time.monotonic() + 20
while waiting[0] < 4096 and time.monotonic() < until:
    fcntl.ioctl(pipe.stdout, termios.FIONREAD, waiting)
changed = subprocess.run(["sh", "-c", sys.argv[1] + " >/dev/null"]).returncode
sys.stdout.buffer.write(pipe.stdout.read())
sys.exit(pipe.wait() or changed)
E

# selected: so many messages, held for a while already, that the last one, $last,
# is far behind what fits into a pipe.
long=$(printf '%063d' 1).$(printf '%063d' 2).$(printf '%063d' 3).example.com
selected()
{
	rm -rf "$tmp/spool/$long"
	last=$("$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$long" n=350 from= | tail -n 1)
	bmx-queue hold "$long" >/dev/null
	touch -d '100 seconds ago' "$tmp/spool/$long"/cur/*
}

selected
exits "bounce --held, and one is released meanwhile" 0 python3 "$tmp/stuck.py" \
    "bmx-queue release $last" bmx-queue bounce --held --domain "$long" --yes
is "that one is left alone, as --held says" \
    "$(grep "$last" "$tmp/out") $(bmx-queue count "$long")" "$last	$long	unchanged 1"

selected
exits "show, and one is released meanwhile" 0 python3 "$tmp/stuck.py" \
    "bmx-queue release $last" bmx-queue show "$long"
is "it is shown as it is now" \
    "$(sed -n "/^ID: *$last/,\$p" "$tmp/out" | sed -n 's/^State: *//p')" \
    "deferred, next try now"

selected
python3 "$tmp/stuck.py" "bmx-queue remove $last" bmx-queue show "$long" >"$tmp/out"
is "show, and one is removed meanwhile: the others are shown" \
    "$? $(grep -c '^ID:' "$tmp/out")" "0 349"
