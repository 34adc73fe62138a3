#!/bin/sh
# admit = through with a real Postfix as the primary, which is stopped, frozen
# and started again in the middle.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/peers.sh"
need python3
need_postfix

postfix_make 'smtpd_authorized_xclient_hosts = 127.0.0.1' \
    'smtpd_authorized_xforward_hosts = 127.0.0.1' \
    'smtpd_helo_restrictions = check_helo_access inline:{{spam.example = 554 5.7.1 we know you}}' \
    'smtpd_recipient_restrictions = check_recipient_access inline:{{bob@example.com = OK},{amy@example.com = OK},{example.com = 550 5.1.1 nobody of that name}}' \
    'smtpd_error_sleep_time = 0' 'smtpd_hard_error_limit = 1000' \
    'maximal_queue_lifetime = 1d'
postfix_start

mkdir -m 700 "$tmp/state"
make_conf 'min-free = 1M' 'max-errors = 1000' "state = $tmp/state" '[example.com]' \
    "primary = 127.0.0.1:$postfix_port" 'admit = through' 'xclient = yes' \
    'connect-timeout = 2s' 'reply-timeout = 2s' 'tls = none' 'rise = 1'

# talk.py STAGE COMMAND: one message through bmx-receive; at the stage (start,
# rcpt, data, content) the command is run before the dialogue goes on. Prints
# the codes of the replies to RCPT and to the message.
cat >"$tmp/talk.py" <<'E2'
import subprocess, sys
stage, command, rcpt, helo = sys.argv[1:5]
bmx = subprocess.Popen(["bmx-receive"], stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE)

def at(here):
    if here == stage:
        subprocess.call(command, shell=True)

def say(line):
    bmx.stdin.write(line + b"\r\n")
    bmx.stdin.flush()

def hear():
    while True:
        line = bmx.stdout.readline()
        if not line:
            return "gone"
        if line[3:4] != b"-":
            return line.decode("ascii").strip()

def ask(line):
    say(line)
    return hear()

hear()
at("start")
ask(b"EHLO " + helo.encode("ascii"))
ask(b"MAIL FROM:<a@sender.example>")
words = [ask(b"RCPT TO:<" + rcpt.encode("ascii") + b">")]
at("rcpt")
if words[0].startswith("250"):
    ask(b"DATA")
    at("data")
    say(b"Subject: " + stage.encode("ascii") + b"\r\n\r\n" + b"x" * 900)
    for i in range(1000):
        say(b"y" * 900)
    at("content")
    words.append(ask(b"."))
ask(b"QUIT")
bmx.wait()
print("\n".join(words))
E2
talk()
{
	python3 "$tmp/talk.py" "$@" >"$tmp/out"
}

spooled()
{
	queued example.com | wc -l | tr -d ' '
}

stored()
{
	find "$postfix/mail" -name '*[0-9]' | wc -l | tr -d ' '
}

# ---- up ----

talk none true bob@example.com client.example
like 'up: the client hears Postfix' "$(cat "$tmp/out")" '^250 2.0.0 Ok: queued as '
ok 'up: nothing is spooled' nothing_queued
postfix_wait 1
like 'up: the message is there, with our Received field' \
    "$(cat "$postfix"/mail/*[0-9])" 'by backup.example.net with ESMTP id'
like 'C4 and Postfix takes the client for what it is' \
    "$(cat "$postfix/log/mail.log")" 'client=unknown\[unknown\]'
talk none true nobody@example.com client.example
is 'up: its refusal is the client'\''s' "$(cat "$tmp/out")" \
    '550 5.1.1 <nobody@example.com>: Recipient address rejected: nobody of that name'
talk none true bob@example.com spam.example
is 'C4 up: and what it thinks of the client too' "$(cat "$tmp/out")" \
    '554 5.7.1 <spam.example>: Helo command rejected: we know you'

# ---- the spam trap ----

