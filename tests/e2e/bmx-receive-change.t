#!/bin/sh
# What is known of the primary changes in the middle of a session: its state
# file, or an operator pauses its domain; or the client says another name. A
# transaction is the primary's or the spool's as a whole, and nothing is lost
# between the two.
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
	    'unknown = accept' 'connect-timeout = 2s' 'reply-timeout = 2s' \
	    'tls = none' "$@"
}
conf 'admit = through'
primary_start

# state VERDICT: what bmx-probe would have found just now.
state()
{
	(umask 077 && mkdir -p "$tmp/spool/example.com")
	date -u "+verdict $1%nsince %Y-%m-%dT%H:%M:%SZ%nprobed %Y-%m-%dT%H:%M:%SZ%nlast $1%nrun 9" \
	    >"$tmp/spool/example.com/primary"
}

# begin VERDICT [ROW...]: another primary, an empty spool.
begin()
{
	begin_state=$1
	shift
	empty_spool
	: >"$tmp/bmx.log"
	primary_renew "$@"
	state "$begin_state"
}

# places: recipients at the primary, and in the spool.
places()
{
	cat /dev/null "$primary"/*.env 2>/dev/null | grep -c RCPT
	queued example.com | xargs -r cat | grep -ac '^Bmx-To: '
}

# ---- the state file ----

begin down
opens
tells 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>'
answers 4
state up
tells 'RCPT TO:<bob@example.com>' DATA 'Subject: x' '' x .
answers 7
tells QUIT
closes
is 'it comes back between two recipients: the spool has both' \
    "$(last_code "$tmp/out") $(places | tr '\n' ' ')" '250 2.0.0 0 2 '

begin up
opens
tells 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>'
answers 4
state down
tells 'RCPT TO:<bob@example.com>' DATA 'Subject: x' '' x .
answers 7
tells QUIT
closes
is 'it is said to go: who asks it knows better' \
    "$(last_code "$tmp/out") $(places | tr '\n' ' ')" '250 2.0.0 2 0 '

# ---- an operator ----

# pause [WORDS]: of the file.
pause()
{
	date -u "+since %Y-%m-%dT%H:%M:%SZ${1:+%n$1}" >"$tmp/spool/example.com/paused"
}

# one: a message to one recipient, in one go.
one()
{
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA \
	    'Subject: x' '' x . QUIT | bmx-receive >"$tmp/out"
	last_code "$tmp/out"
	places
}

begin up
pause
is 'paused: 250, and the spool has it' "$(one | tr '\n' ' ')" '250 2.0.0 0 1 '
is 'paused: the primary was not even called' "$(grep -c . "$primary/log")" 0
is 'the log says that it is the spool'\''s' \
    "$(log_lines ' admit=' | sed 's/.*\(admit=[a-z]* reason=[a-z]*\).*/\1/')" \
    'admit=spool reason=known'
exits '--check knows' 0 bmx-receive --check 192.0.2.1 c a@s.example bob@example.com
like 'and says so' "$(cat "$tmp/out")" '^primary of example.com: up, .*, paused$'
begin up
pause "until $(date -u -d '-1 minute' +%Y-%m-%dT%H:%M:%SZ)"
is 'paused until a minute ago: it goes through' "$(one | tr '\n' ' ')" '250 2.0.0 1 0 '
begin up
echo rubbish >"$tmp/spool/example.com/paused"
is 'a pause that cannot be read is one' "$(one | tr '\n' ' ')" '250 2.0.0 0 1 '
like 'and there is an alarm' "$(cat "$tmp/bmx.log")" \
    'alarm=yes domain=example.com paused, since that cannot be read: '
conf 'admit = defer'
begin up
pause
is 'admit = defer: paused is down, so nobody is sent there' \
    "$(one | tr '\n' ' ')" '250 2.0.0 0 1 '
conf 'admit = through'

begin up
opens
tells 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>' DATA \
    'Subject: x' '' x .
answers 6
pause
tells 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' DATA \
    'Subject: x' '' x .
answers 10
tells QUIT
closes
is 'paused between two messages of a session: the second is the spool'\''s' \
    "$(last_code "$tmp/out") $(places | tr '\n' ' ')" '250 2.0.0 1 1 '

begin up
opens
tells 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>'
answers 4
pause
tells 'RCPT TO:<bob@example.com>' DATA 'Subject: x' '' x .
answers 7
tells QUIT
closes
is 'paused within one: what it began goes on' \
    "$(last_code "$tmp/out") $(places | tr '\n' ' ')" '250 2.0.0 2 0 '

# ---- the client ----

# known: what is remembered of recipients.
known()
{
	bmx-queue recipients list example.com 2>&1 | cut -f 1,2 |
	    tr '\t\n' '= ' | sed 's/ *$//'
}

# XCLIENT and EHLO begin the primary's session anew, and its answer is about
# the client.
conf 'admit = through' 'xclient = yes'
begin up -x 'XCLIENT NAME ADDR PROTO HELO PORT' \
    'ehlo#3+ 550 no such host' 'helo 550 no such host'
rm -rf "$tmp/state/recipients"
say 'EHLO first.example' 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>' \
    DATA x . 'EHLO second.example' 'MAIL FROM:<a@s.example>' \
    'RCPT TO:<bob@example.com>' QUIT | bmx-receive >"$tmp/out"
is 'C4 a client by another name is refused as that' \
    "$(last_code "$tmp/out") $(places | tr '\n' ' ')" '550 5.0.0 1 0 '
is 'C2 which teaches nothing of its recipient' "$(known)" 'ann@example.com=good'
begin up -x 'XCLIENT NAME ADDR PROTO HELO PORT' \
    'ehlo#2+ 550 5.7.1 not you' 'helo hangup'
one >"$tmp/places"
is 'C4 also when it leaves after that' \
    "$(codes "$tmp/out" | sed -n 4p) $(places | tr '\n' ' ')" '550 5.7.1 0 0 '

# There are servers that offer it to us, and not to whom we speak for.
begin up -x 'XCLIENT HELO' 'ehlo#2 250 primary.test|PIPELINING'
say 'EHLO first.example' 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>' \
    DATA x . 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>' DATA y . \
    'EHLO second.example' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' \
    DATA z . QUIT | bmx-receive >"$tmp/out"
is 'C4 D47 nobody'\''s mail goes as that of the client before' \
    "$(sed -n 's/ C: XCLIENT / /p; s/ C: RCPT TO:/ /p' "$primary/log" | tr '\n' ,)" \
    '1 HELO=first.example,1 <ann@example.com>,1 <ann@example.com>,2 HELO=second.example,2 <bob@example.com>,'
begin up -x 'XCLIENT HELO' 'xclient#2 550 5.7.0 once is enough'
say 'EHLO first.example' 'MAIL FROM:<a@s.example>' 'RCPT TO:<ann@example.com>' \
    DATA x . 'EHLO second.example' 'MAIL FROM:<a@s.example>' \
    'RCPT TO:<bob@example.com>' DATA y . QUIT | bmx-receive >"$tmp/out"
is 'nor where it refuses to hear of the next' \
    "$(last_code "$tmp/out") $(tr '\n' , <"$primary/2.env")$(places | tr '\n' ' ')" \
    '250 2.0.0 MAIL FROM:<a@s.example>,session 2,RCPT TO:<bob@example.com>,2 0 '

stop primary
primary_check
done_testing
