#!/bin/sh
# bmx-report: its numbers are those of history, ledger and spool, foreign words
# are only words, and a browser has nothing to say about the page.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need python3
PATH=$top_srcdir/scripts:$PATH
make_conf '[a.example]' 'primary = 127.0.0.1:9' '[b.example]' 'primary = 127.0.0.1:9'
mkdir -m 700 "$tmp/spool/ledger" "$tmp/spool/a.example" || bail "no spool"
now=$(date +%s)

# ago SECONDS: that time, as in the history
ago()
{
	date -u -d "@$((now - $1))" +%Y-%m-%dT%H:%M:%SZ
}
hour=3600
day=86400
{
	echo "$(ago $((12 * day))) up"
	echo "$(ago $((6 * day))) down from=$(ago $((6 * day))) seen=$(ago $((6 * day + 60))) reason=\"said <b>no</b> & left\""
	echo "$(ago $((6 * day - 12 * hour))) up from=$(ago $((6 * day - 12 * hour)))"
	echo "$(date -u -d "@$((now - 4 * day))" +%Y-%m-%d) up results=100 good=97 connect=3:90,4:9,14:1"
} >"$tmp/spool/a.example/history"
printf 'verdict up\nprobed %s\nlast up\nrun 9\n' "$(ago 0)" >"$tmp/spool/a.example/primary"

# line AGE-OF-END ID WHAT SIZE AGE-OF-ARRIVAL REPLY...: into the ledger
line()
{
	line_end=$(ago "$1")
	line_head="$line_end id=$2 domain=a.example what=$3 size=$4"
	line_came=$(ago "$5")
	shift 5
	echo "$line_head from=<x@example.org> nrcpt=1 peer=127.0.0.1:9 arrival=$line_came reply=$*" \
	    >>"$tmp/spool/ledger/$(echo "$line_end" | cut -c 1-7)"
}
# four hours, two of them for one message whose recipients went one by one
over=$((6 * day - 12 * hour))
line $((over - 60)) one delivered 1000 $((over + 4 * hour)) 250 2.0.0 taken
line $((over - 62)) two delivered 3000 $((over + 2 * hour)) 250 2.0.0 taken
line $((over - 64)) two delivered 3000 $((over + 2 * hour)) 250 2.0.0 taken
line $((over - 68)) three delivered 500 $((over + 1 * hour)) 250 2.0.0 taken
line $((over - 600)) four failed 100 $((over + 1 * hour)) '550 5.7.1 <script>alert("x")</script> &amp; \x1b[2J'
line $((over - 900)) five removed 100 $((over + 1 * hour)) 'an operator'"'"'s reason'
line $((80 * day)) old delivered 100 $((81 * day)) 250 2.0.0 before the report
printf '%s\n' '' 'torn li' '' >>"$tmp/spool/ledger/$(ago 0 | cut -c 1-7)"
# two that wait, the older for three hours
bmx-receive <<E >/dev/null 2>&1
EHLO client.example.org
MAIL FROM:<a@example.org>
RCPT TO:<b@a.example>
DATA
Subject: waits

.
QUIT
E
bmx_waiting=$(bmx-queue count)

exits "a page: 0" 0 bmx-report --objective 95
cp "$tmp/out" "$tmp/page.html"
cat >"$tmp/tables.py" <<'E'
"""The tables of a page as lines with tabs, an empty line behind each."""
import html.parser
import sys


class Tables(html.parser.HTMLParser):
    row, cell = None, None

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            self.cell = ""

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.row.append(self.cell)
            self.cell = None
        elif tag == "tr":
            print("\t".join(self.row))
        elif tag == "table":
            print()


Tables().feed(sys.stdin.read())
E
python3 "$tmp/tables.py" <"$tmp/page.html" >"$tmp/tables"
# cells FIRST N...: of the first row that begins so
cells()
{
	awk -F '\t' -v first="$1" '$1 == first' "$tmp/tables" | head -n 1 | cut -f "$2"
}

# ---- the numbers ----

