#!/bin/sh
# bmx-mxcheck and name servers that misbehave: always a record with a reason,
# never a fault found where there was no answer, never a hang.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need python3

port=$(free_port)
start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "$port"
wait_up dns ready
dns=127.0.0.1:$port

# trouble NAME REASON: no answer worth the name.
trouble()
{
	exits "$1 is could-not-test, exit 3" 3 timeout 30 bmx-mxcheck \
	    --deadline 2 --resolver "$dns" "$1.test"
	like "$1 is told as such" "$(cat "$tmp/out")" \
	    "unknown +$1\\.test: MX: $2"
}

exits "a server that behaves" 0 bmx-mxcheck --resolver "$dns" good.test
trouble silent 'no answer'
trouble servfail SERVFAIL
trouble refused REFUSED
trouble junk '(malformed answer|no answer|SERVFAIL|REFUSED)'
trouble wrongq 'no answer'
trouble otherid 'no answer'
trouble trailing 'malformed answer'
trouble short 'malformed answer'
trouble pointers 'malformed answer'
trouble tc '(no answer|malformed answer)'

bmx-mxcheck --brief -q --resolver "$dns" evil.test >"$tmp/evil"
is "hostile names stay on their line" "$(wc -l <"$tmp/evil")" 1
bmx-mxcheck -q --resolver "$dns" evil.test >"$tmp/evil"
unlike "and send nothing to the terminal" "$(cat -v "$tmp/evil")" '\^\[|^spoof'
bmx-mxcheck --brief -q --resolver "$dns" many.test addrs.test >"$tmp/many"
like "more hosts than we look at are not called good" "$(cat "$tmp/many")" \
    '^many\.test	unknown	\?MX-NULL-MIXED,\?MX-TARGET-ALIAS,'
is "unless others are assumed in their place" "$(bmx-mxcheck -q --brief --resolver "$dns" \
    --assume 'no MX' --assume 'MX 1 mx1.test' --assume 'MX 2 mx2.test' many.test)" \
    'many.test	ok	-'
like "nor are more addresses" "$(cat "$tmp/many")" \
    '^addrs\.test	unknown	\?MX-ADDR-SPECIAL'
like "but counted" "$(bmx-mxcheck -q --resolver "$dns" --senders addrs.test)" \
    '^    and 8 more addresses$'

# All checks, of servers and records that misbehave in every way: one record
# each, in time, and nothing reaches the terminal.
ways='silent servfail refused junk wrongq otherid trailing short pointers tc
many addrs evil bigtxt evilns nsloop good'
for way in $ways; do
	timeout 30 bmx-mxcheck -q --json --all --deadline 2 --ns-port "$port" \
	    --dnsbl bl.test --resolver "$dns" --primary mx1.test \
	    --record "$tmp/facts" "$way.test" >"$tmp/out" 2>"$tmp/err"
	case $? in
	0 | 1 | 3) pass "$way, all checks" ;;
	*) fail "$way, all checks" "$(cat "$tmp/err")" ;;
	esac
	is "$way is one record" "$(wc -l <"$tmp/out")" 1
	bmx-mxcheck -q --all --replay "$tmp/facts" --primary mx1.test >"$tmp/out" 2>&1
	unlike "$way sends nothing to the terminal" "$(cat -v "$tmp/out")" '\^\[|^spoof'
	like "$way can be replayed" "$(head -1 "$tmp/out")" "^$way\\.test: "
done
# The order of the records of a reply makes no difference.
for n in 1 2 3 4 5; do
	bmx-mxcheck -q --json --all --deadline 2 --ns-port "$port" --resolver "$dns" \
	    evilns.test evil.test addrs.test | sed 's/"time":"[^"]*"//'
done | sort | uniq -c | sed 's/ *\([0-9]*\).*/\1/' >"$tmp/counts"
is "the same records give the same report" "$(tr '\n' ' ' <"$tmp/counts")" "5 5 5 "
like "64 KiB of TXT are read" "$(bmx-mxcheck -q --only SPF-BACKUP \
    --resolver "$dns" --primary mx1.test bigtxt.test)" '^bigtxt\.test: '

# Lists that are no lists.
{ printf x@; head -c 20000 /dev/urandom | tr '\n\0' '\r'; } >"$tmp/list"
bmx-mxcheck --brief --resolver "$dns" -f "$tmp/list" >"$tmp/out" 2>"$tmp/err"
is "random bytes are one bad name" "$(cut -f2 "$tmp/out" | sort -u)" bad-name
head -c 70000 /dev/zero | tr '\0' a >"$tmp/list"
exits "a line without end is refused" 65 bmx-mxcheck --resolver "$dns" -f "$tmp/list"
like "... with its number" "$(cat "$tmp/err")" 'line 1 is longer than 65536 bytes'

printf 'good.test\ngood.test\0evil.test\n' >"$tmp/list"
exits "a line with a NUL too" 65 bmx-mxcheck --resolver "$dns" -f "$tmp/list"
like "... with its number" "$(cat "$tmp/err")" 'line 2 has a NUL'

# One slow name among many: in order, none lost, and no slower than it is.
awk 'BEGIN {
	for (i = 0; i < 3000; i++)
		print (i == 5 || i == 1000) ? "silent.test" : "d" i ".test"
}' >"$tmp/list"
exits "slow names in a list" 3 timeout 30 bmx-mxcheck --brief --deadline 2 \
    --resolver "$dns" -f "$tmp/list"
cut -f1 "$tmp/out" >"$tmp/names"
same "each name has its record, in order" "$tmp/names" "$tmp/list"
done_testing
