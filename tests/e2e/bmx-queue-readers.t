#!/bin/sh
# A long list is read by several processes: what is printed, complained of and
# returned is what one would, and one that dies is an error, never a short list.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/faults.sh"

[ "$(nproc)" -gt 1 ] || skip_all 'one processor has one reader'
taskset -c 0 true 2>/dev/null || skip_all 'taskset is not there, or may not'
faults_need
make_conf '[example.com]' '[example.net]' '[example.org]'
spool=$tmp/spool

# many DOMAIN PART N MESSAGE...: as mkmsg makes it, N times, into new/ or cur/.
many()
{
	many_to=$spool/$1/$2 many_n=$3 many_domain=$1
	shift 3
	"$top_builddir/tests/lib/mkmsg" "$spool" "$many_domain" "$@" \
	    id=1jqvl3vhe60abcdefghij >/dev/null
	mkdir "$tmp/one"
	mv "$spool/$many_domain"/new/1jqvl3vhe60abcdefghij* "$tmp/one"
	python3 "$top_srcdir/tests/bench/fill.py" -l bmx "$tmp/one"/* \
	    "$many_to" "$many_n"
	rm -r "$tmp/one"
}

# Two domains take turns; one has more in each line than a pipe's buffer.
many example.com new 1300
many example.net cur 900 from= to=a@example.net to=b@example.net
# shellcheck disable=SC2046 # a list of words
many example.org new 20 from="$(printf '%0200d' 0)@s.example" \
    $(seq 400 | sed 's/.*/to=recipient-&@example.org/')

# What is not whole, foreign, or no file at all.
set -- "$spool"/example.com/new/*
i=0
for file; do
	i=$((i + 1))
	case $((i % 100)) in
	7) rm "$file" && echo cut >"$file" ;;
	19) rm "$file" && ln -s /etc/passwd "$file" ;;
	23) rm "$file" && mkdir "$file" ;;
	31) mv "$file" "$spool/example.com/cur/${file##*/}:2,F" ;;
	47) mv "$file" "$spool/example.com/new/foreign-$i" ;;
	esac
done
echo '2026-01-01T00:00:00Z to=<a@example.net> deferred peer=192.0.2.1 reply="451 later"' \
    >"$spool/example.net/log/1jqvl3vhe600000000010"
echo nonsense >"$spool/example.net/paused"

# said FILE: without what the clock changes
said()
{
	sed -E 's/"(age|lifetime_left)":-?[0-9]+//g; s/^([0-9a-v]{21}\t)[0-9]+/\1/' "$1"
}

# both WHAT ARGUMENTS...: by one reader and by several
both()
{
	both_what=$1
	shift
	taskset -c 0 bmx-queue "$@" >"$tmp/one" 2>&1
	echo "status $?" >>"$tmp/one"
	bmx-queue "$@" >"$tmp/several" 2>&1
	echo "status $?" >>"$tmp/several"
	said "$tmp/one" >"$tmp/wanted"
	said "$tmp/several" >"$tmp/got"
	same "$both_what: several readers say what one says" "$tmp/wanted" "$tmp/got"
}

both "a list" list
is "with what is damaged in it" "$(grep -c '^bmx-queue: ' "$tmp/wanted")" \
    "$(grep -c '	?$' "$tmp/wanted" | awk '{ print $1 + 1 }')"
like "and the status of the first of it" "$(tail -n 1 "$tmp/wanted")" '^status 65$'
both "JSON" list --json
is "a domain's damage is told once" "$(grep -c 'paused' "$tmp/wanted" |
	awk '{ print ($1 > 0) }') $(grep -c '^bmx-queue: example.net' "$tmp/wanted")" "1 1"
both "a filter that reads files" list --recipient 'b@*'
is "which finds some" "$(grep -c example.net "$tmp/wanted")" 900
both "a filter that reads logs" list --error later --json
if command -v script >/dev/null; then
	for hand in 'taskset -c 0' ''; do
		script -qec "$hand bmx-queue example.net example.org" /dev/null \
		    </dev/null | tr -d '\r' |
		    sed -E 's/^([0-9a-v]{21}) +[0-9.]+ [a-z]+/\1/' >"$tmp/table.${hand:+1}"
	done
	same "a table has one head and one total" "$tmp/table.1" "$tmp/table."
	is "and both" "$(grep -c '^ID\|^--' "$tmp/table.")" 2
else
	skip "a table has one head and one total" "script is not installed"
	skip "and both" "script is not installed"
fi

# ---- what can go wrong ----

taskset -c 0 bmx-queue >"$tmp/one" 2>/dev/null
said "$tmp/one" >"$tmp/wanted"

# without KIND ERROR: the Nth of them is not to be had
without()
{
	for n in 1 2; do
		faulty "$1" $n "$2" bmx-queue 2>/dev/null >"$tmp/several"
		was_hit || wrong 'there is no such call'
		said "$tmp/several" | cmp -s - "$tmp/wanted" || wrong 'another list'
		[ "$(cat "$tmp/status")" -eq 65 ] || wrong "status $(cat "$tmp/status")"
	done >"$tmp/wrong"
	is "without $1 it is read by one" "$(cat "$tmp/wrong")" ''
}

without fork EAGAIN
without pipe EMFILE

# broken KIND N DEED WORDS: so one of them ends, and the list with it.
broken()
{
	faulty "$1" "$2" "$3" bmx-queue 2>"$tmp/err" >"$tmp/several"
	was_hit || wrong 'there is no such call'
	[ "$(cat "$tmp/status")" -eq 75 ] || [ "$(cat "$tmp/status")" -eq 65 ] ||
	    wrong "status $(cat "$tmp/status")"
	grep -q "the list is not whole: .* $4\$" "$tmp/err" || wrong 'not told'
	# within a line, perhaps
	[ -z "$(tail -c 1 "$tmp/several")" ] || sed -i '$d' "$tmp/several"
	said "$tmp/several" >"$tmp/got"
	head -n "$(wc -l <"$tmp/got")" "$tmp/wanted" | cmp -s - "$tmp/got" ||
	    wrong 'not the beginning of the list'
}

for n in 100 1000 2000; do
	broken open $n kill-before 'signal 9'
done >"$tmp/wrong"
is "a reader that is killed is told, and what came before it is right" \
    "$(cat "$tmp/wrong")" ''

# Only readers write so: a head, then what it is of; first a batch, then its end.
for n in 1 2 3 4; do
	broken send $n kill-before 'signal 9'
	broken send $n EIO 'status 74'
done >"$tmp/wrong"
is "or that can give nothing on" "$(cat "$tmp/wrong")" ''

# Pipes are full long before the last ones are read.
bmx-queue --json 2>/dev/null >"$tmp/one"
tail -n 100 "$tmp/one" | sed 's/{"id":"//; s/".*//' >"$tmp/last"
bmx-queue --json 2>"$tmp/err" | {
	head -c 100 >"$tmp/several"
	while read -r id; do
		rm -r "$spool"/example.com/*/"$id"*
	done <"$tmp/last"
	cat >>"$tmp/several"
}
head -n -100 "$tmp/one" >"$tmp/left"
said "$tmp/left" >"$tmp/wanted"
said "$tmp/several" >"$tmp/got"
same "what goes meanwhile is left out" "$tmp/wanted" "$tmp/got"
is "in silence" "$(grep -cF -f "$tmp/last" "$tmp/err")" 0
bmx-queue 2>/dev/null | head -n 1 >"$tmp/got"
is "who reads no further is no trouble" "$(wc -l <"$tmp/got" | tr -d ' ')" 1
done_testing
