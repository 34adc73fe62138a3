#!/bin/sh
# bmx-queue shows what is in the spool, to eyes and to programs, and to nobody
# a byte that a terminal would obey.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

make_conf '[example.com]' '[example.net]' '[example.org]'

# ---- nothing there ----

exits "an empty spool is no error" 0 bmx-queue
is "and lists nothing" "$(cat "$tmp/out" "$tmp/err")" ""
exits "a domain of bmx.conf without mail is no error" 0 bmx-queue example.org
exits "a domain nobody knows is" 69 bmx-queue example.edu
like "and is named" "$(cat "$tmp/err")" 'example\.edu: no such domain'

# ---- the list ----

new=$(mk example.com age=7200 size=1000)
old=$(mk example.net age=86400 from= to=carol@example.net to=dave@example.net)
deferred=$(mk example.com age=60)
held=$(mk example.net age=10)

set -- "$tmp"/spool/example.com/new/"$deferred"*
mv "$1" "$tmp/spool/example.com/cur/${1##*/}:2,"
touch -d '2100-01-01T00:00:00Z' "$tmp"/spool/example.com/cur/"$deferred"*
bmx-queue hold "$held" >/dev/null

size_of()
{
	wc -c <"$1" | tr -d ' '
}
new_size=$(size_of "$tmp"/spool/example.com/new/"$new"*)
old_size=$(size_of "$tmp"/spool/example.net/new/"$old"*)
deferred_size=$(size_of "$tmp"/spool/example.com/cur/"$deferred"*)
held_size=$(size_of "$tmp"/spool/example.net/cur/"$held"*)

exits "a list" 0 bmx-queue
is "oldest first, tab separated: id, size, recipients, state, next, domain, from, to" \
    "$(cut -f 1,3- "$tmp/out")" \
    "$old	$old_size	2	new	now	example.net	<>	carol@example.net,dave@example.net
$new	$new_size	1	new	now	example.com	alice@example.org	bob@example.com
$deferred	$deferred_size	1	deferred	2100-01-01T00:00:00Z	example.com	alice@example.org	bob@example.com
$held	$held_size	1	held	-	example.net	alice@example.org	bob@example.net"
age=$(sed -n 1p "$tmp/out" | cut -f 2)
ok "the age is in seconds and comes from the name" \
    test "$age" -ge 86400 -a "$age" -lt 86700
is "list is what the verb is called" "$(bmx-queue list | cut -f 1)" \
    "$(cut -f 1 "$tmp/out")"

# ---- which messages ----

is "of a domain" "$(bmx-queue example.com | cut -f 1)" "$new
$deferred"
is "a domain in any case, with a dot at its end" \
    "$(bmx-queue EXAMPLE.com. | cut -f 1)" "$new
$deferred"
is "by ID" "$(bmx-queue "$held" | cut -f 1)" "$held"
is "by domain and ID" "$(bmx-queue example.net/"$held" "$new" | cut -f 1)" \
    "$new
$held"
is "twice named, once listed" \
    "$(bmx-queue "$new" "$new" example.com | cut -f 1)" "$new
$deferred"
exits "an ID that is in another domain" 69 bmx-queue example.com/"$held"
is "lists nothing" "$(cat "$tmp/out")" ""
exits "an ID that is nowhere" 69 bmx-queue 00000000000aaaaaaaaaa "$new"
is "does not hide the others" "$(cut -f 1 "$tmp/out")" "$new"
like "and is named" "$(cat "$tmp/err")" \
    '^bmx-queue: 00000000000aaaaaaaaaa: no such message$'

printf '# held\n\n%s and what follows\r\n; no\n' "$held" >"$tmp/names"
is "names from standard input" "$(bmx-queue - <"$tmp/names" | cut -f 1)" "$held"
printf 'no/such/thing\n%s\n' "$held" >"$tmp/names"
exits "a line that names nothing" 64 bmx-queue - <"$tmp/names"
is "does not hide the others" "$(cut -f 1 "$tmp/out")" "$held"
like "and is named by its number" "$(cat "$tmp/err")" '^bmx-queue: line 1: '
is "no names on standard input are not all names" \
    "$(bmx-queue - </dev/null)" ""

# ---- domains, summary ----

is "--domains names those with mail that is not held" \
    "$(bmx-queue --domains)" "example.com
example.net"
bmx-queue hold "$old" >/dev/null
is "and no domain where all is held" "$(bmx-queue --domains)" "example.com"
is "-0 is for xargs" "$(bmx-queue --domains -0 | tr '\0' '+')" "example.com+"
is "of certain domains" \
    "$(bmx-queue --domains example.net example.org example.com)" "example.com"
is "--summary: domain, messages, new, deferred, held, recipients, bytes" \
    "$(bmx-queue --summary | cut -f 1-7)" \
    "example.com	2	1	1	0	2	$((new_size + deferred_size))
