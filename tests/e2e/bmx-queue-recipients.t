#!/bin/sh
# bmx-queue recipients: fill the memory from a list, compare, list, export,
# forget; what would lose many recipients is refused.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

state=$tmp/state
mkdir -m 700 "$state"
make_conf "state = $state" '[example.com]' '[example.net]'
log=$tmp/bmx.log
: >"$log"

rcpt()
{
	bmx-queue recipients "$@"
}

# ---- an empty memory ----

exits "an empty memory lists nothing" 0 rcpt
is "at all" "$(cat "$tmp/out")" ""
exits "a domain that is not ours" 69 rcpt list example.org
like "is named" "$(cat "$tmp/err")" 'example\.org: no such domain in .*bmx\.conf'
exits "what is no domain" 64 rcpt list 'a b'
like "is named too" "$(cat "$tmp/err")" '^bmx-queue: a b: not a domain$'

# ---- import ----

cat >"$tmp/list" <<'L'
# our people
bob
  Carol@Example.COM
"odd one"@example.com
jörg@example.com

dave@example.net
bob@example.com
L
exits "import" 0 rcpt import example.com "$tmp/list"
is "counts: before, lost, new, good, of other domains" "$(cat "$tmp/out")" \
    "example.com	0	0	4	4	1"
is "export is exact, folded and sorted" "$(rcpt export example.com)" \
    '"odd one"@example.com
bob@example.com
carol@example.com
jörg@example.com'
is "and of no other domain" "$(rcpt export example.net)" ""
like "it is logged" "$(cat "$log")" \
    "bmx-queue\\[[0-9]+\\]: domain=example\\.com action=imported before=0 lost=0 added=4 good=4 uid=$(id -u)\$"
like "list: address, answer, source, age" "$(rcpt list example.com)" \
    '^bob@example\.com	good	import	[0-9]+$'
like "exact for a program" "$(rcpt list example.com)" '^jörg@example\.com	good	'
if command -v script >/dev/null; then
	like "and printable for a terminal" "$(script -qec \
	    "bmx-queue recipients list" /dev/null </dev/null | tr -d '\r')" \
	    ' j\\xc3\\xb6rg@example\.com$'
else
	skip "and printable for a terminal" "script is not installed"
fi
like "list --json" "$(rcpt --json list example.com)" \
    '^\{"address":"bob@example\.com","domain":"example\.com","answer":"good","source":"import","learned":"20[0-9TZ:.-]+","age":[0-9]+\}$'
like "what is not ASCII is escaped there" "$(rcpt --json list)" \
    '"address":"j\\u00F6rg@example\.com"'
is "export --json" "$(rcpt --json export example.com | head -n 2)" \
    '{"address":"\"odd one\"@example.com"}
{"address":"bob@example.com"}'
is "without a verb all domains are listed" "$(rcpt | wc -l | tr -d ' ')" 4
rcpt export example.com | sed '1s/^/'"$(printf '\357\273\277')"'/' >"$tmp/marked"
exits "a mark of UTF-8 in front is no part of an address" 0 \
    rcpt diff example.com "$tmp/marked"
exits "an export can be imported" 0 \
    sh -c 'bmx-queue recipients export example.com | bmx-queue recipients import example.com -'
is "and changes nothing" "$(cat "$tmp/out")" "example.com	4	0	0	4	0"
is "import --json" "$(rcpt import --json example.com "$tmp/list")" \
    '{"domain":"example.com","before":4,"lost":0,"added":0,"good":4,"foreign":1}'
ok "only its owner can read the memory" sh -c \
    '[ -z "$(find "$1/recipients" -perm /077)" ]' - "$state"

# ---- what is no list of addresses ----

n=0
while IFS='|' read -r name line error; do
	n=$((n + 1))
	printf 'ok@example.com\n%b\n' "$line" >"$tmp/bad"
	exits "$name" 65 rcpt import example.com "$tmp/bad"
	like "$name: the line is named" "$(cat "$tmp/err")" "$error"
