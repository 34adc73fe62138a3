#!/bin/sh
# Senders are told: on-5xx = bounce, DSN parameters and notices (D37, D38, D39).
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/sender.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
sender_make
make_conf "notices = 127.0.0.1:$sender_port" 'notice-lifetime = 5d' \
    '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'on-5xx = bounce' 'delay-notice = 4h' 'admit = spool' \
    '[example.net]' "primary = 127.0.0.1:$primary_port"

# new [OPTION...] [ROW...]: both servers anew, the primary with these.
new()
{
	primary_renew "$@"
	sender_renew
	: >"$tmp/bmx.log"
}

# spooled: messages anywhere
spooled()
{
	find "$spool" -path '*/new/*' -o -path '*/cur/*' | wc -l | tr -d ' '
}

sender_start
primary_start

# ---- D38: a refusal ----

new 'rcpt<bad@example.com> 550 5.1.1 No such user "bad"'
printf 'From: alice@example.org\r\nSubject: for two\r\n\r\nthe body\r\n' \
    >"$tmp/for-two"
put_file "$tmp/for-two" "mail=FROM:<alice@example.org> RET=FULL ENVID=QQ+2B1" \
    "rcpt=TO:<bad@example.com> NOTIFY=FAILURE ORCPT=rfc822;Bad+2Bx@example.com" \
    to=bob@example.com
exits "D38: one recipient is refused, on-5xx = bounce: 0" 0 bmx-flush example.com
is "the other one has it, and the sender a notice" \
    "$(primary_count) $(sender_count)" "1 1"
is "nothing is left in the spool" "$(spooled)" 0
ok "not even the directory of the sender's domain" \
    test ! -e "$spool/example.org"
is "D37: from the null reverse-path to exactly the sender" \
    "$(grep -v session "$sender/1.env" | cut -d ' ' -f 1,2)" "MAIL FROM:<>
RCPT TO:<alice@example.org>"
out=$(sender_notice 1)
is "D38: the report, field by field" "$(echo "$out" |
    sed -n '/^status:/,$p' | grep -v -e '-Date: ' -e '^|Received')" \
    "status: message/delivery-status
groups: 2
Original-Envelope-Id: QQ+1
Reporting-MTA: dns; backup.example.net
Original-Recipient: rfc822; Bad+x@example.com
Final-Recipient: rfc822; bad@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; [127.0.0.1]
Diagnostic-Code: smtp; 550 5.1.1 No such user 'bad'
header: text/rfc822-headers
|From: alice@example.org
|Subject: for two
defects: []"
like "D38: multipart/report" "$out" '^type: multipart/report delivery-status$'
like "D38: that nobody answers" "$out" '^auto-submitted: auto-replied$'
unlike "the body is not returned, also with RET=FULL" \
    "$(cat "$sender/1.msg")" 'the body'
like "the log has it" "$(logged "id=$id ")" ' bounced notice=[^ ]* reply="550'
like "the ledger too" "$(cat "$spool"/ledger/*)" \
    "id=$id domain=example.com what=bounced .*nrcpt=1 .*reply=550 5.1.1"

# ---- an operator is quicker ----

# While the next message is at the primary, before the run gives up the first.
new
put refused to=bad@example.com
refused=$id
primary_renew "dot#1 run bmx-queue release $refused >/dev/null 2>&1" \
    'rcpt<bad@example.com>#1 550 5.1.1 no'
put good
exits "a refused message is released before it was given up: 69" 69 \
    bmx-flush example.com
is "it waits for the next run, and no sender is told" \
    "$(waiting) $(held) $(sender_count)" "1 0 0"
exits "which hands it over: 0" 0 bmx-flush --now example.com
is "it is there" "$(primary_count) $(waiting) $(sender_count)" "2 0 0"

# ---- D37: for the null reverse-path there is none ----

new 'rcpt<bad@example.com> 550 5.1.1 unknown'
put null from= to=bad@example.com
put other
exits "D37: the null reverse-path: 0" 0 bmx-flush example.com
is "no notice, and the message is given up" "$(sender_count) $(spooled)" "0 0"
like "the log says why" "$(logged "id=.* dropped")" \
    'no-notice="the null reverse-path"'
