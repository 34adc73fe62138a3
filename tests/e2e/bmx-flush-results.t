#!/bin/sh
# What becomes of a message: each recipient's reply decides (D11, D32, D33).
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port"

# ---- all taken ----

primary_start
put one
cp "$spool"/example.com/new/* "$tmp/one.spool"
exits "a message that is taken: 0" 0 bmx-flush
is "it is removed" "$(waiting)" 0
is "and its notes with it" "$(ls "$spool/example.com/log")" ""
same "it arrived byte for byte" "$primary/1.msg" "$tmp/one.in"
like "the log follows it by its ID to the primary's reply" \
    "$(logged "id=$id ")" \
    'to=<bob@example.com> delivered .*reply="250 2.0.0 stored as 1"'
like "the ledger has it" "$(cat "$spool"/ledger/*)" \
    "id=$id domain=example.com what=delivered .*nrcpt=1 .*stored as 1"
tail -c "+$(($(awk '/^Bmx-/ { n += length($0) + 1; next } { exit }
	END { print n }' "$tmp/one.spool") + 1))" "$tmp/one.spool" >"$tmp/one.sent"
like "with the digest of what was sent" "$(cat "$spool"/ledger/*)" \
    " size=$(wc -c <"$tmp/one.sent" | tr -d ' ') .* sha256=$(sha256sum \
    "$tmp/one.sent" | cut -d ' ' -f 1) reply="
is "nothing goes to stdout or stderr" "$(cat "$tmp/out" "$tmp/err")" ""
exits "nothing to do: 0" 0 bmx-flush
is "and no connection" "$(primary_said 'S: 220 ')" 1

# ---- D33: mixed ----

primary_renew 'rcpt<bad@example.com> 550 5.1.1 unknown' \
    'rcpt<later@example.com>#1 450 4.2.1 greylisted'
put mixed to=bob@example.com to=bad@example.com \
    to=later@example.com
exits "D33: delivered, deferred, refused: 75" 75 bmx-flush
is "each recipient has its state" "$(states "$id")" "D F P"
is "it is not held: one is pending" "$(held)" 0
between "it waits between retry-min and a third more" "$(wait_of "$id")" 300 400
like "its notes say who was refused and why" \
    "$(cat "$spool/example.com/log/$id")" \
    'to=<bad@example.com> refused .*reply="550 5.1.1 unknown"'
exits "not due yet: 0" 0 bmx-flush
is "and not tried" "$(primary_said 'S: 220 ')" 1
exits "--now: the last one is delivered, one had failed: 69" 69 bmx-flush --now
is "D33: only the pending one was asked again" \
    "$(grep -c RCPT "$primary/2.env") $(grep RCPT "$primary/2.env")" \
    "1 RCPT TO:<later@example.com>"
is "now it is held" "$(held)" 1
is "with its states" "$(states "$id")" "D F D"
exits "held: not tried, not even with --now: 0" 0 bmx-flush --now
is "nobody got it twice" "$(cat "$primary"/*.env | grep -c RCPT)" 2

# The operator mends the primary and releases the message.
stop primary
primary_start
held_name=$(cd "$spool/example.com/cur" && ls)
mv "$spool/example.com/cur/$held_name" \
    "$spool/example.com/cur/${held_name%F}"
exits "a released message is tried for those that had failed: 0" 0 \
    bmx-flush --now
is "and only for them" "$(grep RCPT "$primary/1.env")" \
    "RCPT TO:<bad@example.com>"
is "and removed" "$(waiting)" 0

# ---- each stage, 4yz and 5yz ----

# try STAGE REPLY STATUS HELD
try()
{
	primary_renew "$1 $2"
	put "$1" to=bob@example.com to=carol@example.com
	exits "$1 answered $2: $3" "$3" bmx-flush
	is "nothing was taken, the message is there" \
	    "$(primary_count) $(waiting)" "0 1"
	is "held: $4" "$(held)" "$4"
	rm -f "$spool"/example.com/cur/*
}

try mail '450 4.3.0 later' 75 0
try mail '550 5.7.1 not you' 69 1
try rcpt '451 4.3.0 later' 75 0
try rcpt '550 5.1.1 unknown' 69 1
try rcpt '552 5.5.3 too many recipients' 75 0 # RFC 5321 4.5.3.1.10: 452
try data '451 4.3.0 later' 75 0
try data '554 5.3.0 no' 69 1
try dot '452 4.3.1 disk full' 75 0
try dot '554 5.7.1 spam' 69 1

# ---- D32: the first digit decides, however odd the rest ----

# odd "what" ROW: a message that is taken all the same
odd()
{
	primary_renew "$2"
	put odd
	exits "D32: $1: taken" 0 bmx-flush
	is "once" "$(primary_count) $(waiting)" "1 0"
}

odd "299 and no text" 'mail 299'
odd "251" 'rcpt 251 2.1.5 will forward'
odd "an empty line in the middle" \
    'rcpt raw 250-a\r\n250-\r\n250-2.1.5 b\r\n250 c\r\n'
odd "a code alone" 'connect raw 220-hello\r\n220-world\r\n220\r\n'
odd "noise between the extensions" \
    'ehlo raw 250-primary\r\n250-PIPELINING\r\n250-X \xff\xfe\r\n250 8bitmime\r\n'
odd "escape sequences and quotes" \
    'dot raw 250-2.0.0 \x1b[2Jqueued\r\n250 as "7"\r\n'
unlike "what the primary said is printable in the log" \
    "$(cat "$tmp/bmx.log" "$spool"/ledger/*)" "$(printf '\033')"
odd "EHLO is not known" 'ehlo 502 5.5.1 what'
is "D35: HELO after 5yz to EHLO" "$(primary_said 'C: HELO backup.example.net')" 1

# ---- too many recipients at once ----

rcpts=$(i=0; while [ $i -lt 150 ]; do i=$((i + 1)); echo "to=u$i@example.com"; done)
primary_renew
# shellcheck disable=SC2086 # words
put many $rcpts
exits "150 recipients: 0" 0 bmx-flush
is "in two transactions of one session" \
    "$(grep -c RCPT "$primary/1.env") $(grep -c RCPT "$primary/2.env") $(primary_said 'S: 220 ')" \
    "100 50 1"
is "each once" "$(cat "$primary"/*.env | grep RCPT | sort -u | wc -l)" 150

primary_renew 'rcpt#6+ 452 4.5.3 too many'
put many to=a@example.com to=b@example.com \
    to=c@example.com to=d@example.com to=e@example.com to=f@example.com \
    to=g@example.com
stop primary
primary_start 'rcpt#4 452 4.5.3 too many' 'rcpt#5 452 4.5.3 too many' \
    'rcpt#6 552 5.5.3 too many' 'rcpt#7 452 4.2.2 mailbox full'
exits "D11: too many at once: the rest at once after, 4.2.2 later: 75" 75 bmx-flush
is "three, then three" \
    "$(grep -c RCPT "$primary/1.env") $(grep -c RCPT "$primary/2.env")" "3 3"
is "one is pending" "$(states "$id")" "D D D D D D P"
rm -f "$spool"/example.com/cur/*

primary_renew -x 'LIMITS RCPTMAX=2 MAILMAX=2'
put many to=a@example.com to=b@example.com \
    to=c@example.com
put many to=a@example.com
exits "D29: RCPTMAX and MAILMAX: 0" 0 bmx-flush
is "two recipients in a transaction, two transactions in a session" \
    "$(cat "$primary"/*.env | grep -E 'RCPT|session')" "session 1
RCPT TO:<a@example.com>
RCPT TO:<b@example.com>
session 1
RCPT TO:<c@example.com>
session 2
RCPT TO:<a@example.com>"

# The limit comes in the middle of one message, and the server is full then.
to_five="to=a@example.com to=b@example.com to=c@example.com to=d@example.com
    to=e@example.com"
primary_renew -x 'LIMITS RCPTMAX=1 MAILMAX=2'
# shellcheck disable=SC2086 # words
put many $to_five
exits "D29: MAILMAX inside one message: 0" 0 bmx-flush
is "three sessions, each recipient once" \
    "$(primary_said 'S: 220 ') $(cat "$primary"/*.env | grep RCPT | sort -u |
	wc -l | tr -d ' ') $(primary_count) $(waiting)" "3 5 5 0"
primary_renew -x 'LIMITS RCPTMAX=1 MAILMAX=2' 'connect#2 421 4.3.2 full'
# shellcheck disable=SC2086 # words
put many $to_five
exits "D29: and no session follows: 75" 75 bmx-flush
is "who has it is marked" "$(states "$id")" "D D P P P"
exits "the next run: 0" 0 bmx-flush --now
is "nobody gets it twice" "$(primary_count) $(cat "$primary"/*.env |
    grep RCPT | sort -u | wc -l | tr -d ' ') $(waiting)" "5 5 0"

# ---- the breaker ----

primary_renew 'rcpt 550 5.7.1 no relaying'
put refused n=30
exits "everything is refused: 69" 69 bmx-flush
is "it stopped after 20" "$(held) $(waiting)" "20 30"
like "with an alarm" "$(logged alarm=yes)" 'refused 20 messages in a row'
rm -f "$spool"/example.com/*/*,S=*