done <<'L'
a pattern is refused|sales-*@example.com|/bad: line 2: sales-\*@example\.com: a pattern
a catch-all is refused|@example.com|line 2: @example\.com: a pattern
nonsense is refused|two words|line 2: two words: bad local part
an escape sequence is refused|\0033[2J@example.com|line 2: \\x1b\[2J@example\.com: 
a NUL is refused|bob\0000x|line 2: longer than
L
is "all rows were tried" "$n" 5
printf '%0600d\n' 1 >"$tmp/bad"
exits "a long line is refused" 65 rcpt import example.com "$tmp/bad"
exits "a missing file" 75 rcpt import example.com "$tmp/missing"
exits "a domain that is not in bmx.conf" 69 rcpt import example.org "$tmp/list"
is "nothing of it was imported" "$(rcpt export example.com | wc -l | tr -d ' ')" 4

# ---- an import that would lose many ----

seq -f 'user%g@example.net' 10 >"$tmp/ten"
rcpt import example.net "$tmp/ten" >/dev/null
seq -f 'user%g@example.net' 7 >"$tmp/seven"
exits "losing 3 of 10 is refused" 69 rcpt import example.net "$tmp/seven"
like "with the numbers" "$(cat "$tmp/err")" \
    'nothing was imported: 3 of 10 good recipients are not in the list, more than 20 %'
is "and changes nothing" "$(rcpt export example.net | wc -l | tr -d ' ')" 10
seq -f 'other%g@example.net' 10 >"$tmp/others"
exits "so are as many others" 69 rcpt import example.net "$tmp/others"
exits "and an empty list" 69 rcpt import example.net /dev/null
exits "unless so many may go" 0 rcpt import --max-shrink 30 example.net "$tmp/seven"
is "then they are gone" "$(cat "$tmp/out")" "example.net	10	3	0	7	0"
exits "--force takes any list" 0 rcpt import --force example.net "$tmp/others"
is "that one and no other" "$(rcpt export example.net)" \
    "$(sort -t @ -k 1,1 "$tmp/others")"

# ---- diff ----

exits "no difference" 0 rcpt diff example.net "$tmp/others"
is "says nothing" "$(cat "$tmp/out")" ""
printf 'new@example.com\nBOB\n"odd one"@example.com\n' >"$tmp/next"
exits "differences" 1 rcpt diff example.com "$tmp/next"
is "are listed in order" "$(cat "$tmp/out")" "-	carol@example.com	good
-	jörg@example.com	good
+	new@example.com	unknown"
is "--json" "$(rcpt diff --json example.com "$tmp/next" | head -n 1)" \
    '{"change":"-","address":"carol@example.com","answer":"good"}'
is "nothing was changed" "$(rcpt export example.com | wc -l | tr -d ' ')" 4

# ---- forget ----

exits "forget an address" 0 rcpt forget CAROL@example.com
is "says so" "$(cat "$tmp/out")" "CAROL@example.com	forgotten	1"
is "a second time nothing is there" "$(rcpt forget carol@example.com)" \
    "carol@example.com	unchanged	0"
like "it is logged once" "$(grep -c 'action=forgotten' "$log")" '^1$'
exits "a domain needs --yes" 64 rcpt forget example.net
is "and is counted" "$(cat "$tmp/out")" "example.net	forget	10"
is "it is still known" "$(rcpt export example.net | wc -l | tr -d ' ')" 10
exits "forget --yes" 0 rcpt forget --yes example.net
is "all of it" "$(cat "$tmp/out") $(rcpt list example.net)" \
    "example.net	forgotten	10 "
rcpt import example.net "$tmp/ten" >/dev/null
is "from a pipe" \
    "$(rcpt list example.net | grep user1 | rcpt forget - | cut -f 2)" \
    "forgotten
forgotten"
is "--json" "$(rcpt forget --json user3@example.net user3@example.net)" \
    '{"name":"user3@example.net","result":"forgotten","recipients":1}
{"name":"user3@example.net","result":"unchanged","recipients":0}'
is "a catch-all that is not known" "$(rcpt forget @example.com)" \
    "@example.com	unchanged	0"
exits "no domain behind the @" 64 rcpt forget '@a b'
like "is told" "$(cat "$tmp/err")" '@a b: neither an address nor a domain$'
exits "nonsense" 64 rcpt forget 'a b@c' user2@example.net
is "does not keep the rest" "$(cat "$tmp/out")" "user2@example.net	forgotten	1"

# ---- what is believed no more ----

if faketime_works; then
	is "what is too old is listed as expired" \
	    "$(faketime '+900 days' bmx-queue recipients list example.net | cut -f 2 |
		sort -u)" expired
	is "and not exported" \
	    "$(faketime '+900 days' bmx-queue recipients export example.net)" ""
else
	skip "what is too old is listed as expired" "$faketime_why"
	skip "and not exported" "$faketime_why"
fi

# ---- a domain that was taken out of bmx.conf ----

make_conf "state = $state" '[example.com]'
like "what is kept of a domain that is not ours any more is expired" \
    "$(rcpt list)" '^user4@example\.net	expired	import	'

# ---- the command line ----

exits "import wants a file" 64 rcpt import example.com
like "and says so" "$(cat "$tmp/err")" 'recipients import takes DOMAIN FILE'
exits "export wants a domain" 64 rcpt export
exits "--force is for import" 64 bmx-queue list --force
exits "--max-shrink is a percentage" 64 rcpt import --max-shrink 101 example.com "$tmp/list"
exits "--yes is for forget" 64 rcpt list --yes
is "the help fits a terminal" \
    "$(bmx-queue --help | awk 'length > 80 { w = 1 } END { print NR <= 24 && !w }')" 1

# ---- on a terminal ----

make_conf "state = $state" '[example.com]' '[example.net]'
rcpt import --force example.com "$tmp/list" >/dev/null

# terminal COMMAND: what a terminal of 80 columns gets.
terminal()
{
	script -qec "$1" /dev/null </dev/null | tr -d '\r'
}
if command -v script >/dev/null; then
	terminal "bmx-queue recipients list example.com" >"$tmp/out"
	is "a table has a head" "$(sed -n 1p "$tmp/out")" \
	    'ANSWER    SOURCE      AGE RECIPIENT'
	like "a row for each" "$(sed -n 3p "$tmp/out")" \
	    '^good      import +[0-9.]+ s bob@example\.com$'
	is "and the sum" "$(tail -n 1 "$tmp/out")" \
	    '-- 4 good, 0 bad, 0 unknown, 0 expired'
	is "an import is told in words" \
	    "$(terminal "bmx-queue recipients import example.com $tmp/list")" \
	    'example.com: 4 good recipients: 0 new, 0 lost; 1 addresses of other domains'
else
	skip "a table has a head" "script is not installed"
	skip "a row for each" "script is not installed"
	skip "and the sum" "script is not installed"
	skip "an import is told in words" "script is not installed"
fi

# ---- damage, and a state directory that will not do ----

: >"$log"
dd if=/dev/zero of="$state/recipients/data.mdb" bs=8192 count=1 conv=notrunc 2>/dev/null
exits "a damaged memory is told" 65 rcpt list
like "with where it is now" "$(cat "$tmp/err")" \
    'was damaged \(.*\) and is now recipients\.damaged-20'
like "and is an alarm" "$(cat "$log")" 'alarm=yes .*recipients\.damaged-20'
exits "an empty one took its place" 0 rcpt list
exits "that learns" 0 rcpt import example.com "$tmp/list"
: >"$log"
# all but the two pages that are looked at when it is opened
dd if=/dev/zero of="$state/recipients/data.mdb" bs="$(getconf PAGESIZE)" seek=2 \
    count=2 conv=notrunc 2>/dev/null
exits "damage that shows only when it is read" 65 rcpt list
like "is an alarm too" "$(cat "$log")" \
    'alarm=yes .*was damaged .* is now recipients\.damaged-20'
exits "and an empty one takes its place" 0 rcpt list
chmod 770 "$state"
exits "a state directory for others to write is not used" 78 rcpt list
chmod 700 "$state"
make_conf "state = $tmp/missing" '[example.com]'
exits "nor is one that is missing" 78 rcpt list
like "what to do is said" "$(cat "$tmp/err")" 'mkdir -p -m 700'

# ---- root acts as the owner ----

if [ "$(id -u)" -eq 0 ]; then
	make_conf "state = $state" '[example.com]'
	chown -R 4711:4711 "$state" "$log"
	exits "root" 0 rcpt import example.com "$tmp/list"
	is "leaves nothing of root's in the state directory" \
	    "$(find "$state" -not -user 4711)" ""
else
	skip "root" "needs root"
	skip "leaves nothing of root's in the state directory" "needs root"
fi

done_testing