example.net	2	0	0	2	3	$((old_size + held_size))"
bmx-queue release "$old" >/dev/null
is "count counts" "$(bmx-queue count) $(bmx-queue count example.com)" "4 2"
is "also in JSON" \
    "$(bmx-queue count --json example.com | sed 's/"oldest":"[^"]*"/"oldest":T/')" \
    '{"messages":2,"new":1,"deferred":1,"held":0,"recipients":2,"bytes":'$((new_size + deferred_size))',"oldest":T}'
is "-0 alone lists messages for xargs" \
    "$(bmx-queue -0 example.com | tr '\0' '+')" \
    "example.com/$new+example.com/$deferred+"

# ---- JSON ----

is "--json has one object per line, its keys in order" \
    "$(bmx-queue --json "$old" |
	sed -e 's/"arrival":"[^"]*"/"arrival":A/' -e 's/"age":[0-9]*/"age":N/' \
	    -e 's/"next":"[^"]*"/"next":T/')" \
    '{"id":"'"$old"'","domain":"example.net","state":"deferred","arrival":A,"age":N,"next":T,"size":'"$old_size"',"recipients":2,"from":"","to":[{"address":"carol@example.net","state":"pending"},{"address":"dave@example.net","state":"pending"}],"body":null,"smtputf8":false,"requiretls":false,"ret":null,"envid":null,"client":{"address":"192.0.2.1","port":null,"name":null,"helo":"mx.example.org","protocol":"ESMTP","tls":null},"attempts":0,"last_try":null,"last_reply":null,"peer":null,"lifetime_left":2592000,"hold":null,"hold_until":null,"paused":false}'
mkdir "$tmp/spool/example.net/history"
like "without a history nobody knows what is left of its life" \
    "$(bmx-queue --json "$old")" '"lifetime_left":null,'
rmdir "$tmp/spool/example.net/history"
like "a held message has no next try" "$(bmx-queue --json "$held")" \
    '"state":"held",.*"next":null'
is "--domains --json" "$(bmx-queue --domains --json example.com)" \
    '{"domain":"example.com"}'