i=0
while [ "$i" -lt 50 ]; do
	{
		say 'EHLO trap.example'
		j=0
		while [ "$j" -lt 20 ]; do
			say 'MAIL FROM:<v@victim.example>' \
			    "RCPT TO:<u$i.$j@example.com>" RSET
			j=$((j + 1))
		done
		say QUIT
	} >"$tmp/in"
	bmx-receive <"$tmp/in" >>"$tmp/trap"
	i=$((i + 1))
done
is 'the spam trap: 1,000 messages to nobody are refused' \
    "$(grep -c '^550 5.1.1 .*nobody of that name' "$tmp/trap")" 1000
ok 'the spam trap: an empty spool' nothing_queued
is 'the spam trap: and not one bounce' \
    "$(find "$postfix/queue/deferred" "$postfix/queue/active" \
	"$postfix/queue/incoming" -type f | wc -l) $(stored)" '0 1'

# A Postfix under stress has no patience with errors. It is up all the same.
sed -i 's/^smtpd_hard_error_limit = .*/smtpd_hard_error_limit = 3/' "$postfix/etc/main.cf"
stop postfix
postfix_start
: >"$tmp/trap"
i=0
while [ "$i" -lt 20 ]; do
	{
		say 'EHLO trap.example' 'MAIL FROM:<v@victim.example>'
		j=0
		while [ "$j" -lt 10 ]; do
			say "RCPT TO:<v$i.$j@example.com>"
			j=$((j + 1))
		done
		say DATA x . QUIT
	} >"$tmp/in"
	bmx-receive <"$tmp/in" >>"$tmp/trap"
	i=$((i + 1))
done
is 'the spam trap, under stress: nothing is accepted' \
    "$(grep -c '^550 5.1.1 .*nobody of that name' "$tmp/trap") $(grep -c '^421' "$tmp/trap") $(grep -c '^250 2.1.5\|^354' "$tmp/trap")" \
    '60 20 0'
ok 'the spam trap, under stress: an empty spool' nothing_queued
talk none true bob@example.com client.example
like 'under stress: others hear Postfix as before' "$(cat "$tmp/out")" \
    '^250 2.0.0 Ok: queued as '
sed -i 's/^smtpd_hard_error_limit = .*/smtpd_hard_error_limit = 1000/' "$postfix/etc/main.cf"
stop postfix
postfix_start

# ---- stopped or frozen at each point ----

# settle: Postfix is there again, what it has it delivers, and so does bmx.
settle()
{
	if [ -f "$tmp/postfix.pid" ]; then
		thaw postfix
	else
		postfix_start
	fi
	bmx-flush --now example.com >"$tmp/flush" 2>&1
}

for fault in stop freeze; do
	for stage in start rcpt data content; do
		rm -f "$tmp/spool/example.com/primary" "$postfix"/mail/*
		if [ "$fault" = stop ]; then
			command="kill -s KILL -- -$(pid_of postfix)"
		else
			command="kill -s STOP -- -$(pid_of postfix)"
		fi
		talk "$stage" "$command" bob@example.com client.example
		is "$fault at $stage: 250, and in the spool" \
		    "$(cut -c 1-3 "$tmp/out" | tr '\n' ' ')$(spooled)" \
		    '250 250 1'
		[ "$fault" = freeze ] || crash postfix
		settle
		postfix_wait 1
		ok "$fault at $stage: then Postfix has it, and the spool is empty" \
		    nothing_queued
	done
done

# ---- down: what was learned ----

crash postfix
rm -f "$tmp/spool/example.com/primary"
talk none true bob@example.com client.example
is 'C2 down: whom it took is spooled for' "$(cut -c 1-3 "$tmp/out" | tr '\n' ' ')" \
    '250 250 '
talk none true nobody@example.com client.example
is 'C2 down: whom it refused is refused' "$(cat "$tmp/out")" \
    '550 5.1.1 No such recipient here'
done_testing
