#!/bin/sh
# bmx-queue gives mail up and tells its sender, with the domain's lock; and has
# holds that end, and pauses of whole domains.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'lifetime-max = 30d' '[example.net]' "primary = 127.0.0.1:$primary_port"

mk()
{
	"$mkmsg" "$spool" "$@"
}

# The one notice for the domain of that sender.
notice()
{
	cat "$spool/$1"/new/*
}

# ---- bounce ----

id=$(mk example.com from=alice@example.org to=bob@example.com \
    to=carol@example.com)
LC_ALL=C sed -i 's/^Bmx-To: P <carol/Bmx-To: D <carol/' \
    "$spool/example.com/new/$id"*
exits "bounce" 0 bmx-queue bounce "$id" --reason 'the address is a typo'
is "says what it did" "$(cat "$tmp/out")" "$id	example.com	bounced"
is "the message is gone" "$(find "$spool/example.com" -name "$id*")" ""
out=$(notice example.org)
like "its sender gets a notice" "$out" '^Bmx-To: P <alice@example\.org>'
like "from the null reverse-path" "$out" '^Bmx-From: <>'
like "about the recipient who did not get it" "$out" \
    '^Final-Recipient: rfc822; bob@example\.com'
like "with a status of its own" "$out" '^Status: 5\.0\.0'
unlike "not about the one who got it" "$out" '^Final-Recipient: .*carol'
unlike "the reason is not for the sender" "$out" 'typo'
like "but for the ledger" "$(cat "$spool"/ledger/*)" \
    " id=$id domain=example\\.com what=bounced .* nrcpt=1 .* reply=the address is a typo\$"
like "and for the log, with the ID of the notice" "$(cat "$tmp/bmx.log")" \
    "id=$id domain=example\\.com action=bounced notice=[0-9a-v]{21} uid=$(id -u) reason=the address"
rm -f "$spool"/example.org/new/*

id=$(mk example.com mail='FROM:<alice@example.org>' \
    rcpt='TO:<bob@example.com> NOTIFY=NEVER')
is "who wants no notice gets none" "$(bmx-queue bounce "$id")" \
    "$id	example.com	dropped"
like "which the log says" "$(cat "$tmp/bmx.log")" \
    "id=$id .*action=dropped no-notice=\"NOTIFY does not want one\""
id=$(mk example.com from=)
is "nor does the null sender" "$(bmx-queue bounce --json "$id")" \
    '{"id":"'"$id"'","domain":"example.com","result":"dropped"}'
is "nothing was sent" "$(find "$spool/example.org/new" -type f)" ""

mk example.com n=3 >/dev/null
exits "bounce of a domain does nothing" 64 bmx-queue bounce example.com
is "but list" "$(cut -f 3 "$tmp/out" | sort | uniq -c | tr -s ' ')" " 3 bounce"
is "all is there" "$(bmx-queue count example.com)" 3
exits "with --yes it does" 0 bmx-queue bounce example.com --yes
is "all of it" "$(bmx-queue count example.com) $(bmx-queue count example.org)" \
    "0 3"
rm -rf "$spool/example.org"

# ---- expire ----

old=$(mk example.com age=4000000)
young=$(mk example.com age=1000)
cat >"$spool/example.com/history" <<-E
$(date -u -d @$(($(date +%s) - 3900000)) +%Y-%m-%dT%H:%M:%SZ) up from=$(date -u -d @$(($(date +%s) - 3900000)) +%Y-%m-%dT%H:%M:%SZ)
E
exits "expire of a domain without --yes" 64 bmx-queue expire example.com
is "lists what would expire, and no other" "$(cat "$tmp/out")" \
    "$old	example.com	expire"
like "and counts that" "$(cat "$tmp/err")" 'is done to what is listed \(1\)$'
is "expire gives up what has lived for too long, and no other" \
    "$(bmx-queue expire "$old" "$young")" "$old	example.com	expired
$young	example.com	unchanged"
like "with the status that says so" "$(notice example.org)" '^Status: 5\.4\.7'
is "the other is there" "$(bmx-queue example.com | cut -f 1)" "$young"
bmx-queue remove "$young" >/dev/null
stray=$(mk example.edu age=9000000)
is "nor one of a domain that is not in bmx.conf, which has no lifetime" \
    "$(bmx-queue expire "$stray")" "$stray	example.edu	unchanged"
rm -rf "$spool/example.edu"
rm -rf "$spool/example.org"

# ---- beside a flusher ----

mkfifo "$tmp/go-on"
primary_start "dot#1 run : >$tmp/in-dot; cat $tmp/go-on"
put one
put two
two=$ids
start_bg flush bmx-flush example.com
ok "a flusher is at work" wait_for 20 test -e "$tmp/in-dot"
exits "bounce does not wait for it" 75 bmx-queue bounce "$two"
is "but says so" "$(cat "$tmp/out")" "$two	example.com	busy"
like "and what to do" "$(cat "$tmp/err")" 'bmx-flush has the domain; try again'
is "nothing was told to anybody" "$(bmx-queue count --domain example.org)" 0
exits "hold needs no lock" 0 bmx-queue hold "$two"
: >"$tmp/go-on"
wait_gone "$(pid_of flush)"
is "what was held is not delivered" \
    "$(primary_count) $(bmx-queue count example.com)" "1 1"
exits "now bounce does it" 0 bmx-queue bounce "$two"
is "also what is held" "$(cat "$tmp/out")" "$two	example.com	bounced"
rm -rf "$spool/example.org"

# ---- retry ----

id=$(mk example.com)
set -- "$spool/example.com/new/$id"*
mv "$1" "$spool/example.com/cur/${1##*/}:2,"
touch -d "@$(($(date +%s) + 900))" "$spool/example.com/cur/$id"*
timeout 20 bmx-flush example.com
is "what is not due is not tried" "$(bmx-queue count example.com)" 1
is "retry makes it due" "$(bmx-queue retry "$id" -r 'the disk was full')" \
    "$id	example.com	due"
