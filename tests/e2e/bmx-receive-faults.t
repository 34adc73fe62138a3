#!/bin/sh
# Live relay when the primary, or the client, does the worst at every point:
# what the client is told is true, and the message is at the primary, in the
# spool, or refused. bmx-receive-through.t has the plain cases.
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
	    'admit = through' 'unknown = accept' 'connect-timeout = 1s' \
	    'reply-timeout = 1s' "$@"
}

# begin [OPTION...] [ROW...]: another primary, an empty spool, an empty log.
begin()
{
	empty_spool
	: >"$tmp/bmx.log"
	[ ! -f "$tmp/primary.pid" ] || stop primary
	primary_check
	rm -rf "$primary"
	primary_start "$@"
}

spooled()
{
	queued example.com | wc -l | tr -d ' '
}

# where: "AT-THE-PRIMARY IN-THE-SPOOL", with "unknown" when the log says so.
where()
{
	printf '%s %s' "$(primary_count)" "$(spooled)"
	! grep -q ' state=unknown' "$tmp/bmx.log" || printf ' unknown'
}

# sent: one message, in groups as a client sends it; the last code before QUIT.
sent()
{
	say 'EHLO client.example' 'MAIL FROM:<a@sender.example>' \
	    'RCPT TO:<bob@example.com>' 'RCPT TO:<ann@example.com>' DATA \
	    'Subject: x' '' 'text' . QUIT | bmx-receive >"$tmp/out"
	last_code "$tmp/out"
}

# falls_back NAME [OPTION...] [ROW...]: 250, once in the spool, for both.
falls_back()
{
	back_name=$1
	shift
	begin "$@"
	is "$back_name: 250, and the spool has it" "$(sent) $(where)" '250 2.0.0 0 1'
	is "$back_name: for both" "$(grep -c '^Bmx-To: [PU]' "$(queued example.com)")" 2
}

# ---- what comes before mail ----

conf 'xclient = yes' 'tls = none'
for fault in '421 4.3.2 bye' hangup reset stall flood; do
	falls_back "XCLIENT, $fault" -x 'XCLIENT NAME ADDR PROTO HELO PORT' "xclient $fault"
	falls_back "EHLO after it, $fault" -x 'XCLIENT NAME ADDR PROTO HELO PORT' "ehlo#2 $fault"
	falls_back "XFORWARD, $fault" -x 'XFORWARD NAME ADDR' "xforward $fault"
done
conf 'tls = none'
falls_back 'it is ourselves' 'ehlo 250 backup.example.net|PIPELINING'
like 'it is ourselves: the log says so' "$(cat "$tmp/bmx.log")" \
    'relay failed: .*our own name: a loop'

cat >"$tmp/deaf.py" <<'E2'
import socket, sys, threading
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(0)
held = []
for _ in range(4):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    held.append(client)
print("deaf", flush=True)
threading.Event().wait()
E2
stop primary
rm -rf "$primary"
empty_spool
start_bg deaf python3 "$tmp/deaf.py" "$primary_port"
wait_for 20 grep -q deaf "$tmp/deaf.log"
is 'nobody answers the connection: 250, and the spool has it' \
    "$(sent) $(where)" '250 2.0.0 0 1'
stop deaf

# ---- TLS ----

if command -v openssl >/dev/null &&
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=wrong.test \
	-keyout "$tmp/key" -out "$tmp/cert" 2>"$tmp/openssl.log"; then
	conf 'tls = verify'
	falls_back 'a certificate that does not verify' --tls "$tmp/cert" "$tmp/key"
	is 'no mail went there' "$(grep -c 'C: MAIL' "$primary/log")" 0
	conf 'tls = encrypt'
	falls_back 'no TLS where it has to be'
	for fault in '421 4.3.2 bye' '454 4.7.0 not now' hangup stall 'raw 220 go\r\nrubbish\r\n'; do
		falls_back "STARTTLS, $fault" --tls "$tmp/cert" "$tmp/key" "starttls $fault"
	done
	conf 'tls = may'
	begin --tls "$tmp/cert" "$tmp/key" 'starttls#1 hangup'
	is 'where TLS may be: broken once, then in the clear' "$(sent) $(where)" \
	    '250 2.0.0 1 0'
else
	skip 'TLS' 'openssl is not installed'
fi

# ---- behind the content ----

conf 'tls = none'
for fault in hangup reset stall; do
	begin "dot store-$fault"
	is "it has the message, then $fault: spooled too, and logged as such" \
	    "$(sent) $(where)" '250 2.0.0 1 1 unknown'
done
begin 'dot raw 250'
is 'half of the last reply is none' "$(sent) $(spooled)" '250 2.0.0 1'
like 'and logged as such' "$(cat "$tmp/bmx.log")" ' state=unknown'
begin 'data raw 354 go on\r\n250 2.0.0 early\r\n' 'dot hangup'
is 'a 250 ahead of the end is none: the spool has it' "$(sent) $(where)" \
    '250 2.0.0 0 1 unknown'
begin 'data raw 354 go on\r\n552 5.3.4 too big\r\n' 'dot hangup'
is 'a refusal ahead of it is one' "$(sent) $(where)" '552 5.3.4 0 0'
begin 'quit stall'
is 'no answer to QUIT' "$(sent) $(where)" '250 2.0.0 1 0'
begin 'quit flood'
is 'a flood after QUIT' "$(sent) $(where)" '250 2.0.0 1 0'
begin 'rset hangup'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' RSET \
    'MAIL FROM:<b@s.example>' 'RCPT TO:<bob@example.com>' DATA x . QUIT |
    bmx-receive >"$tmp/out"
