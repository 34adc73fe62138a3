#!/bin/sh
# bmx-queue says why mail is here and what would change it, what shape the
# queue has, and how it moves.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" '[example.net]' \
    "primary = 127.0.0.1:$primary_port"

mk()
{
	"$mkmsg" "$spool" "$@"
}

# ---- explain a message ----

new=$(mk example.com age=60 to=bob@example.com)
exits "explain" 0 bmx-queue explain "$new"
out=$(cat "$tmp/out")
like "a message that nobody touched" "$out" \
    '^ +it was not tried yet, and waits for the next run of bmx-flush$'
like "nobody looked at its primary" "$out" \
    '^Why here: +nobody has looked yet whether the primary of example\.com is up$'
like "what would change it" "$out" '^ +bmx-flush example\.com$'
bmx-queue remove "$new" >/dev/null

primary_start 'rcpt<bob@example.com> 452 4.2.2 Mailbox "full" |of bob' \
    'rcpt<carol@example.com> 550 5.1.1 No carol'
id=$(mk example.com to=bob@example.com to=carol@example.com)
timeout 20 bmx-flush example.com
out=$(bmx-queue explain "$id")
like "the exact last reply of a recipient" "$out" \
    'ago, \[127\.0\.0\.1\]: 452 4\.2\.2 Mailbox'
like "and of another" "$out" 'ago, \[127\.0\.0\.1\]: 550 5\.1\.1 No carol$'
like "their states" "$out" '^ +<bob@example\.com> pending$'
like "how often" "$out" '^Tried: +1 time, '
like "when next" "$out" '^ +it is tried next in .*, at 20[0-9T:-]+Z$'
like "how to have it sooner" "$out" "^.* bmx-queue retry example\\.com/$id\$"
like "what is left of its life" "$out" '^Lifetime: +(30|29\.[0-9]|30\.0) d left'
like "--json has the same" "$(bmx-queue explain --json "$id")" \
    '"why":\["it was last tried [^"]* at 127\.0\.0\.1:.*"change":\["bmx-queue retry .*"replies":\[\{"address":"bob@example\.com","state":"pending","reply":"452 4\.2\.2 '

lost=$(mk example.com to=dave@example.com)
stop primary
primary_start 'rcpt<dave@example.com> hangup' 'rcpt 452 4.2.2 Mailbox "full" |of bob'
timeout 20 bmx-flush example.com
like "where the primary said nothing, what became of the session" \
    "$(bmx-queue explain "$lost")" \
    'it was last tried .* s ago at 127\.0\.0\.1:[0-9]+: RCPT: connection closed$'
bmx-queue remove "$lost" >/dev/null

bmx-queue hold "$id" --until 2h -r 'wait for bob' >/dev/null
bmx-queue pause example.com -r 'new disk' >/dev/null
out=$(bmx-queue explain "$id")
like "a pause comes first" "$out" \
    "^Why here: +example\\.com is paused since 20.*Z by user $(id -u): new disk\$"
like "then the hold" "$out" '^ +it is held until 20.*Z: wait for bob$'
like "and how to end both" "$out" '^To change: +bmx-queue resume example\.com$'
like "with the ID" "$out" "^ +bmx-queue release example\\.com/$id\$"
unlike "nothing of a next try" "$out" 'tried next'

out=$(bmx-queue explain example.com)
like "explain a domain" "$out" '^Domain: +example\.com, 1 message, .* oldest '
like "its pause" "$out" '^Why here: +example\.com is paused'
like "its mail" "$out" '^ +all of it is held$'
like "a domain without mail" "$(bmx-queue explain --json example.net)" \
    '"domain":"example\.net","messages":0,.*"why":\[.*"nothing waits"\]'
exits "a domain nobody knows" 69 bmx-queue explain example.edu
bmx-queue resume example.com >/dev/null
mk example.com to=carol@example.com >/dev/null
out=$(bmx-queue explain example.com)
like "its mail, held and not, is counted" "$out" \
    '^Why here: +1 never tried, 0 deferred, 1 held$'
like "with what to do" "$out" \
    '^To change: +bmx-flush example\.com; bmx-queue shape --by error example\.com$'