like "which its log tells" "$(cat "$spool/example.com/log/$id")" \
    'action=due uid=[0-9]+ reason=the disk was full'
timeout 20 bmx-flush example.com
is "so it is delivered" "$(bmx-queue count example.com)" 0

# ---- hold with an end ----

id=$(mk example.com)
is "hold --until" "$(bmx-queue hold "$id" --until 2100-01-01T00:00:00Z)" \
    "$id	example.com	held"
ok "has its end in the name" test -f \
    "$(echo "$spool/example.com/cur/$id",*,U=4102444800:2,F)"
like "and in the list" "$(bmx-queue --json "$id")" \
    '"hold_until":"2100-01-01T00:00:00\.000000Z"'
like "and in show" "$(bmx-queue show "$id")" \
    '^State:     held, not tried until 2100-01-01T00:00:00Z$'
is "the end can be changed" "$(bmx-queue hold "$id" --until 3h)" \
    "$id	example.com	held"
is "or be taken away" "$(bmx-queue hold "$id")" "$id	example.com	held"
is "which is done once" "$(bmx-queue hold "$id")" "$id	example.com	unchanged"
bmx-queue hold "$id" --until 3h >/dev/null
for file in "$spool/example.com/cur/$id",*; do
	mv "$file" "${file%%,U=*},U=1000000000:2,F"
done
touch -d '2 hours ago' "$spool/example.com/cur/$id",*
is "where the end has come it is deferred, and due" \
    "$(bmx-queue "$id" | cut -f 5,6)" "deferred	now"
like "for --json, too" "$(bmx-queue --json "$id")" \
    '"state":"deferred",.*"next":"2.*"hold":null,"hold_until":null,'
like "and in show" "$(bmx-queue show "$id")" '^State:     deferred, next try now$'
is "it counts as that" "$(bmx-queue --summary example.com | cut -f 2-5)" "1	0	1	0"
is "as it does for --domains" "$(bmx-queue --domains example.com)" example.com
is "and for the filter" "$(bmx-queue count --held) $(bmx-queue count --not-held)" \
    "0 1"
bmx-queue remove "$id" >/dev/null
exits "an end that is over is a mistake" 64 bmx-queue hold "$id" \
    --until 2001-01-01T00:00:00Z
exits "and so is one that is no time" 64 bmx-queue hold "$id" --until Monday

# ---- pause and resume ----

exits "a pause until the end of days" 64 bmx-queue pause example.net \
    --until 106751991d
like "is told how to have that" "$(cat "$tmp/err")" \
    'is too far away; without --until it has no end$'
ok "and there is none" test ! -e "$spool/example.net/paused"

exits "pause" 0 bmx-queue pause example.net --reason 'their disk is new' \
    --until 2h
is "says so" "$(cat "$tmp/out")" "example.net	paused"
like "in the spool" "$(cat "$spool/example.net/paused")" \
    '^reason their disk is new$'
like "with its end" "$(cat "$spool/example.net/paused")" '^until 20'
like "in the log" "$(cat "$tmp/bmx.log")" \
    'domain=example\.net action=paused until=20.* reason=their disk is new$'
like "and in --json of its messages" \
    "$(bmx-queue --json "$(mk example.net)")" '"paused":true'
since=$(grep since "$spool/example.net/paused")
is "another reason changes it" "$(bmx-queue pause --json example.net)" \
    '{"domain":"example.net","result":"paused"}'
is "not since when" "$(grep since "$spool/example.net/paused")" "$since"
is "again changes nothing" "$(bmx-queue pause example.net)" \
    "example.net	unchanged"
is "resume" "$(bmx-queue resume example.net)" "example.net	resumed"
ok "and it is gone" test ! -e "$spool/example.net/paused"
is "again changes nothing" "$(bmx-queue resume example.net)" \
    "example.net	unchanged"
exits "a domain nobody knows" 69 bmx-queue pause example.edu
ok "is not made" test ! -e "$spool/example.edu"
exits "an ID is no domain" 64 bmx-queue pause "$id"
echo damaged >"$spool/example.net/paused"
exits "a pause that is damaged is complained of" 65 bmx-queue --json example.net
like "and believed" "$(cat "$tmp/out")" '"paused":true'
is "resume takes it away" "$(bmx-queue resume example.net)" \
    "example.net	resumed"

done_testing