primary_renew 'rcpt#19 250 2.1.5 OK' 'rcpt#37 250 2.1.5 OK' \
    'rcpt 550 5.7.1 no relaying'
put refused n=40
exits "one in a while is taken: 69" 69 bmx-flush
is "it went on to the end" "$(held) $(waiting) $(primary_count)" "38 38 2"
rm -f "$spool"/example.com/*/*,S=*

# ---- on-5xx = drop ----

make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'on-5xx = drop'
primary_renew 'rcpt<bad@example.com> 550 5.1.1 unknown'
put dropped to=bob@example.com to=bad@example.com
exits "what is refused is dropped: 0" 0 bmx-flush
is "it is gone" "$(waiting)" 0
like "the log says so" "$(logged "id=$id dropped")" 'reply="550 5.1.1 unknown"'
like "the ledger has it as delivered to one" "$(cat "$spool"/ledger/*)" \
    "id=$id domain=example.com what=delivered .* nrcpt=1 "
like "and as failed for the other" "$(cat "$spool"/ledger/*)" \
    "id=$id domain=example.com what=failed .* nrcpt=1 .*reply=550 5.1.1 unknown"

primary_renew 'rcpt 550 5.7.1 relaying denied'
put broken n=30
exits "a primary that refuses everything: 69" 69 bmx-flush
is "nothing is dropped then" "$(held) $(waiting)" "20 30"
rm -f "$spool"/example.com/*/*,S=*