bmx-queue remove --yes --domain example.com >/dev/null

# found VERDICT HOURS: of the primary of example.net, so long ago.
found()
{
	[ -d "$spool/example.net" ] || mk example.net >/dev/null
	date -u -d "$2 hours ago" "+verdict $1%nsince %FT%TZ%nprobed %FT%TZ%nreason no route to host" \
	    >"$spool/example.net/primary"
	bmx-queue explain example.net
}
like "its primary is down" "$(found down 0)" \
    '^Why here: +the primary of example\.net is down for [0-9.]+ (s|min), as of .* ago: no route to host$'
like "it was, long ago" "$(found down 72)" \
    '^Why here: +nobody has looked for 3\.0 d whether the primary of example\.net is up \(it was down\)$'
like "who can look" "$(found down 72)" '^To change: +bmx-probe example\.net$'
rm "$spool/example.net/primary"
bmx-queue remove --yes --domain '*' >/dev/null

esc=$(printf '\033')
mk example.com from="\"$(printf '\303\266')\"@example.org" helo="$esc]0;x" \
    >/dev/null
out=$(bmx-queue explain --domain '*')
is "no terminal is told anything" \
    "$(printf '%s' "$out" | LC_ALL=C tr -d '\n\040-\176')" ""
bmx-queue remove --yes --domain '*' >/dev/null

mkdir -p "$spool/example.com"
chmod 700 "$spool/example.com"
: >"$spool/example.com/paused"
exits "a pause that cannot be read" 65 bmx-queue explain example.com
like "is one, and nobody knows since when" "$(cat "$tmp/out")" \
    '^Why here: +example\.com is paused: its file is there, and cannot be read$'
like "which can be ended" "$(cat "$tmp/out")" \
    '^To change: +bmx-queue resume example\.com$'
rm "$spool/example.com/paused"

# ---- a domain that is not in bmx.conf ----

stray=$(mk example.edu to=bob@example.edu)
out=$(bmx-queue explain "$stray")
like "its mail is not tried" "$out" '^ +it is no notice: bmx-flush leaves it alone$'
unlike "and nobody is told to try it" "$out" 'next run|bmx-flush example'
like "but what would help" "$out" \
    "^To change: +a section of its own in bmx\\.conf; bmx-queue bounce example\\.edu/$stray\$"
timeout 20 bmx-flush example.edu 2>/dev/null
is "it is as explain says" "$(bmx-queue example.edu | cut -f 1,5)" \
    "$stray	new"
notice=$(printf '1j000000000%010d' 1)
sed "s/^Bmx-From/Bmx-Notice: failed $notice F\r\n&/" \
    "$spool/example.edu/new/$stray"* >"$tmp/notice"
size=$(wc -c <"$tmp/notice" | tr -d ' ')
(umask 077 && cp "$tmp/notice" "$spool/example.edu/new/$notice,S=$size,R=1")
like "a notice is tried" "$(bmx-queue explain "$notice")" \
    '^To change: +bmx-flush example\.edu$'
rm -r "$spool/example.edu"

# ---- shape ----

mk example.com n=3 age=60 from=a@one.example >/dev/null
mk example.com n=2 age=100000 from=b@TWO.example >/dev/null
mk example.net age=8000000 from= >/dev/null
is "shape: domain, all, <10m, <1h, <6h, <1d, <3d, <7d, more" \
    "$(bmx-queue shape | cut -f 1-9)" \
    "example.com	5	3	0	0	0	2	0	0
example.net	1	0	0	0	0	0	0	1"
is "by sender" "$(bmx-queue shape --by sender | cut -f 1-3)" \
    "one.example	3	3
two.example	2	0
<>	1	0"
set -- "$spool"/example.com/new/*
for file; do
	name=${file##*/}
	mv "$file" "$spool/example.com/cur/$name:2,"
	echo "2026-11-24T03:11:14Z to=<b@example.com> deferred peer=192.0.2.1:25 reply=\"450 4.2.1 later\"" \
	    >"$spool/example.com/log/${name%%,*}"
done
is "by last error" "$(bmx-queue shape --by error | cut -f 1,2)" \
    "450 4.2.1 later	5
