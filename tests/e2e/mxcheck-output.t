#!/bin/sh
# bmx-mxcheck: what it prints, in each format, and what it exits with.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_unbound
need python3

nsd_zone test <<'E'
$TTL 3600
good MX 10 mx1
good MX 20 mx2
bad MX 10 mx1
bad MX 20 alias
bad MX 30 gone
one MX 10 mx1
short 60 MX 10 mx1
short 60 MX 20 mx2
null MX 0 .
alias CNAME mx2
mx1 A 20.0.0.1
mx2 A 20.0.0.2
E
nsd_start
unbound_start

mxcheck()
{
	bmx-mxcheck --resolver "$nsd" "$@"
}

# ---- exit status ----

exits "clean" 0 mxcheck good.test
exits "an error" 1 mxcheck bad.test
exits "a warning is less" 0 mxcheck one.test
exits "unless it is to count" 1 mxcheck --fail-on warning one.test
exits "a notice is less" 0 mxcheck --fail-on warning short.test
exits "unless it is to count" 1 mxcheck --fail-on notice short.test
exits "what is only worth knowing never counts" 0 mxcheck --fail-on notice null.test
exits "one fault in a list" 1 mxcheck good.test bad.test good.test
exits "not tested" 3 bmx-mxcheck --resolver "$unbound" nowhere.example
exits "a fault beats what was not tested" 1 \
    bmx-mxcheck --resolver "$unbound" nowhere.example bad.test
exits "ignored" 0 mxcheck --ignore MX-TARGET-ALIAS --ignore mx-target-noaddr bad.test
exits "a check that is not" 2 mxcheck --ignore MX-NOPE good.test
exits "an option that is not" 2 mxcheck --nope good.test
exits "a level that is not" 2 mxcheck --fail-on info good.test
exits "two formats" 2 mxcheck --brief --json good.test
exits "no names" 2 mxcheck
exits "a resolver that is none" 2 bmx-mxcheck --resolver ns.test good.test
exits "a role that is none" 2 mxcheck --backup 'a b' good.test
exits "an address with a slip is no name" 2 mxcheck --backup 2001:db8:::1 good.test
like "and named" "$(cat "$tmp/err")" '^bmx-mxcheck: 2001:db8:::1: not a host name or an address$'

# refused MESSAGE OPTION VALUE [N]: N of them, from VALUE1 on; else VALUE as it is.
refused()
{
	refused_is=$1
	option=$2
	value=$3
	n=${4:-0}
	set --
	[ "$n" -gt 0 ] || set -- "$option" "$value"
	while [ "$n" -gt 0 ]; do
		set -- "$@" "$option" "$value$n"
		n=$((n - 1))
	done
	exits "$option: $refused_is" 2 bmx-mxcheck "$@" good.test
	like "and says so" "$(cat "$tmp/err")" "$refused_is"
}
refused 'more than 32 assumptions' --assume 'MX 10 mx' 33
refused 'more than 8 lists' --dnsbl 'list.example,a' 9
refused 'more than [0-9]+ hosts in one role' --primary 'mx' 1000
refused 'more than 32 of them' --without 'mx' 33
refused 'ttl-min' --ttl-min -1
refused 'ttl-max' --ttl-max -1
refused 'cert-days' --cert-days 3651
exits "no jobs" 2 mxcheck -j 0 good.test
exits "--help" 0 bmx-mxcheck --help
is "which fits a terminal" \
    "$(awk 'length > 80 || NR > 24' "$tmp/out")" ""
exits "--version" 0 bmx-mxcheck --version

# A descriptor that is closed is none of the files that are opened later.
exits "nowhere to report to" 75 sh -c 'bmx-mxcheck "$@" >&-' sh --resolver "$nsd" \
    --record "$tmp/facts" good.test
like "is told" "$(cat "$tmp/err")" '^bmx-mxcheck: write standard output: '
is "and no report is in the record" "$(cat "$tmp/facts" 2>&1 | grep -c '^good')" 0
exits "nor a summary" 0 sh -c 'bmx-mxcheck "$@" 2>&-' sh --resolver "$nsd" \
    --record "$tmp/facts" good.test
is "which has facts alone" "$(grep -vc '^{"facts"' "$tmp/facts")" 0
exits "nothing to read names from" 75 sh -c 'bmx-mxcheck - <&-'

# ---- for people ----

mxcheck bad.test >"$tmp/out" 2>"$tmp/err"
cat >"$tmp/want" <<E
bad.test: error
  error    MX-TARGET-ALIAS  alias.test: is an alias of mx2.test [$nsd]
           cure: Let the MX record name the host itself, the last name of the chain.
  error    MX-TARGET-NOADDR gone.test: the name does not exist (NXDOMAIN) [$nsd]
           cure: Publish the address, or remove the MX record. A name that ends in the domain's name twice lacks its final dot in the zone file.