primary_renew -e PIPELINING
put_file "$tmp/one.in" 'mail=FROM:<alice@example.org> BODY=8BITMIME'
exits "what only lacks an extension is not refused by the primary: 69" 69 bmx-flush
is "so it is held" "$(held)" 1
rm -f "$spool"/example.com/*/*,S=*
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port"

# ---- retries double ----

primary_renew 'rcpt 450 4.2.1 greylisted'
put later
bmx-flush
between "D34: the first wait" "$(wait_of "$id")" 300 400
bmx-flush --now
between "the second" "$(wait_of "$id")" 450 800
bmx-flush --now
between "the third" "$(wait_of "$id")" 675 1600
for i in 1 2 3; do bmx-flush --now; done
between "the last: up to retry-max" "$(wait_of "$id")" 2700 3600
touch -d '-1 second' "$spool"/example.com/cur/"$id"*
exits "due: tried without --now: 75" 75 bmx-flush
is "that was the seventh" "$(primary_said 'C: RCPT')" 7

# ---- a refusal that was heard stands ----

rm -f "$spool"/example.com/*/*,S=*
primary_renew -e SIZE 'rcpt 550 5.1.1 unknown' 'rset hangup'
put gone
exits "550 to RCPT, then a hang-up: refused all the same: 69" 69 bmx-flush
is "so it is held" "$(held) $(states "$id")" "1 F"
like "and its log says why" "$(cat "$spool/example.com/log/$id")" \
    'refused .*reply="550 5.1.1 unknown"'
rm -f "$spool"/example.com/*/*,S=*

# ---- what must not stop the others ----

primary_renew 'rcpt<twice@example.com> 450 4.2.1 greylisted'
put twice to=twice@example.com
twice=$id
name=$(cd "$spool/example.com/new" && ls)
ln "$spool/example.com/new/$name" "$spool/example.com/cur/$name:2,"
touch -d '+1 hour' "$spool/example.com/cur/$name:2,"
put other
exits "a message with a second name, deferred: 75" 75 bmx-flush
like "an alarm says what to do" "$(logged "alarm=yes id=$twice")" 'remove one'
is "the other one was delivered" "$(primary_count) $(states "$id")" "1 "
rm -f "$spool"/example.com/*/*,S=*

primary_renew 'rcpt#1 450 4.2.1 greylisted'
put ahead
exits "deferred" 75 bmx-flush
touch -d '2040-01-01' "$spool"/example.com/cur/"$id"*
exits "a next try that no wait leads to, as of a clock that ran ahead: now" \
    0 bmx-flush
is "it was delivered" "$(waiting)" 0

# ---- our own trouble says nothing about the primary ----

primary_renew -x STARTTLS
rm -f "$spool/example.com/primary"
put module
exits "no TLS module: our own trouble" 78 \
    env BMX_TLS_MODULE=/nonexistent/bmx-tls.so bmx-flush
unlike "the primary is not taken for down" \
    "$(cat "$spool/example.com/primary" 2>/dev/null)" 'verdict down'
is "and the mail is there" "$(waiting)" 1
exits "with the module it goes: 0" 0 bmx-flush

primary_check
done_testing