(none)	1"
is "of some" "$(bmx-queue shape --older 1d example.com | cut -f 1,2)" \
    "example.com	2"
if command -v script >/dev/null; then
	script -qec "bmx-queue shape" /dev/null </dev/null | tr -d '\r' \
	    >"$tmp/table"
	is "a terminal gets a table" "$(sed -n 1p "$tmp/table")" \
	    "    ALL  <10m   <1h   <6h   <1d   <3d   <7d  more  SIZE  OLDEST DOMAIN"
	like "with the largest first" "$(sed -n 2p "$tmp/table")" \
	    '^      5     3     0     0     0     2     0     0  1\.[45]K  27\.8 h example\.com$'
	like "and the sum last" "$(sed -n 4p "$tmp/table")" '^      6 .* \(all\)$'
	like "by sender" "$(script -qec "bmx-queue shape --by sender" /dev/null \
	    </dev/null | tr -d '\r')" "OLDEST SENDER'S DOMAIN\$"
	like "by last error" "$(script -qec "bmx-queue shape --by error" /dev/null \
	    </dev/null | tr -d '\r')" "OLDEST LAST ERROR\$"
	is "or says that there is nothing" "$(script -qec \
	    "bmx-queue shape --older 900d" /dev/null </dev/null | tr -d '\r')" \
	    "No mail in the spool."
else
	skip "by sender" "script is not installed"
	skip "by last error" "script is not installed"
	skip "or says that there is nothing" "script is not installed"
	skip "a terminal gets a table" "script is not installed"
	skip "with the largest first" "script is not installed"
	skip "and the sum last" "script is not installed"
fi
like "--json" "$(bmx-queue shape --json example.net)" \
    '^\{"domain":"example\.net","messages":1,"ages":\{"10m":0,"1h":0,"6h":0,"1d":0,"3d":0,"7d":0,"more":1\},"held":0,"bytes":[0-9]+,"oldest":"20'
for n in $(seq 100); do
	mk example.net from="a@sender$n.example" >/dev/null
done
bmx-queue shape --by sender example.net >"$tmp/out"
is "a hundred senders are told apart" \
    "$(grep -c '^sender[0-9]*\.example	1	1	' "$tmp/out")" 100
bmx-queue remove --yes --sender '*@sender*.example' >/dev/null
exits "by what?" 64 bmx-queue shape --by size
exits "shape alone takes --by" 64 bmx-queue list --by sender

# ---- watch ----

exits "watch ends after --count" 0 timeout 20 bmx-queue watch --count 2
is "with a line for each second: messages, new, deferred, held" \
    "$(cut -f 2-5 "$tmp/out")" "6	1	5	0
6	1	5	0"
is "and the change in a second" "$(cut -f 7 "$tmp/out")" "+0.0
+0.0"
like "--json" "$(timeout 20 bmx-queue watch --count 1 --json example.net)" \
    '^\{"time":"20.*","messages":1,"new":1,'
start_bg watch bmx-queue watch
ok "it goes on" wait_for 20 grep -q 6 "$tmp/watch.log"
kill -s INT "$(pid_of watch)"
wait "$(pid_of watch)"
is "until SIGINT, which is no error" $? 0
if command -v script >/dev/null; then
	out=$( (wait_for 20 grep -q ends "$tmp/screen"; printf q) |
	    timeout 20 script -qefc "stty rows 24 cols 80; bmx-queue watch" \
		"$tmp/screen" | tr -d '\r')
	is "q ends it on a terminal" $? 0
	like "which shows the largest domain first" "$out" \
	    '^ +5 +0 +5 +0 +[0-9.K]+ +27\.8 h example\.com$'
	like "and the sum" "$out" '^ +6 .* \(all\) \+0\.0/s$'
	like "also one that is too small to hold it" "$(script -qec \
	    "stty rows 3 cols 80; bmx-queue watch --count 1" /dev/null </dev/null |
	    tr -d '\r')" '^ +6 .* \(all\) \+0\.0/s$'
else
	skip "also one that is too small to hold it" "script is not installed"
	skip "q ends it on a terminal" "script is not installed"
	skip "which shows the largest domain first" "script is not installed"
	skip "and the sum" "script is not installed"
fi

done_testing
