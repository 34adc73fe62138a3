#!/bin/sh
# bmx-mxcheck: facts are recorded and judged again, changes tried before they
# are published, and only news told.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_nsd
need python3

nsd_zone test <<'E'
$TTL 3600
good MX 10 mx1
good MX 20 mx2
one MX 10 mx1
bad MX 10 mx1
bad MX 20 www
www CNAME mx2
null MX 0 .
mx1 A 20.0.0.1
mx1 AAAA 2600::1
mx2 A 21.0.0.2
bare A 20.0.0.9
one TXT "v=spf1 \200\255 mx -all"
_25._tcp.mx1 TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
E
nsd_start

mxcheck()
{
	bmx-mxcheck -q --brief --resolver "$nsd" --ns-port "$nsd_port" \
	    --deadline 4 "$@"
}

# ---- record, replay ----

names='good.test one.test bad.test null.test bare.test gone.test'
for depth in --fail-on=error --all; do
	# shellcheck disable=SC2086
	mxcheck "$depth" --record "$tmp/facts" $names foo..bar >"$tmp/live"
	grep -v bad-name "$tmp/live" >"$tmp/want"
	bmx-mxcheck -q --brief "$depth" --replay "$tmp/facts" >"$tmp/got"
	same "what is replayed is judged as it was ($depth)" "$tmp/got" "$tmp/want"
	is "a line for each domain ($depth)" "$(wc -l <"$tmp/facts")" 6
	bmx-mxcheck -q --brief "$depth" --replay "$tmp/facts" \
	    --record "$tmp/again" >/dev/null
	same "recorded again it is the same ($depth)" "$tmp/again" "$tmp/facts"
done
stop nsd
exits "no network at replay" 1 bmx-mxcheck --replay "$tmp/facts"
like "names keep their line" "$(bmx-mxcheck -q --json --replay - <"$tmp/facts" |
    sed -n 3p)" '"line":3,"input":"bad.test"'
is "other checks, roles and limits can be tried on it" \
    "$(grep '"good.test"' "$tmp/facts" |
	bmx-mxcheck -q --brief --replay - --backup mx1.test)" \
    "good.test	error	PREF-ORDER,SELF-LISTED"
exits "names beside it" 2 bmx-mxcheck --replay "$tmp/facts" good.test
exits "a file that is not there" 2 bmx-mxcheck --replay "$tmp/nothing"
exits "a place that cannot be written" 2 mxcheck --record "$tmp/no/facts" good.test

# What was recorded stays until there is something better.
cp "$tmp/facts" "$tmp/kept"
chmod 640 "$tmp/kept"
ln -s kept "$tmp/link"
exits "wrong use" 2 bmx-mxcheck --record "$tmp/link" --resolver ns.test good.test
same "leaves the former record" "$tmp/kept" "$tmp/facts"
{ cat "$tmp/facts"; echo '{}'; } >"$tmp/broken"
exits "bad input" 65 bmx-mxcheck -q --record "$tmp/link" --replay "$tmp/broken"
same "leaves it, too" "$tmp/kept" "$tmp/facts"
exits "a file that may not grow" 75 sh -c 'ulimit -f 1; exec "$@" >/dev/null' sh \
    bmx-mxcheck -q --record "$tmp/link" --replay "$tmp/facts"
like "is told" "$(cat "$tmp/err")" "^bmx-mxcheck: write $tmp/link: File too large"
same "and leaves it" "$tmp/kept" "$tmp/facts"
exits "no name for a record" 2 bmx-mxcheck -q --record '' --replay "$tmp/facts"
exits "a record replayed into itself" 1 \
    bmx-mxcheck -q --record "$tmp/link" --replay "$tmp/kept" --assume 'no MX mx2.test'
is "is a record" "$(bmx-mxcheck -q --brief --replay "$tmp/kept" | sed -n 1p)" \
    "good.test	warning	MX-ONE"
is "with the mode and the link it had" \
    "$(stat -c %a "$tmp/kept") $(readlink "$tmp/link")" "640 kept"
