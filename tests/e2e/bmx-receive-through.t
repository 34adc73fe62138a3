#!/bin/sh
# admit = through: what the primary says is what the client hears; what the
# primary cannot say, because it is away or breaks, is the spool's. In every
# case the message is at the primary, in the spool, or refused.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/fake/primary.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make

mkdir -m 700 "$tmp/state"
conf()
{
	make_conf 'min-free = 1M' "state = $tmp/state" \
	    '[example.com]' "primary = 127.0.0.1:$primary_port" \
	    'admit = through' 'connect-timeout = 2s' 'reply-timeout = 1s' "$@"
}
conf

# begin [ROW]...: another primary, an empty spool, an empty log.
begin()
{
	empty_spool
	: >"$tmp/bmx.log"
	primary_renew "$@"
}

# session [LINE]...: one to bmx, replies in $tmp/out.
session()
{
	say 'EHLO client.example' "$@" QUIT | bmx-receive >"$tmp/out"
}

# message [RCPT]...: a session with one message.
message()
{
	for message_rcpt; do
		set -- "$@" "RCPT TO:<$message_rcpt>"
		shift
	done
	session 'MAIL FROM:<a@sender.example>' "$@" DATA \
	    'Subject: x' '' '..dot' .
}

# spooled DOMAIN: how many messages.
spooled()
{
	queued "$1" | wc -l | tr -d ' '
}

# ---- the primary is up ----

primary_start
message bob@example.com
is 'up: the client hears the primary' "$(tr -d '\r' <"$tmp/out" | tail -n 2)" \
    '250 2.0.0 stored as 1
221 2.0.0 Bye'
ok 'up: nothing is spooled' nothing_queued
is 'up: envelope at the primary' "$(cat "$primary/1.env")" \
    'MAIL FROM:<a@sender.example>
session 1
RCPT TO:<bob@example.com>'
head -n 3 "$primary/1.msg" | tr -d '\r' >"$tmp/field"
like 'D19 up: our Received field is in front' "$(cat "$tmp/field")" \
    'by backup.example.net with ESMTP id [0-9a-v]{21}$'
say 'Subject: x' '' '.dot' >"$tmp/want"
content_of "$primary/1.msg" >"$tmp/got"
same 'up: the content is what was sent' "$tmp/want" "$tmp/got"
like 'up: one log line tells the decision and its reason' "$(cat "$tmp/bmx.log")" \
    'domain=example.com from=<a@sender.example> to=<bob@example.com> peer=pipe admit=through reason=primary-unknown reply="250 2.1.5 OK"'
like 'up: and one the outcome' "$(cat "$tmp/bmx.log")" \
    'nrcpt=1 peer=127.0.0.1:[0-9]* reply="250 2.0.0 stored as 1" relayed'
like 'up: the state file says so' "$(cat "$tmp/spool/example.com/primary")" \
    '^verdict up$'
grep -E 'C: (MAIL|RCPT)|S: ' "$primary/log" >"$tmp/dialogue"
is 'up: MAIL and the first RCPT go out together' \
    "$(sed -n '/C: MAIL/{n;n;p;q;}' "$tmp/dialogue")" '1 C: RCPT TO:<bob@example.com>'

begin
{
	say 'EHLO c' 'MAIL FROM:<> BODY=8BITMIME SIZE=1000' 'RCPT TO:<bob@example.com> NOTIFY=NEVER' 'BDAT 5'
	printf 'a: b\r'
	say 'BDAT 5 LAST'
	printf '\n\r\n.x'
	say QUIT
} | bmx-receive >"$tmp/out"
is 'D28 chunks go through' "$(last_code "$tmp/out")" '250 2.0.0'
printf 'a: b\r\n\r\n.x\r\n' >"$tmp/want"
content_of "$primary/1.msg" >"$tmp/got"
same 'D26 and arrive as they were' "$tmp/want" "$tmp/got"
like 'parameters are passed on' "$(cat "$primary/1.env")" \
    '^MAIL FROM:<> SIZE=1000 BODY=8BITMIME$'
like 'those of RCPT too' "$(cat "$primary/1.env")" 'NOTIFY=NEVER$'