is 'it leaves at RSET: the next message goes on a new connection' \
    "$(last_code "$tmp/out") $(where)" '250 2.0.0 1 0'
for fault in hangup reset '421 4.3.2 bye'; do
	begin "rcpt#2 $fault"
	is "at the second of a group, $fault: the spool has it for both" \
	    "$(sent) $(where) $(grep -c '^Bmx-To: [PU]' "$(queued example.com)")" \
	    '250 2.0.0 0 1 2'
done

# ---- the client wears the primary out ----
#
# A primary that is up, and has enough of this client, is not away: nothing that
# it would refuse comes in by the spool, and other sessions go on as before.

# turned_away NAME: told 421 at RCPT, nobody has anything, and the next is heard.
turned_away()
{
	like "$1: the client is sent away" "$(last_code "$tmp/out")" '^421 4'
	is "$1: nobody has anything" "$(where)" '0 0'
	unlike "$1: the primary is not away for that" \
	    "$(cat "$tmp/spool/example.com/primary")" '^last (down|deferring)'
	is "$1: who comes next hears the primary" "$(sent) $(where)" '250 2.0.0 1 0'
}
for fault in '421 4.7.0 too many errors' '421 bye' hangup reset; do
	begin "rcpt<n3@example.com> $fault" 'rcpt<n1@example.com> 550 5.1.1 no' \
	    'rcpt<n2@example.com> 550 5.1.1 no'
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<n1@example.com>' \
	    'RCPT TO:<n2@example.com>' 'RCPT TO:<n3@example.com>' \
	    'RCPT TO:<n4@example.com>' DATA x . QUIT | bmx-receive >"$tmp/out"
	turned_away "errors, then $fault"
done

# It was told who the client is, and has limits for it.
conf 'xclient = yes' 'tls = none'
for row in ehlo#2 mail#1 rcpt#1; do
	begin -x 'XCLIENT NAME ADDR PROTO HELO PORT' \
	    "$row 421 4.7.0 too many connections from this client"
	sent >"$tmp/sent"
	turned_away "a limit for this client, at $row"
done
conf 'tls = none'

# patient N LINE...: N of the lines, and the others when the primary has lost
# its patience. Who closes first is no matter.
patient()
{
	opens
	tells 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' "$1"
	wait_for 20 grep -q 'S: 421' "$primary/log" || fail 'it has no patience'
	shift
	(
		trap '' PIPE
		tells "$@" QUIT 2>/dev/null
	)
	closes
}
begin 'rcpt#1 raw 250 2.1.5 OK\r\n421 4.4.2 timeout\r\n'
patient NOOP 'RCPT TO:<new@example.com>'
turned_away 'it does not wait for the next recipient'
begin 'data raw 354 go on\r\n421 4.4.2 timeout\r\n'
patient DATA x .
is 'it does not wait for the content: the spool has it' \
    "$(last_code "$tmp/out") $(spooled)" '250 2.0.0 1'
unlike 'and it is not away for that' "$(cat "$tmp/spool/example.com/primary")" \
    '^last (down|deferring)'

# ---- the client disappears ----
#
# leave.py STAGE: say all up to there, wait until the primary was told (the
# file of its log has TEXT), close both ways, and wait for the end.
cat >"$tmp/leave.py" <<'E2'
import os, socket, subprocess, sys
say, log, text = sys.argv[1], sys.argv[2], sys.argv[3]
wait_for = [os.environ["top_builddir"] + "/tests/lib/await", "true", "20"]
ours, theirs = socket.socketpair()
bmx = subprocess.Popen(["bmx-receive"], stdin=theirs, stdout=theirs)
theirs.close()
ours.sendall(say.replace("\n", "\r\n").encode("ascii"))
if subprocess.run(wait_for + ["grep", "-qaF", "-e", text, log]).returncode:
    sys.exit("the primary never saw " + text)
ours.close()
bmx.wait(30)
E2
begun='EHLO client.example
MAIL FROM:<a@sender.example>
RCPT TO:<bob@example.com>
'
# leaves NAME TEXT WHERE SAYS [ROW...]
leaves()
{
	leaves_name=$1
	leaves_text=$2
	leaves_where=$3
	leaves_says=$4
	shift 4
	begin "$@"
	if python3 "$tmp/leave.py" "$leaves_says" "$primary/log" "$leaves_text" 2>"$tmp/err"; then
		like "the client leaves $leaves_name" "$(where)" "^$leaves_where\$"
	else
		fail "the client leaves $leaves_name" "$(cat "$tmp/err")"
	fi
}
leaves 'at RCPT' 'C: RCPT' '0 0' "$begun" 'rcpt slow 200'
leaves 'at DATA' 'C: DATA' '0 0' "${begun}DATA
" 'data slow 200'
leaves 'in the content' 'S: 354' '0 0' "${begun}DATA
Subject: x

text
"
leaves 'in a chunk' 'S: 354' '0 0' "${begun}BDAT 1000
text
"
leaves 'behind the content' 'C: [' '1 0' "${begun}DATA
text
.
" 'dot slow 200'
leaves 'behind the content, which is refused' 'C: [' '0 0' "${begun}DATA
text
.
" 'dot 554 5.7.1 no'
leaves 'behind the content, and the primary breaks' 'C: [' '0 1' "${begun}DATA
text
.
" 'dot 451 4.3.0 no'
leaves 'behind the content, and so does the primary' 'C: [' '1 1 unknown' "${begun}DATA
text
.
" 'dot store-hangup'
primary_check
done_testing
