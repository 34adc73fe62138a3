#!/bin/sh
# Several hands on one spool at once: each message is changed by one of them,
# none is lost, and who came late is not in error (D48).
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
plan 9

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