begin
session 'MAIL FROM:<a@s.example>' 'RCPT TO:<a@example.com>' RSET \
    'MAIL FROM:<b@s.example>' 'RCPT TO:<b@example.com>' DATA x . \
    'MAIL FROM:<c@s.example>' 'RCPT TO:<c@example.com>'
is 'one session carries many transactions' \
    "$(grep -c closed "$primary/log") $(primary_count)" '1 1'
like 'and what was reset is reset there' "$(cat "$primary/1.env")" \
    '^MAIL FROM:<b@s.example>$'
ok 'nothing is spooled' nothing_queued

# ---- the primary refuses ----

# refused NAME CODE ROW...: the client is told so, and nobody has the message.
refused()
{
	refused_name=$1
	refused_code=$2
	shift 2
	begin "$@"
	message bob@example.com
	like "$refused_name: the client hears it" "$(tr -d '\r' <"$tmp/out")" \
	    "^$refused_code"
	is "$refused_name: nobody has it" \
	    "$(primary_count) $(spooled example.com)" '0 0'
}
refused 'nobody' '550 5.1.1 nobody here$' 'rcpt 550 5.1.1 nobody here'
refused 'without an enhanced code' '550 5.0.0 nobody$' 'rcpt 550 nobody'
refused 'sender' '550 5.7.1 not you$' 'mail 550 5.7.1 not you'
refused 'greylisting' '450 4.2.0 later$' 'rcpt 450 4.2.0 later'
refused 'at DATA' '554 5.7.1 no$' 'data 554 5.7.1 no'
refused 'content' '554 5.7.1 spam / and more$' 'dot 554 5.7.1 spam|and more'
refused 'content, for now' '451 4.7.1 scanner$' 'dot 451 4.7.1 scanner'
refused 'a reply with control characters' \
    '550 5.7.1 .x1b\[2Jx$' 'rcpt raw 550 5.7.1 \x1b[2Jx\r\n'

begin 'rcpt<no@example.com> 550 5.1.1 no'
message yes@example.com no@example.com also@example.com
is 'each recipient has its answer' "$(codes "$tmp/out" | sed -n '4,6p')" \
    '250 2.1.5
550 5.1.1
250 2.1.5'
is 'and the message goes to the others' "$(grep -c RCPT "$primary/1.env")" 2
begin 'mail 550 5.7.1 not you'
message a@example.com b@example.com
is 'the sender is refused: so is each recipient of a group' \
    "$(codes "$tmp/out" | sed -n '4,6p' | tr '\n' ,) $(primary_count) $(spooled example.com)" \
    '550 5.7.1,550 5.7.1,503 5.5.1, 0 0'

# ---- it has limits ----

begin -x 'LIMITS RCPTMAX=1'
message a@example.com b@example.com
is 'RFC 9422: a recipient over its RCPTMAX is to come again, and is not spooled' \
    "$(codes "$tmp/out" | sed -n '4,5p' | tr '\n' ,) $(last_code "$tmp/out") $(spooled example.com)" \
    '250 2.1.5,452 4.5.3, 250 2.0.0 0'
is 'RFC 9422: and the primary does not hear of it' \
    "$(primary_said 'C: RCPT') $(grep -c RCPT "$primary/1.env")" '1 1'

