#!/bin/sh
# Which messages: one grammar for every verb of bmx-queue.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

# picks "test" IDS OPTION...: list, count and --json find the same messages.
picks()
{
	what=$1 want=$2
	shift 2
	is "$what" "$(bmx-queue "$@" | cut -f 1)" "$want"
	is "$what, counted" "$(bmx-queue count "$@")" \
	    "$(printf '%s' "${want:+$want
}" | wc -l | tr -d ' ')"
}

make_conf '[example.com]' '[example.net]'

old=$(mk example.com age=200000 from=win@spam.example size=100)
big=$(mk example.com age=5000 size=70000 to=bob@example.com to=carol@example.com)
null=$(mk example.net age=4000 from= size=100)
late=$(mk example.net age=60 size=100 from=Alice@Example.ORG to=dave@example.net)

picks "--domain with a pattern" "$null
$late" --domain '*.NET'
picks "--domain beside a domain that it does not want" "" example.com \
    --domain example.net
for name in "$late" example.net/"$late"; do
	exits "$name outside of --domain" 69 bmx-queue "$name" --domain example.com
	is "and why" "$(cat "$tmp/err")" \
	    "bmx-queue: $name: no such message in the domains of --domain"
done
picks "--sender with a pattern, in any case" "$big
$late" --sender 'ALICE@*'
picks "--sender of the null sender" "$null" --sender ''
picks "as SMTP writes it" "$null" --sender '<>'
picks "--recipient: any of them" "$big" --recipient 'carol@*'
picks "--older" "$old" --older 2d
picks "--newer, in minutes" "$late" --newer 5m
picks "both: a span of time" "$big
$null" --older 1h --newer 2h
picks "--larger" "$big" --larger 64K
picks "--smaller" "$old
$null
$late" --smaller 64K
picks "every part has to hold" "$null" --smaller 64K --older 1h --newer 1d
bmx-queue hold "$null" >/dev/null
picks "--held" "$null" --held
picks "--not-held, of a domain" "$late" --not-held example.net
picks "an ID that does not fit" "" "$null" --not-held
printf '%s\n' "$old" "$late" >"$tmp/ids"
is "IDs of standard input, sifted" \
    "$(bmx-queue --sender '*spam*' - <"$tmp/ids" | cut -f 1)" "$old"

bmx-queue retry example.com >/dev/null
for id in $old $big; do
	set -- "$tmp/spool/example.com/new/$id"*
	mv "$1" "$tmp/spool/example.com/cur/${1##*/}:2,"
done
echo '2026-11-24T03:11:14Z to=<bob@example.com> deferred peer=192.0.2.1:25 reply="452 4.2.2 Mailbox FULL"' \
    >"$tmp/spool/example.com/log/$big"
echo '2026-11-24T03:11:14Z to=<bob@example.com> deferred peer=192.0.2.1:25 reply="450 4.2.0 Greylisted"' \
    >"$tmp/spool/example.com/log/$old"
picks "--error looks into the last reply, in any case" "$big" \
    --error 'mailbox full'
echo '2026-11-24T03:21:14Z to=<bob@example.com> deferred peer=192.0.2.1:25 reply="450 4.2.0 Greylisted"' \
    >>"$tmp/spool/example.com/log/$big"
picks "which is the last one" "$old
$big" --error GREYLISTED
is "--json tells of the attempts" "$(bmx-queue --json "$big" |
    sed 's/.*"attempts":\([0-9]*\),"last_try":\("[^"]*"\),"last_reply":\("[^"]*"\),"peer":\("[^"]*"\).*/\1 \2 \3 \4/')" \
    '2 "2026-11-24T03:21:14.000000Z" "450 4.2.0 Greylisted" "192.0.2.1:25"'

# ---- with the other verbs ----

is "--domains" "$(bmx-queue --domains --larger 64K)" "example.com"
is "--summary" "$(bmx-queue --summary --sender '' | cut -f 1,2)" "example.net	1"
like "show" "$(bmx-queue show --older 2d)" "^ID: *$old\$"
is "hold acts by filter at once: it can be taken back" \
    "$(bmx-queue hold --older 2d)" "$old	example.com	held"
is "release too" "$(bmx-queue release --held --domain '*.com')" \
    "$old	example.com	released"
exits "remove by filter does nothing" 64 bmx-queue remove --sender '*@spam.example'
is "but list what it would do" "$(cat "$tmp/out")" "$old	example.com	remove"
like "and how to do it" "$(cat "$tmp/err")" 'with --yes it is done to .*\(1\)'
is "an ID that does not fit is not removed" \
    "$(bmx-queue remove "$late" --held)" ""
is "remove by filter with --yes" \
    "$(bmx-queue remove --yes --sender '*@spam.example')" \
    "$old	example.com	removed"
picks "leaves the rest" "$big
$null
$late"

# ---- mistakes ----

for words in "remove" "hold --yes --held" "--older x" "--older -3d" "--older 3D" \
    "--larger 1k" "--held --not-held" "--error=" "reconcile --held x" \
    "--older 999999999999999999999d" "--older 3d --older 2d" \
    "count --sender a@* --sender b@*" "remove --yes --domain a --domain b"; do
	# shellcheck disable=SC2086
	exits "bmx-queue $words is a usage error" 64 bmx-queue $words
done
bmx-queue remove --yes --older 30d --older 0s 2>"$tmp/err"
is "nothing is removed by the looser of two, though each part has to hold" \
    "$(cat "$tmp/err")" "bmx-queue: --older is given twice"
like "which says how to write it" "$(bmx-queue --older soon 2>&1)" \
    '^bmx-queue: --older soon: no length of time, like 90s, 15m, 12h, 3d$'

done_testing