bmx-probe --report --json --objective 95 a.example >"$tmp/sla"
# of KEY: as bmx-probe says
of()
{
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
	    "$tmp/sla" "$1"
}
ledger()
{
	cat "$tmp"/spool/ledger/* | grep -v ' id=old ' | grep "$@"
}
is "available as bmx-probe says" "$(cells a.example 2)" "$(of availability |
    awk '{ printf "%.2f %%", int($1 * 10000) / 100 }')"
is "so is the objective" "$(cells a.example 3)" "$(of is_met | sed 's/True/yes/')"
is "and the outages" "$(cells a.example 4)" "$(of outages)"
is "handed over as the ledger says" "$(cells a.example 9)" "$(ledger -c what=delivered)"
is "so are the bytes" "$(cells a.example 10)" "$(ledger what=delivered |
    awk '{ sub("size=", "", $5); n += $5 } END { print n " bytes" }')"
is "what failed, and what was removed" "$(cells a.example 13-14 | tr '\t' ' ')" \
    "$(ledger -c what=failed) $(ledger -c what=removed)"
is "half of all waited no longer" "$(cells a.example 11-12 | tr '\t' ' ')" '2.0 h 4.0 h'
is "what waits is what bmx-queue counts" "$(cells a.example 7)" "$bmx_waiting"
is "the drain: messages, bytes, seconds, speed" \
    "$(sed -n '/^Began	Messages/{ n; p; }' "$tmp/tables" | cut -f 2- | tr '\t' ' ')" \
    '4 7500 bytes 8.0 s 0.5 /s'
is "the outage: how long, what it was" \
    "$(sed -n '/^Began	Lasted/{ n; p; }' "$tmp/tables" | cut -f 2,4,5)" \
    '12 h	down	said <b>no</b> & left'
is "waits by length" "$(cells 'up to 60 min' 2) $(cells 'up to 6.0 h' 2)" '0 4'
like "five have waited at once, one by its last line" "$(cat "$tmp/page.html")" \
    '>Messages waiting \(most: 5\)<'
like "the oldest had been there since then" "$(cat "$tmp/page.html")" \
    '>Age of the oldest \(most: 4\.0 h\)<'
is "steps of a session" "$(cells connect 2- | tr '\t' ' ')" '10 ms 20 ms 20 ms'
is "a day without results is no day that was good" \
    "$(grep -o '<rect class="[a-z]*" x[^>]*><title>2[-0-9]*: [0-9.]* %' "$tmp/page.html" |
	wc -l)" "$(of spells | python3 -c '
import ast, datetime, sys
day = lambda text: datetime.date.fromisoformat(text[:10]).toordinal()
days = set()
for s in ast.literal_eval(sys.stdin.read()):
    days.update(range(day(s["from"]), day(s["to"]) + 1))
print(len(days))')"
like "a line that cannot be read is said" "$(cat "$tmp/page.html")" '1 lines of the ledger'
is "a domain without any past has a row too" "$(cells b.example 1,2,9 | tr '\t' ' ')" \
    'b.example - 0'

# ---- foreign words, and nothing foreign ----

unlike "words of a server are no markup" "$(cat "$tmp/page.html")" '<script|<b>'
like "they are told" "$(cat "$tmp/tables")" \
    '	550 5\.7\.1 <script>alert\("x"\)</script> &amp; \\x1b\[2J$'
unlike "nothing is fetched" "$(cat "$tmp/page.html")" 'https?:|src=|href=|url\(|@import'
like "it has a dark side" "$(cat "$tmp/page.html")" 'prefers-color-scheme: dark'

exits "--output: 0" 0 sh -c "umask 077; exec bmx-report -o $tmp/out.html a.example"
is "is a file for nobody else, by the umask" "$(stat -c %a "$tmp/out.html")" 600
is "and no other is left" "$(find "$tmp" -maxdepth 1 -name '.bmx-report*')" ''
exits "somewhere else that is not there: 69" 69 bmx-report -o "$tmp/none/x"
exits "a name that is not ours alone: 69" 69 bmx-report c.example
like "and said why" "$(cat "$tmp/err")" 'knows no domain'
exits "an option that is none: 64" 64 bmx-report --nonsense
exits "no configuration: 69" 69 bmx-report -c "$tmp/none"
like "it says what is wrong" "$(cat "$tmp/err")" "^bmx-report: bmx-queue: status 78: .*$tmp/none"

# ---- what cannot be read, or written ----

month=$tmp/spool/ledger/$(ago 0 | cut -c 1-7)
# report "test": a page with as many handed over as before, and no traceback
report()
{
	exits "$1: 0" 0 bmx-report a.example
	is "$1: the page is the same" \
	    "$(python3 "$tmp/tables.py" <"$tmp/out" | sed -n '2p' | cut -f 1,9-10)" "$sums"
	unlike "$1: no traceback" "$(cat "$tmp/err")" Traceback
}
bmx-report a.example >"$tmp/out"
sums=$(python3 "$tmp/tables.py" <"$tmp/out" | sed -n '2p' | cut -f 1,9-10)
gzip -c "$month" >"$month.gz"
report "a month that is being compressed"
mv "$month" "$tmp/month"
report "one that was"
mv "$month.gz" "$tmp/month.gz"
mv "$tmp/month" "$month"
other=$tmp/spool/ledger/$(ago 0 | cut -c 1-4)-13.gz
head -c 100 "$tmp/month.gz" >"$other"
report "a month that was cut"
like "is said" "$(cat "$tmp/err")" '^bmx-report: .*-13\.gz: Compressed file ended'
echo garbage >"$other"
report "one that is no archive"
(head -c 30 "$tmp/month.gz" && echo garbage) >"$other"
report "one that is damaged"
rm "$other"
if [ -c /dev/full ]; then
	bmx-report >/dev/full 2>"$tmp/err"
	is "a page that could not be written: 74" $? 74
	is "is said" "$(cat "$tmp/err")" \
	    'bmx-report: cannot write the page: No space left on device'
else
	skip "a page that could not be written: 74" 'no /dev/full'
	skip "is said" 'no /dev/full'
fi
mkdir -m 700 "$tmp/spool/d.example"
: >"$tmp/spool/d.example/cur"
exits "mail that cannot be read: 0" 0 bmx-report
like "is said" "$(cat "$tmp/err")" '^bmx-queue: open d\.example/cur: Not a directory$'
rm -r "$tmp/spool/d.example"

# ---- much mail ----

awk -v now="$now" 'BEGIN {
	for (i = 0; i < 30000; i++) {
		came = strftime("%Y-%m-%dT%H:%M:%SZ", now - 172800 + i, 1)
		went = strftime("%Y-%m-%dT%H:%M:%S", now - 86400 + i / 100, 1)
		printf "%s.%02dZ id=m%d domain=b.example what=delivered size=1 from=<> nrcpt=1 peer=x arrival=%s reply=250\n", went, i % 100, i, came
	}
}' >"$tmp/many" 2>"$tmp/err"
if [ -s "$tmp/many" ]; then
	cat "$tmp/many" >>"$tmp/spool/ledger/$(ago 0 | cut -c 1-7)"
	ok "30000 messages" timeout 60 bmx-report -o "$tmp/many.html" b.example
	like "waited at once" "$(cat "$tmp/many.html")" '>Messages waiting \(most: 30000\)<'
	ok "the page is small all the same" test "$(wc -c <"$tmp/many.html")" -lt 100000
else
	for what in '30000 messages' 'waited at once' 'the page is small all the same'; do
		skip "$what" 'awk has no strftime'
	done
fi

# ---- readers ----

if command -v w3m >/dev/null; then
	w3m -dump -cols 200 "$tmp/page.html" >"$tmp/text"
	like "a text browser shows the same numbers" "$(cat "$tmp/text")" \
	    '^a\.example +[0-9.]+ % +yes +1 .* 4 +7500 bytes +2\.0 h +4\.0 h +1 +1$'
else
	skip "a text browser shows the same numbers" "w3m is not installed"
fi
# browse FILE: print what a browser makes of it; its console is stderr
browse()
{
	timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic \
	    --no-first-run --disable-background-networking \
	    --disable-component-update --disable-sync --disable-extensions \
	    --user-data-dir="$tmp/profile" --enable-logging=stderr \
	    --dump-dom "file://$1"
}
if command -v chromium >/dev/null; then
	exits "Chromium renders it: 0" 0 browse "$tmp/page.html"
	is "without a word on its console" "$(grep -a CONSOLE "$tmp/err")" ''
	python3 "$tmp/tables.py" <"$tmp/out" >"$tmp/dom"
	same "with the same numbers" "$tmp/dom" "$tmp/tables"
	is "and every plot" "$(grep -o '<figure' "$tmp/out" | wc -l)" \
	    "$(grep -o '<figure' "$tmp/page.html" | wc -l)"
	cat >"$tmp/bad.html" <<-'E'
		<!DOCTYPE html><svg viewBox="0 0 x y"><path d="M1 z z"/></svg>
	E
	browse "$tmp/bad.html" >/dev/null 2>"$tmp/err"
	like "that console does tell of what is wrong" "$(cat "$tmp/err")" 'CONSOLE.*rror'
else
	for what in 'Chromium renders it: 0' 'without a word on its console' \
	    'with the same numbers' 'and every plot' \
	    'that console does tell of what is wrong'; do
		skip "$what" 'chromium is not installed'
	done
fi
done_testing