is "D37: on its way it is not changed" \
    "$(grep -c 'C: MAIL FROM:<>' "$primary/log")" 1

# ---- D39: NOTIFY ----

# notify WORDS NOTICES "what": of a refusal
notify()
{
	new 'rcpt<bad@example.com> 550 5.1.1 unknown'
	put asked "rcpt=TO:<bad@example.com>${1:+ NOTIFY=$1}"
	put other
	bmx-flush example.com
	is "D39: NOTIFY=$1: $3" "$(sender_count) $(spooled)" "$2 0"
}

notify NEVER 0 "no notice of any kind"
notify SUCCESS,DELAY 0 "no notice of failure"
notify SUCCESS,FAILURE 1 "one"
notify '' 1 "absent: one"

# DSN parameters go on as they are where the primary offers DSN.
new
put dsn "mail=FROM:<alice@example.org> RET=HDRS ENVID=a+2Bb" \
    "rcpt=TO:<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2Bb@x.example"
bmx-flush example.com
is "D39: RET, ENVID, NOTIFY and ORCPT as they came, with DSN offered" \
    "$(sed 's/ SIZE=[0-9]*//' "$primary/1.env" | grep -v session)" \
    "MAIL FROM:<alice@example.org> RET=HDRS ENVID=a+2Bb
RCPT TO:<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2Bb@x.example"
is "and the notice is left to the primary" "$(sender_count)" 0

new -e PIPELINING -e 'SIZE 0'
put dsn "mail=FROM:<alice@example.org> RET=HDRS ENVID=a+2Bb" \
    "rcpt=TO:<bob@example.com> NOTIFY=SUCCESS ORCPT=rfc822;B+2Bb@x.example" \
    "rcpt=TO:<carol@example.com> NOTIFY=FAILURE" to=dave@example.com
exits "D39: a primary without DSN: 0" 0 bmx-flush example.com
is "D39: gets none of them" "$(sed 's/ SIZE=[0-9]*//' "$primary/1.env" |
    grep -v session)" "MAIL FROM:<alice@example.org>
RCPT TO:<bob@example.com>
RCPT TO:<carol@example.com>
RCPT TO:<dave@example.com>"
is "D39: one notice of success" "$(sender_count) $(spooled)" "1 0"
is "D39: relayed, of who asked for it" \
    "$(sender_notice 1 | grep -E '^(groups|Orig|Final|Act|Stat|Remote|Diag)')" \
    "groups: 2
Original-Envelope-Id: a+b
Original-Recipient: rfc822; B+b@x.example
Final-Recipient: rfc822; bob@example.com
Action: relayed
Status: 2.0.0
Remote-MTA: dns; [127.0.0.1]
Diagnostic-Code: smtp; 250 2.0.0 stored as 1"

# ---- D39: delay ----

new 'rcpt 450 4.2.1 greylisted'
put young
put old age=20000
put never age=20000 "rcpt=TO:<bob@example.com> NOTIFY=NEVER"
put failure age=20000 "rcpt=TO:<bob@example.com> NOTIFY=FAILURE"
put null age=20000 from=
put delay age=20000 "rcpt=TO:<bob@example.com> NOTIFY=DELAY"
exits "D39: a delay: 75" 75 bmx-flush example.com
is "two are told of it: who said DELAY, and who said nothing" "$(sender_count)" 2
for n in 1 2; do
	like "in words of delay ($n)" "$(sender_notice $n)" '^Action: delayed$'
	like "with the reply ($n)" "$(sender_notice $n)" \
	    '^Diagnostic-Code: smtp; 450 4\.2\.1 greylisted$'
done
exits "and later: 75" 75 bmx-flush --now example.com
is "they are told once" "$(sender_count)" 2
rm -rf "$spool/example.com"

# ---- what is missing at the primary: RFC 6533 ----