is "and nothing is left beside it" "$(find "$tmp" -name '.kept*')" ""

# ---- files from hostile hands ----

cat >"$tmp/mutate.py" <<'E'
import copy, json, sys
good = json.loads(open(sys.argv[1]).readline())


def at(path, value):
    facts = copy.deepcopy(good)
    o = facts
    for key in path[:-1]:
        o = o[key]
    if value is None:
        del o[path[-1]]
    else:
        o[path[-1]] = value
    return json.dumps(facts)


lookup = good["mx"]
host = good["hosts"][0]
cases = {
    "not JSON": "{",
    "an array": "[]",
    "nothing in it": "{}",
    "a key too many": at(["more"], 1),
    "a key too many deep down": at(["mx", "more"], 1),
    "a key missing": at(["mx", "status"], None),
    "a key twice": '{"facts":1,"facts":1}',
    "another version": at(["facts"], 9),
    "a status that is none": at(["mx", "status"], "fine"),
    "a domain that is none": at(["domain"], "a b"),
    "a domain in capitals": at(["domain"], "GOOD.test"),
    "an escape in a domain": at(["domain"], "\033[2J.test"),
    "a number that is text": at(["mx", "ttl_min"], "1"),
    "a negative TTL": at(["mx", "ttl_min"], -1),
    "a TTL too large": at(["mx", "ttl_min"], 1 << 40),
    "a preference too large": at(["hosts", 0, "preference"], 65536),
    "hosts that are an object": at(["hosts"], {}),
    "no hosts though MX were found": at(["hosts"], []),
    "more hosts than we look at": at(["hosts"], [host] * 33),
    "an address that is none": at(["hosts", 0, "addresses", 0, "address"], "1.2.3"),
    "an empty address": at(["hosts", 0, "addresses", 0, "address"], ""),
    "more addresses than we look at": at(["hosts", 0, "addresses"], host["addresses"] * 40),
    "fewer ways back than addresses": at(["hosts", 0, "reverse"], host["reverse"][:1]),
    "more TLSA records than we look at": at(["hosts", 0, "tlsas"], host["tlsas"] * 17),
    "data that is not hex": at(["hosts", 0, "tlsas", 0, "data"], "zz" * 32),
    "data of another length": at(["hosts", 0, "tlsas", 0, "data"], "00"),
    "a name without end": at(["hosts", 0, "host"], "x" * 5000),
    "a character above U+00FF": at(["hosts", 0, "host"], "\u0100"),
    "a server without end": at(["mx", "server"], "1" * 200),
    "a zone without apex key": at(["zone", "apex"], None),
    "NUL in text": at(["hosts", 0, "host"], "a\0b"),
    "deep nesting": "[" * 100000,
}
for i, (name, text) in enumerate(cases.items()):
    with open("%s.%d" % (sys.argv[2], i), "w") as f:
        f.write("\n" + text + "\n")
    print(i, name)
E
python3 "$tmp/mutate.py" "$tmp/facts" "$tmp/hostile" >"$tmp/cases" ||
    bail "no cases"
while read -r number name; do
	exits "$name" 65 bmx-mxcheck -q --replay "$tmp/hostile.$number"
	like "... with the line ($name)" "$(cat "$tmp/err")" \
	    "^bmx-mxcheck: $tmp/hostile\\.$number line 2: not (JSON|facts)"
done <"$tmp/cases"
head -c 20000000 /dev/zero | tr '\0' x >"$tmp/long"
exits "a line without end" 65 bmx-mxcheck -q --replay "$tmp/long"
like "... with its number" "$(cat "$tmp/err")" 'long line 1: longer than'
head -c 3000 /dev/urandom >"$tmp/random"
exits "random bytes" 65 bmx-mxcheck -q --replay "$tmp/random"