E
same "findings with their evidence and cure" "$tmp/out" "$tmp/want"
like "a summary on stderr" "$(cat "$tmp/err")" '^1 name\(s\) in, 1 record\(s\) out: 1 error; '
mxcheck -q good.test >"$tmp/out" 2>"$tmp/err"
is "a good domain is one line" "$(cat "$tmp/out")" "good.test: ok"
is "and with -q nothing else" "$(cat "$tmp/err")" ""
bmx-mxcheck -q --resolver "$unbound" nowhere.example >"$tmp/out"
like "what was not tested is told once" "$(cat "$tmp/out")" \
    "^  unknown  nowhere\\.example: MX: SERVFAIL \\[$unbound\\]\$"

# on_terminal COMMAND...: run it with stdout and stderr on a terminal.
on_terminal()
{
	python3 -c 'import pty, sys
pty.spawn(sys.argv[1:])' bmx-mxcheck --resolver "$@" </dev/null 2>&1
}
escape=$(printf '\033')
like "colour on a terminal" "$(on_terminal "$nsd" bad.test)" "$escape\[31merror"
like "green where all is well" "$(on_terminal "$nsd" good.test)" "$escape\[32mok"
like "yellow for a warning" "$(on_terminal "$nsd" one.test)" "$escape\[33mwarning"
like "cyan for what is no fault" "$(on_terminal "$nsd" null.test)" "$escape\[36minfo"
unlike "none in a file" "$(mxcheck bad.test 2>&1)" "$escape"
unlike "none with NO_COLOR" "$(export NO_COLOR=1; on_terminal "$nsd" bad.test)" "$escape"
freeze nsd
like "progress on a terminal" "$(on_terminal "$nsd" --deadline 4 good.test)" ' checked, '
unlike "not with -q" "$(on_terminal "$nsd" --deadline 4 -q good.test)" ' checked, '
unlike "not in a file" "$(mxcheck --deadline 4 good.test 2>&1)" ' checked, '
thaw nsd

# ---- for programs ----

is "--brief" "$(mxcheck -q --brief good.test bad.test null.test)" \
    "good.test	ok	-
bad.test	error	MX-TARGET-ALIAS,MX-TARGET-NOADDR
null.test	info	MX-NULL"

cat >"$tmp/check.py" <<'E'
import json, sys
keys = None
for line in sys.stdin:
    record = json.loads(line)
    if keys not in (None, list(record)):
        sys.exit("keys differ")
    keys = list(record)
    for array in "mx", "findings", "untested", "passed", "not_applicable", "known":
        assert isinstance(record[array], list), array
    ids = {f["id"] for a in ("findings", "untested") for f in record[a]}
    ids |= set(record["passed"]) | set(record["not_applicable"])
    if record["domain"] is not None:
        assert len(ids) == 64, ids
        assert all(f["cure"] and f["evidence"] and f["subject"]
                   for f in record["findings"])
    hosts = " ".join("%s %s %s" % (m["preference"], m["host"],
                                   ",".join(m["addresses"]))
                     for m in record["mx"])
    print(record["schema"], record["line"], record["input"], record["rest"],
          record["domain"], record["verdict"], record["answer"], hosts,
          ",".join(f["id"] + " " + f["subject"] for f in record["findings"]),
          sep="|")
print(" ".join(keys))
E
printf 'good.test\n\nBAD.test column\nfoo..bar\n' >"$tmp/list"
mxcheck -q --json -f "$tmp/list" | python3 "$tmp/check.py" >"$tmp/out" 2>&1
cat >"$tmp/want" <<'E'
1|1|good.test||good.test|ok|found|10 mx1.test 20.0.0.1 20 mx2.test 20.0.0.2|
1|3|BAD.test|column|bad.test|error|found|10 mx1.test 20.0.0.1 20 alias.test 20.0.0.2 30 gone.test |MX-TARGET-ALIAS alias.test,MX-TARGET-NOADDR gone.test
1|4|foo..bar||None|bad-name|None||
schema time line input rest domain verdict reason answer mx findings untested passed not_applicable known senders
E
is "--json" "$(cat "$tmp/out")" "$(cat "$tmp/want")"
awk 'BEGIN {
	printf "good.test a\303\274\\b "
	for (i = 0; i < 1000; i++)
		printf "c"
	print ""
}' >"$tmp/list"
is "what followed the name is printable, and has an end" \
    "$(mxcheck -q --json -f "$tmp/list" | python3 -c 'import json, sys
rest = json.load(sys.stdin)["rest"]
print(len(rest), rest[:14], rest[-4:])')" '319 a\xc3\xbc\x5cb c...'
is "--json of what was not tested" \
    "$(bmx-mxcheck -q --json --resolver "$unbound" nowhere.example |
        python3 "$tmp/check.py" | sed -n 1p)" \
    '1|None|nowhere.example||nowhere.example|unknown|SERVFAIL||'

# ---- the checks themselves ----

bmx-mxcheck --explain mx-target-alias >"$tmp/out"
is "--explain" $? 0
like "gives the reason" "$(cat "$tmp/out")" '^  why: .*refuse such a host'
like "the RFC" "$(cat "$tmp/out")" '^  basis: RFC 2181 10\.3'
like "and the cure" "$(cat "$tmp/out")" '^  cure: '
is "--explain all lists them" \
    "$(bmx-mxcheck --explain all | grep -c "^[A-Z]")" 64
exits "what cannot be explained" 2 bmx-mxcheck --explain MX-NOPE
done_testing