new -e PIPELINING -e DSN
put_file "$tmp/for-two" 'mail=FROM:<é@example.org> SMTPUTF8' \
    'rcpt=TO:<ü@example.com>'
put other
exits "D30: SMTPUTF8, which the primary has not: 0" 0 bmx-flush example.com
is "D30: a notice" "$(sender_count) $(spooled)" "1 0"
like "of RFC 6533" "$(sender_notice 1)" \
    '^Status: 5\.6\.7$'
like "with the address as it is" "$(sender_notice 1)" \
    '^Final-Recipient: utf-8; ü@example.com$'

# ---- notices that do not arrive ----

new 'rcpt<bad@example.com> 550 5.1.1 unknown'
sender_renew 'rcpt 550 5.1.1 no such sender'
put refused to=bad@example.com
put other
exits "D37: a notice that is refused: 0" 0 bmx-flush example.com
is "D37: makes no notice" "$(sender_count) $(spooled)" "0 0"
like "the log says that it is dropped" "$(logged ' dropped ')" \
    'reply="550 5.1.1 no such sender"'

new 'rcpt<bad@example.com> 550 5.1.1 unknown'
sender_renew 'rcpt#1 450 4.2.1 later'
put refused to=bad@example.com
put other
exits "a notice that is deferred is nobody's trouble: 0" 0 bmx-flush example.com
is "it waits" "$(sender_count) $(spooled)" "0 1"
bmx-flush --now example.com
is "and goes later" "$(sender_count) $(spooled)" "1 0"

new 'rcpt<bad@example.com> 550 5.1.1 unknown'
stop sender
put refused to=bad@example.com
put other
exits "the sender's server is down: 0" 0 bmx-flush example.com
is "the notice waits" "$(spooled)" 1
sender_start
bmx-flush
is "not for the next run: the host is left alone for a while" \
    "$(sender_count) $(spooled)" "0 1"
notice=$(cd "$spool/example.org/cur" && ls)
mkdir -m 700 "$tmp/scratch"
old=$("$mkmsg" "$tmp/scratch" example.org age=500000)
mv "$spool/example.org/cur/$notice" "$spool/example.org/cur/$old,${notice#*,}"
exits "a notice older than notice-lifetime: 0" 0 bmx-flush example.com
is "is dropped" "$(sender_count) $(spooled)" "0 0"
like "which the ledger says" "$(cat "$spool"/ledger/*)" \
    "id=$old domain=example.org what=expired"

new 'rcpt<bad@example.com> 550 5.1.1 unknown'
sender_renew 'ehlo stall'
put refused to=bad@example.com
put other
start_bg flush bmx-flush example.com
ok "a notice is on its way" wait_for 20 grep -q 'C: EHLO' "$sender/log"
kill -s TERM "$(pid_of flush)"
ok "SIGTERM ends that" wait_gone "$(pid_of flush)"
sender_renew
bmx-flush example.com
is "and the notice stays as it was: the next run sends it" \
    "$(sender_count) $(spooled)" "1 0"

# ---- mail that is no notice stays in a domain that is not ours ----

new
"$mkmsg" "$spool" example.org >/dev/null
exits "other mail for a domain that is not ours: 65" 65 bmx-flush
is "is not sent" "$(primary_count) $(sender_count) $(spooled)" "0 0 1"
rm -rf "$spool/example.org"

# ---- hold ----

new 'rcpt<bad@example.net> 550 5.1.1 unknown'
"$mkmsg" "$spool" example.net to=bad@example.net >/dev/null
exits "without on-5xx: 69" 69 bmx-flush example.net
is "it is held, and nobody is told" "$(sender_count) $(spooled)" "0 1"
rm -rf "$spool/example.net"

# ---- a primary that refuses everything is broken: nobody is told ----

new 'rcpt 550 5.7.1 we are closed'
put many n=25
exits "a primary that refuses all: 69" 69 bmx-flush example.com
is "no notice goes out for that" "$(sender_count)" 0
is "all of it waits or is held" "$(waiting)" 25
primary_check
done_testing