# sessions: at the primary, of the messages that it has.
sessions()
{
	sed -n 's/^session //p' "$primary"/*.env | tr '\n' ' '
}
begin -x 'LIMITS MAILMAX=1'
session 'MAIL FROM:<a@s.example>' 'RCPT TO:<a@example.com>' DATA x . \
    'MAIL FROM:<a@s.example>' 'RCPT TO:<b@example.com>' DATA y .
is 'RFC 9422: over its MAILMAX a message goes in another session' \
    "$(sessions)$(spooled example.com)" '1 2 0'

# ---- it fails on the way ----

# fails NAME ROW...: the message is in the spool, once and whole, the client
# has its 250, and the primary has nothing.
fails()
{
	fails_name=$1
	shift
	begin "$@"
	message bob@example.com
	is "$fails_name: 250, in the spool, not at the primary" \
	    "$(last_code "$tmp/out") $(spooled example.com) $(primary_count)" \
	    '250 2.0.0 1 0'
	say 'Subject: x' '' '.dot' >"$tmp/want"
	content_of "$(queued example.com)" >"$tmp/got"
	same "$fails_name: whole" "$tmp/want" "$tmp/got"
}
for stage in connect ehlo mail rcpt data dot; do
	fails "421 at $stage" "$stage 421 4.3.2 going down"
	fails "hang-up at $stage" "$stage hangup"
	fails "reset at $stage" "$stage reset"
	fails "silence at $stage" "$stage stall"
	fails "10,000 lines at $stage" "$stage flood"
done
for stage in mail rcpt data dot; do
	fails "its own trouble at $stage" "$stage 451 4.3.0 no queue"
done
fails 'nonsense at RCPT' 'rcpt raw 250-a\r\n550 b\r\n'
fails '554 for a greeting is for us' 'connect 554 5.7.1 not you'
like 'a failure is in the log' "$(cat "$tmp/bmx.log")" \
    'domain=example.com peer=127.0.0.1:[0-9]* relay failed: '

# More than is held in memory, and more than a file gets at once.
seq -f '%0200.0f' 1500 >"$tmp/lines"
long()
{
	begin "$@"
	{
		say 'EHLO c' 'MAIL FROM:<a@s.example>' \
		    'RCPT TO:<bob@example.com>' DATA
		crlf <"$tmp/lines"
		say . QUIT
	} | bmx-receive >"$tmp/out"
	long_has="$(last_code "$tmp/out") $(spooled example.com) $(primary_count)"
}
crlf <"$tmp/lines" >"$tmp/want"
for stage in data dot; do
	for action in hangup '451 4.3.0 no queue'; do
		long "$stage $action"
		is "a long message, $action at $stage: in the spool" \
		    "$long_has" '250 2.0.0 1 0'
		content_of "$(queued example.com)" >"$tmp/got"
		same "a long message, $action at $stage: whole" "$tmp/want" "$tmp/got"
	done
done
long
is 'a long message goes through: not in the spool' "$long_has" '250 2.0.0 0 1'

begin 'rcpt#2 hangup'
message bob@example.com new@example.com
is 'broken at the second recipient: the spool has both' \
    "$(last_code "$tmp/out") $(grep -c '^Bmx-To: [PU]' "$(queued example.com)") $(primary_count)" \
    '250 2.0.0 2 0'

begin 'dot store-hangup'
message bob@example.com
is 'C12 the last reply is lost: 250, and the message is spooled too' \
    "$(last_code "$tmp/out") $(spooled example.com) $(primary_count)" \
    '250 2.0.0 1 1'
like 'C12 and the log says unknown' "$(cat "$tmp/bmx.log")" \
    'id=[0-9a-v]* domain=example.com peer=[0-9.:]* state=unknown'
begin 'dot store-stall'
message bob@example.com
is 'C12 D18 the same when it says nothing more' \
    "$(last_code "$tmp/out") $(spooled example.com) $(primary_count)" \
    '250 2.0.0 1 1'

# ---- other domains in the same transaction ----

both()
{
	conf '[example.net]' "primary = 127.0.0.1:$primary_port"
	begin "$@"
	message bob@example.com bob@example.net
	conf
}
both
is 'two domains: one goes through, the other is spooled' \
    "$(last_code "$tmp/out") $(primary_count) $(spooled example.com) $(spooled example.net)" \
    '250 2.0.0 1 0 1'
both 'dot 554 5.7.1 spam'
is 'two domains: a refused message is in no spool' \
    "$(last_code "$tmp/out") $(primary_count) $(spooled example.com) $(spooled example.net)" \
    '554 5.7.1 0 0 0'
both 'dot hangup'
is 'two domains: the primary breaks, both are spooled' \
    "$(last_code "$tmp/out") $(primary_count) $(spooled example.com) $(spooled example.net)" \
    '250 2.0.0 0 1 1'
conf '[example.net]' "primary = 127.0.0.1:$primary_port"
begin
message bob@example.net bob@example.com
is 'two domains, the other way round: one is spooled, the other goes through' \
    "$(last_code "$tmp/out") $(primary_count) $(spooled example.com) $(spooled example.net)" \
    '250 2.0.0 1 0 1'
conf '[example.net]' "primary = 127.0.0.1:$primary_port" 'admit = through'
begin
session 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA x . \
    'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.net>' DATA y .
is 'two domains one after the other: each has a session of its own' \
    "$(sessions)$(spooled example.com) $(spooled example.net)" '1 2 0 0'
conf '[example.net]' "primary = 127.0.0.1:$primary_port"
for n in 1000 12000; do # lines of 57 bytes: all of it is written at the end, or not
	begin
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' \
	    'RCPT TO:<bob@example.net>' DATA >"$tmp/lines"
	yes 'text and text and text and text and text and text and more' |
	    head -n $n | sed 's/$/\r/' >>"$tmp/lines"
	say . QUIT >>"$tmp/lines"
	(ulimit -f 16; exec bmx-receive <"$tmp/lines" >"$tmp/out")
	is "two domains: one cannot be spooled, so the other does not go through ($n)" \
	    "$(last_code "$tmp/out") $(primary_count) $(spooled example.com) $(spooled example.net)" \
	    '452 4.3.1 0 0 0'
done
conf

# ---- the client disappears ----

begin
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA 'x' |
    bmx-receive >"$tmp/out"
is 'the client goes in the content: nobody has it' \
    "$(primary_count) $(spooled example.com)" '0 0'
begin
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' |
    bmx-receive >"$tmp/out"
is 'the client goes before it: nobody has it' \
    "$(primary_count) $(spooled example.com)" '0 0'
begin
{
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA
	printf 'x\n.\r\ny\r\n.\r\n'
} | bmx-receive >"$tmp/out"
is 'D25 D26 what is smuggled goes nowhere' \
    "$(last_code "$tmp/out") $(primary_count) $(spooled example.com)" \
    '550 5.5.2 0 0'

# ---- we are told to end ----

# told STAGE: SIGTERM while the primary thinks about its reply.
told()
{
	begin "$1 run kill -s TERM \$(cat $tmp/told.pid)"
	rm -f "$tmp/told.in"
	mkfifo "$tmp/told.in"
	bmx-receive <"$tmp/told.in" >"$tmp/out" &
	echo $! >"$tmp/told.pid"
	say 'EHLO client.example' 'MAIL FROM:<a@sender.example>' \
	    'RCPT TO:<bob@example.com>' DATA x . NOOP >"$tmp/told.in"
	wait "$(cat "$tmp/told.pid")"
}
told dot
is 'SIGTERM at the end: the reply is waited for' \
    "$(codes "$tmp/out" | sed -n 6p) $(primary_count) $(spooled example.com)" \
    '250 2.0.0 1 0'
told rcpt
like 'SIGTERM before: no mail is lost, and none twice' \
    "$(codes "$tmp/out" | sed -n '6p') $(primary_count) $(spooled example.com)" \
    '^(250 2.0.0 (0 1|1 0)|(421 4.3.2)? 0 0)$'
unlike 'SIGTERM says nothing about the primary' \
    "$(cat "$tmp/spool/example.com/primary")" '^last down'

# ---- who the client is ----

conf 'xclient = yes'
begin -x 'XCLIENT NAME ADDR PROTO HELO PORT' -x 'XFORWARD NAME ADDR PROTO HELO'
message bob@example.com
like 'C4 XCLIENT names the client' "$(cat "$primary/log")" \
    'C: XCLIENT ADDR=\[UNAVAILABLE\] NAME=\[UNAVAILABLE\] PORT=\[UNAVAILABLE\] PROTO=ESMTP HELO=client.example$'
like 'C4 and EHLO is its own' "$(cat "$primary/log")" 'C: EHLO client.example$'
is 'C4 the message is there' "$(primary_count)" 1
begin -x 'XCLIENT NAME ADDR PROTO HELO PORT' \
    'ehlo#2+ 550 5.7.1 client.example is listed' 'helo 550 5.7.1 listed'
message bob@example.com
is 'C4 what the primary refuses of the client, it is told' \
    "$(codes "$tmp/out" | sed -n 4p) $(spooled example.com)" '550 5.7.1 0'
conf
begin -x 'XCLIENT NAME ADDR PROTO HELO PORT' -x 'XFORWARD NAME ADDR PROTO HELO'
message bob@example.com
unlike 'D47 no XCLIENT unless the domain says so' "$(cat "$primary/log")" 'C: XCLIENT'
like 'C4 but XFORWARD' "$(cat "$primary/log")" \
    'C: XFORWARD ADDR=\[UNAVAILABLE\] .*HELO=client.example$'

# ---- what would be, and why ----

begin 'rcpt<no@example.com> 550 5.1.1 nobody'
exits '--check asks the primary' 0 \
    bmx-receive --check 192.0.2.1 c.example a@s.example bob@example.com
like '--check gives the reason' "$(cat "$tmp/out")" \
    '250 2.1.5 OK \(\[example.com\]: through, primary-unknown: the primary was asked, and this is its answer\)$'
exits '--check: what the primary refuses' 69 \
    bmx-receive --check 192.0.2.1 c.example a@s.example no@example.com
like '--check says so' "$(cat "$tmp/out")" '550 5.1.1 nobody \('

# ---- it is away ----

begin
message known@example.com
stop primary
rm -rf "$primary"
message known@example.com
is 'C2 down: whom the primary took is spooled for' \
    "$(last_code "$tmp/out") $(spooled example.com)" '250 2.0.0 1'
like 'down: found out in this session' "$(cat "$tmp/bmx.log")" \
    'relay failed: .*refused'
: >"$tmp/bmx.log"
message known@example.com
like 'down: the next session does not try' "$(cat "$tmp/bmx.log")" \
    'to=<known@example.com> .* admit=spool reason=known '
unlike 'down: nor wait' "$(cat "$tmp/bmx.log")" 'relay failed'

primary_start 'rcpt 550 5.1.1 nobody here'
empty_spool
message bad@example.com
stop primary
rm -rf "$primary"
message bad@example.com
message bad@example.com
is 'C2 down: whom it refused is refused' "$(codes "$tmp/out" | sed -n 4p)" \
    '550 5.1.1'

conf 'unknown-messages = 2' 'unknown-messages-all = 3'
empty_spool
for rcpt in new1 new1 new1 new2 new3; do
	message "$rcpt@example.com"
	codes "$tmp/out" | sed -n 4p
done >"$tmp/got"
is 'C2 down: unknown recipients are taken up to the limits' \
    "$(cat "$tmp/got")" \
    '250 2.1.5
250 2.1.5
451 4.3.2
250 2.1.5
451 4.3.2'
is 'C2 and so many are in the spool' "$(spooled example.com)" 3
is 'C2 as recipients of whom nobody knew' \
    "$(cat "$tmp"/spool/example.com/new/* | grep -ac '^Bmx-To: U <new')" 3
primary_start
rm "$tmp/spool/example.com/primary"
message new4@example.com
stop primary
rm -rf "$primary"
message new5@example.com
is 'C2 it counts anew once the primary was up' \
    "$(codes "$tmp/out" | sed -n 4p)" '250 2.1.5'
conf 'unknown = defer'
message new6@example.com
is 'C2 unknown = defer' "$(codes "$tmp/out" | sed -n 4p)" '451 4.3.2'
message Postmaster
is 'D13 postmaster is taken all the same' "$(codes "$tmp/out" | sed -n 4p)" \
    '250 2.1.5'
conf 'unknown = accept'
message new7@example.com
is 'C2 unknown = accept' "$(codes "$tmp/out" | sed -n 4p)" '250 2.1.5'

# ---- how long a client may stay ----

make_conf 'min-free = 1M' "state = $tmp/state" 'transaction-timeout = 1' \
    '[example.com]' "primary = 127.0.0.1:$primary_port" 'admit = through' \
    'reply-timeout = 10s'
rm -rf "$primary"
primary_start 'dot slow 1100' # longer than transaction-timeout
empty_spool
: >"$tmp/bmx.log"
opens
tells 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA x .
answers 7
closes
rm "$tmp/in"
stop primary
is 'a client that stays without a message is told 421' \
    "$(last_code "$tmp/out")" '421 4.4.2'
# by the log: how busy the machine is has no part in it
is 'transaction-timeout begins anew when a message is finished' "$(python3 - \
    "$tmp/bmx.log" <<'E'
import datetime, sys
at = {}
for line in open(sys.argv[1]):
    words = line.split()
    at[words[-1]] = datetime.datetime.strptime(words[0], "%Y-%m-%dT%H:%M:%S.%fZ")
print((at["disconnected"] - at["relayed"]).total_seconds() >= 1)
E
)" True

# ---- there is no way to it ----

make_conf 'min-free = 1M' "state = $tmp/state" \
    '[example.com]' 'primary = 127.0.0.1' 'admit = through'
empty_spool
message bob@example.com
is 'D3 the primary is this host: the mail is spooled' \
    "$(last_code "$tmp/out") $(spooled example.com)" '250 2.0.0 1'
like 'D3 and the log says so' "$(cat "$tmp/bmx.log")" \
    'domain=example.com peer=- relay failed: 4.4.6 primary: none is better than this host$'

# ---- admit = defer ----

conf
sed 's/^admit = through/admit = defer/' "$BMX_CONF" >"$tmp/defer.conf"
BMX_CONF=$tmp/defer.conf
primary_start
empty_spool
message bob@example.com
is 'C1 defer: state unknown, spooled' "$(last_code "$tmp/out")" '250 2.0.0'
date -u '+verdict up%nsince %Y-%m-%dT%H:%M:%SZ%nprobed %Y-%m-%dT%H:%M:%SZ%nlast up%nrun 1' \
    >"$tmp/spool/example.com/primary"
message bob@example.com
is 'C1 defer: up, go there' "$(codes "$tmp/out" | sed -n 4p)" '451 4.3.2'
conf

# ---- live to LMTP: who insists, see admit = defer ----

stop primary
primary_check
rm -rf "$primary"
make_conf 'min-free = 1M' "state = $tmp/state" '[example.com]' \
    "primary = lmtp:127.0.0.1:$primary_port" 'admit = defer' 'defer-tries = 1' \
    'defer-time = 0' 'reply-timeout = 5s'
primary_start --lmtp
empty_spool
message bob@example.com
rm "$tmp"/spool/example.com/new/*
date -u '+verdict up%nsince %FT%TZ%nprobed %FT%TZ%nlast up%nrun 1' \
    >"$tmp/spool/example.com/primary"
message a@example.com b@example.com
is 'C1 one client can be told one of the replies of LMTP: one recipient' \
    "$(codes "$tmp/out" | sed -n '4,5p' | tr '\n' ,) $(last_code "$tmp/out") $(spooled example.com)" \
    '250 2.1.5,452 4.5.3, 250 2.0.0 0'
is 'C1 it has the message' "$(primary_count) $(grep -c RCPT "$primary/1.env")" '1 1'
stop primary
rm -rf "$primary"
primary_start
conf

# ---- the spam trap ----

begin 'rcpt 550 5.1.1 nobody here'
i=0
while [ "$i" -lt 100 ]; do
	{
		say 'EHLO spam.example'
		j=0
		while [ "$j" -lt 10 ]; do
			say 'MAIL FROM:<v@victim.example>' \
			    "RCPT TO:<u$i.$j@example.com>" RSET
			j=$((j + 1))
		done
		say QUIT
	} | bmx-receive >>"$tmp/trap"
	i=$((i + 1))
done
is 'the spam trap: 1,000 messages to nobody are refused' \
    "$(tr -d '\r' <"$tmp/trap" | grep -c '^550 5.1.1 nobody here$')" 1000
ok 'the spam trap: an empty spool' nothing_queued

# ---- words of the primary, in the log of everybody who hears them ----

conf 'tls = none' 'fall = 1'
forged='no" admit=forged reason="so'
begin "rcpt<bad@example.com> 550 5.1.1 $forged" "dot 554 5.7.1 $forged"
message bad@example.com good@example.com
primary_renew "connect 421 4.3.2 $forged"
message good@example.com
rm "$tmp/spool/example.com/primary"
bmx-flush >/dev/null 2>&1
rm "$tmp/spool/example.com/primary"
bmx-probe >/dev/null
grep '=".*forged' "$tmp/bmx.log" >"$tmp/got"
unlike 'none of them is a pair of its own' "$(cat "$tmp/got")" 'no" admit=forged'
is 'they are there, in quotes of ours' \
    "$(grep -c "re[a-z]*=\"[^\"]*no' admit=forged reason='so\"" "$tmp/got")" 5
primary_check
done_testing