printf '{"facts":2,\033[31m}\n' >"$tmp/escape"
for option in --replay --baseline; do
	is "$option: what is no JSON is shown, and does nothing to a terminal" \
	    "$(bmx-mxcheck -q "$option" "$tmp/escape" 2>&1 | cut -d: -f3-)" \
	    " not JSON: string or '}' expected near '\\x1b'"
done

# ---- what would be if ----

nsd_start
is "a backup that is not published yet" \
    "$(mxcheck --assume 'MX 20 mx2.test' one.test)" "one.test	ok	-"
is "a host that does not exist" \
    "$(mxcheck --assume 'MX 20 mx9.test' one.test)" \
    "one.test	error	MX-TARGET-NOADDR,MX-ONE"
is "another preference" \
    "$(mxcheck --assume 'MX 5 mx2.test' --backup mx2.test good.test)" \
    "good.test	error	PREF-ORDER,SELF-LISTED"
is "without one" "$(mxcheck --assume 'no MX mx2.test' good.test)" \
    "good.test	warning	MX-ONE"
is "another set" "$(mxcheck --assume 'no MX' --assume 'mx 10 mx2.test.' good.test)" \
    "good.test	warning	MX-ONE"
is "no set at all" "$(mxcheck --assume 'no MX' bare.test)" \
    "bare.test	warning	MX-EXISTS,MX-IMPLICIT"
is "the first set" "$(mxcheck --assume 'MX 10 mx1.test' --assume 'MX 20 mx2.test' bare.test)" \
    "bare.test	ok	-"
is "on what was recorded" "$(grep '"good.test"' "$tmp/facts" |
    bmx-mxcheck -q --brief --replay - --assume 'no MX mx2.test')" \
    "good.test	warning	MX-ONE"
is "a host that was not recorded cannot be tested" \
    "$(grep '"one.test"' "$tmp/facts" | bmx-mxcheck -q --brief --replay - \
	--only MX-TARGET-NOADDR --assume 'MX 20 mx2.test')" \
    "one.test	unknown	?MX-TARGET-NOADDR"
for bad in '' 'MX' 'MX 20' 'MX mx2.test' 'MX 70000 mx2.test' 'MX 20 a b' \
    'A 20 mx2.test' 'no' 'no MX a b' 'MX 20 a..b'; do
	exits "no assumption: '$bad'" 2 mxcheck --assume "$bad" one.test
done

# ---- only news ----

bmx-mxcheck -q --json --resolver "$nsd" one.test bad.test foo..bar >"$tmp/before"
is "what was known is not told" \
    "$(mxcheck --baseline "$tmp/before" one.test bad.test)" \
    "one.test	ok	-
bad.test	ok	-"
exits "nor is it a fault" 0 mxcheck --baseline "$tmp/before" bad.test
is "what is new is" "$(mxcheck --baseline "$tmp/before" \
    --assume 'MX 30 gone.test' one.test bad.test)" \
    "one.test	error	MX-TARGET-NOADDR
bad.test	error	MX-TARGET-NOADDR"
like "JSON says what was known" "$(bmx-mxcheck -q --json --resolver "$nsd" \
    --baseline "$tmp/before" one.test)" '"known":\["MX-ONE"\]'
for bad in '{' '[]' '{"schema":2}' '{"schema":1}' \
    '{"schema":1,"domain":"a","findings":[{}],"untested":[]}' \
    '{"schema":1,"domain":"a","findings":[]}'; do
	printf '\n%s\n' "$bad" >"$tmp/broken"
	exits "no baseline: $bad" 65 mxcheck --baseline "$tmp/broken" one.test
	like "... with its line: $bad" "$(cat "$tmp/err")" 'broken line 2: '
done

# ---- as they come ----

stop nsd
start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "$nsd_port"
wait_up dns ready
is "--unordered does not wait for the slow" \
    "$(mxcheck --unordered --deadline 2 silent.test a.test b.test | cut -f1 |
	tail -1)" silent.test
is "and loses none" "$(mxcheck --unordered --deadline 2 silent.test a.test \
    b.test | cut -f1 | sort | tr '\n' ' ')" 'a.test b.test silent.test '
done_testing