is "--summary --json" \
    "$(bmx-queue --summary --json example.com | sed 's/"oldest":"[^"]*"/"oldest":T/')" \
    '{"domain":"example.com","messages":2,"new":1,"deferred":1,"held":0,"recipients":2,"bytes":'$((new_size + deferred_size))',"oldest":T}'

# ---- a terminal ----

if command -v script >/dev/null; then
	script -qec "bmx-queue" /dev/null </dev/null | tr -d '\r' >"$tmp/table"
	is "a terminal gets a table" "$(sed -n 1p "$tmp/table")" \
	    "ID                        AGE  SIZE RCPT STATE    NEXT    DOMAIN"
	like "with ages for people" "$(cat "$tmp/table")" \
	    "^$new   2\\.0 h  1\\.[0-9]K    1 new      now     example\\.com\$"
	like "sender and recipients" "$(cat "$tmp/table")" \
	    '^    <> -> carol@example\.net, dave@example\.net$'
	like "and a total" "$(tail -n 1 "$tmp/table")" \
	    '^-- 4 messages, [0-9.]+K bytes, oldest 24\.0 h$'
	is "no line is wider than 80 columns" \
	    "$(awk 'length > 80' "$tmp/table")" ""
	is "an empty list says so" "$(script -qec "bmx-queue example.org" \
	    /dev/null </dev/null | tr -d '\r')" "No mail in the spool."
	is "a summary ends in the sum" "$(script -qec "bmx-queue -s" /dev/null \
	    </dev/null | tr -d '\r' | awk 'END { print $1, $2, $3, $4, $5 }')" \
	    "(all) 4 1 2 1"
	is "or says that there is nothing" "$(script -qec "bmx-queue -s example.org" \
	    /dev/null </dev/null | tr -d '\r')" "No mail in the spool."
	many=$(mk example.org size=3000000 to=a@example.org to=b@example.org \
	    to=c@example.org to=d@example.org to=e@example.org)
	script -qec "bmx-queue $many" /dev/null </dev/null | tr -d '\r' >"$tmp/table"
	like "three recipients are named, the others counted" "$(cat "$tmp/table")" \
	    '-> a@example\.org, b@example\.org, c@example\.org, and 2 more$'
	like "megabytes are told as such" "$(cat "$tmp/table")" \
	    "^$many +[0-9.]+ s  2\\.9M    5 new "
	bmx-queue remove "$many" >/dev/null
else
	for what in "a terminal gets a table" "with ages" "addresses" \
	    "a total" "80 columns" "an empty list" "a summary" \
	    "an empty summary" "three recipients" "megabytes"; do
		skip "$what" "script is not installed"
	done
fi

# ---- what others wrote is data ----

esc=$(printf '\033')
utf8=$(mk example.com from=j"$(printf '\303\266')"rg@example.org \
    helo="$esc]0;owned$(printf '\007')")
is "an internationalised address is printable" \
    "$(bmx-queue "$utf8" | cut -f 8)" 'j\xc3\xb6rg@example.org'
like "and exact in JSON" "$(bmx-queue --json "$utf8")" \
    '"from":"j\\u00[fF]6rg@example.org"'
printf '2026-11-24T03:11:14Z reply=%s[2J\n' "$esc" \
    >"$tmp/spool/example.com/log/$utf8"
bmx-queue show "$utf8" >"$tmp/out"
is "show lets no control byte through" \
    "$(LC_ALL=C tr -d '\n\040-\176' <"$tmp/out" | wc -c | tr -d ' ')" 0

: >"$tmp/spool/example.com/new/README"
printf x >"$tmp/spool/example.com/new/${esc}[2J"
exits "files that are not ours" 0 bmx-queue example.com
like "are counted, not named" "$(cat "$tmp/err")" \
    '^bmx-queue: example\.com: 2 files in new/ or cur/ with names that are not'

mkdir -p "$tmp/spool/example.org/new" "$tmp/spool/example.org/cur"
cd "$tmp/spool/example.org" || bail "cd"
bad=1jqvl3vhe60abcdefghi
mkfifo "new/${bad}0,S=1,R=1"
ln -s /etc/passwd "new/${bad}1,S=1,R=1"
mkdir "new/${bad}2,S=1,R=1"
printf 'x\n' >"new/${bad}3,S=1,R=1"
cd "$tmp" || bail "cd"
exits "what is no message of ours" 65 timeout 20 bmx-queue example.org
is "is listed by its name alone" "$(cut -f 1,7- "$tmp/out")" \
    "${bad}0	example.org	?	?
${bad}1	example.org	?	?
${bad}2	example.org	?	?
${bad}3	example.org	?	?"
like "and told" "$(cat "$tmp/err")" "new/${bad}1,S=1,R=1 is not a regular file"
like "with its real size" "$(cat "$tmp/err")" "${bad}3,S=1,R=1 has 2 bytes"
like "null in JSON" "$(bmx-queue --json "${bad}0" 2>/dev/null)" \
    '"from":null,"to":null'
unlike "explained without an envelope" \
    "$(bmx-queue explain "${bad}0" 2>/dev/null)" '^From:'
like "also of its replies" "$(bmx-queue explain --json "${bad}0" 2>/dev/null)" \
    '"from":null,.*"replies":null\}$'
if command -v script >/dev/null; then
	like "a terminal is told that too" "$(script -qec "bmx-queue ${bad}0" \
	    /dev/null </dev/null | tr -d '\r')" '^    \(unreadable\)$'
else
	skip "a terminal is told that too" "script is not installed"
fi
exits "counting opens no file" 0 bmx-queue --summary example.org
is "and finds nothing wrong" "$(cat "$tmp/err")" ""
exits "nor does --domains" 0 bmx-queue --domains example.org
is "either" "$(cat "$tmp/out" "$tmp/err")" "example.org"

# ---- a message seen twice ----

set -- "$tmp"/spool/example.com/new/"$new"*
cp -p "$1" "$tmp/spool/example.com/cur/${1##*/}:2,"
is "a message that moved while it was listed comes once" \
    "$(bmx-queue "$new" | cut -f 1,5)" "$new	deferred"

# ---- the command line ----

for words in "--null --json" "--null --summary" "--domains --summary" "cat --json $new" "list --yes" \
    "--reason x" "show" "remove" "hold" "release" "cat" "cat example.com" \
    "--domains $new" "hold --domains" "--no-such-option" \
    "recipients list --force" "reconcile one two" "watch --count -1"; do
	# shellcheck disable=SC2086
	exits "bmx-queue $words is a usage error" 64 bmx-queue $words
done
exits "--help" 0 bmx-queue --help
exits "--check-config" 0 bmx-queue --check-config
like "prints what is in effect" "$(cat "$tmp/out")" "^spool *= *$tmp/spool\$"
for program in bmx-queue bmx-flush bmx-probe bmx-mxcheck bmx-receive; do
	"$program" --help >"$tmp/out"
	is "$program --help fits a terminal of 24 lines, 80 columns" \
	    "$(awk 'length > 80 || NR > 24' "$tmp/out")" ''
	ok "$program --help that cannot be written is an error" \
	    sh -c "! $program --help >/dev/full 2>&1"
done
exits "output that cannot be written is an error" 74 sh -c 'bmx-queue >/dev/full'

# ---- no spool ----

mv "$tmp/spool" "$tmp/elsewhere"
exits "a spool that is missing" 78 bmx-queue
like "and how to make it" "$(cat "$tmp/err")" "mkdir -p -m 700 $tmp/spool"

# ---- somebody else ----

as_nobody()
{
	setpriv --reuid=nobody --clear-groups "$@"
}
mkdir -p "$tmp/spool"
chmod 700 "$tmp/spool"
if [ "$(id -u)" -eq 0 ] && chmod 711 "$tmp" && chmod 644 "$BMX_CONF" &&
    as_nobody bmx-queue --version >/dev/null 2>&1; then
	exits "who does not own the spool" 75 as_nobody bmx-queue
	like "is told who does" "$(cat "$tmp/err")" \
	    "spool: Permission denied: it belongs to root, run this as root\$"
else
	skip "who does not own the spool" "needs root and setpriv(1)"
	skip "is told who does" "needs root and setpriv(1)"
fi

done_testing
