#!/bin/sh
# bmx-mxcheck and lists: what goes in comes out, once, in order.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_nsd

# No wildcard: NSD limits how often it answers from one.
awk 'BEGIN {
	n = split("a b c z two good blanks dot xn--bcher-kva columns crlf", names)
	for (i = 0; i < 7000; i++)
		names[++n] = "d" i
	print "$TTL 3600\none MX 10 mx1\nmx1 A 20.0.0.1\nmx2 A 20.0.0.2"
	for (i = 1; i <= n; i++)
		printf "%s MX 10 mx1\n%s MX 20 mx2\n", names[i], names[i]
}' | nsd_zone test
nsd_start

mxcheck()
{
	bmx-mxcheck --brief --resolver "$nsd" "$@"
}

# ---- names in every state ----

long=$(printf '%0300d' 0)
printf '%s\n' '# a comment' '; another' '' '   ' 'good.test' '  Blanks.Test  ' \
    'dot.test.' 'bücher.test' 'columns.test 192.0.2.1 more' 'foo..bar' \
    'user@good.test' "$long.test" 'good.test' 'under_score.test' >"$tmp/list"
printf 'crlf.test\r\n\033[2Jevil\n\tone.test' >>"$tmp/list"

mxcheck -f "$tmp/list" >"$tmp/out" 2>"$tmp/err"
is "a bad line is exit 3" $? 3
cut -f1,2 "$tmp/out" | sed 's/^0*\.\.\./LONG/' >"$tmp/got"
cat >"$tmp/want" <<'E'
good.test	ok
blanks.test	ok
dot.test	ok
xn--bcher-kva.test	ok
columns.test	ok
foo..bar	bad-name
user@good.test	bad-name
E
sed -n 8p "$tmp/got" >>"$tmp/want"
cat >>"$tmp/want" <<'E'
good.test	ok
under_score.test	bad-name
crlf.test	ok
\x1b[2Jevil	bad-name
one.test	warning
E
is "a record for each name, in order" "$(cat "$tmp/got")" "$(cat "$tmp/want")"
like "an endless name too" "$(sed -n 8p "$tmp/got")" '^0+(\.\.\.)?(\.test)?	bad-name$'
like "the counts agree" "$(cat "$tmp/err")" \
    '^13 name\(s\) in, 13 record\(s\) out: 5 bad-name, 1 warning, 7 ok; '
like "a bad name has its reason" "$(grep ^foo "$tmp/out")" 'bad-name	.'
bmx-mxcheck -q --resolver "$nsd" -f "$tmp/list" >"$tmp/out"
like "and its line" "$(cat "$tmp/out")" '^foo\.\.bar: bad-name: .*\(line 10\)$'

# ---- where names come from ----

echo two.test >"$tmp/two"
is "arguments, in their order" "$(mxcheck -q b.test a.test | cut -f1 | tr '\n' ' ')" \
    'b.test a.test '
is "- is stdin, among arguments" \
    "$(mxcheck -q a.test - z.test <"$tmp/two" | cut -f1 | tr '\n' ' ')" \
    'a.test two.test z.test '
is "-f - is stdin" "$(mxcheck -q -f - <"$tmp/two" | cut -f1)" two.test
exits "an empty list is no fault" 0 mxcheck - </dev/null
like "and is counted" "$(cat "$tmp/err")" '^0 name\(s\) in, 0 record\(s\) out; '
exits "a list that is not there" 2 mxcheck -f "$tmp/none"
like "is named" "$(cat "$tmp/err")" "$tmp/none: No such file"
exits "-f and names exclude each other" 2 mxcheck -f "$tmp/two" a.test
BMX_CONF=$tmp/none exits "bmx.conf has to be there if it is named" 78 mxcheck a.test

# ---- many ----

awk 'BEGIN { for (i = 0; i < 20000; i++) print "d" i % 7000 ".test" }' >"$tmp/many"
for jobs in 1 64 5000; do
	mxcheck -q -j "$jobs" -f "$tmp/many" >"$tmp/out.$jobs"
	cut -f1 "$tmp/out.$jobs" >"$tmp/names"
	same "20,000 names, $jobs at once" "$tmp/names" "$tmp/many"
done
same "the same verdicts" "$tmp/out.1" "$tmp/out.64"
same "however many at once" "$tmp/out.1" "$tmp/out.5000"

limit=131072 # KiB of address space
# shellcheck disable=SC3045 # where there is no -v, the test is skipped
if (ulimit -v $limit && bmx-mxcheck --version) >"$tmp/out" 2>&1; then
	for n in 1 2 3 4 5; do cat "$tmp/many"; done >"$tmp/100000"
	# shellcheck disable=SC3045
	(ulimit -v $limit && mxcheck -q -f "$tmp/100000") >"$tmp/out" 2>"$tmp/err"
	is "100,000 names need little memory" "$(wc -l <"$tmp/out")" 100000
else
	skip "100,000 names need little memory" "this build cannot run in $limit KiB"
fi

# ---- in a pipeline ----

# Somebody who writes a name and waits for its record before the next.
cat >"$tmp/dialogue" <<'E'
mkfifo "$tmp/in" "$tmp/answers"
bmx-mxcheck --brief -q --resolver "$1" - <"$tmp/in" >"$tmp/answers" &
exec 3>"$tmp/in" 4<"$tmp/answers"
for name in a.test b.test c.test; do
	echo "$name" >&3
	read -r answer <&4 && echo "$answer"
done
E
is "a dialogue does not wait for more names" \
    "$(timeout 20 sh "$tmp/dialogue" "$nsd" | cut -f1 | tr '\n' ' ')" \
    'a.test b.test c.test '
if [ -w /dev/full ]; then
	mxcheck -q -f "$tmp/many" >/dev/full 2>"$tmp/err"
	is "a full disk is no verdict" $? 75
	like "and is told" "$(cat "$tmp/err")" 'No space left'
else
	skip "a full disk is no verdict" "no /dev/full"
	skip "and is told" "no /dev/full"
fi
done_testing
