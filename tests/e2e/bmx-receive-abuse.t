#!/bin/sh
# Clients that are early, slow, endless.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
need python3

# conf LINE...: of [bmx]
conf()
{
	make_conf 'min-free = 1M' "$@" '[example.com]'
	empty_spool
	: >"$tmp/bmx.log"
}

cat >"$tmp/slow.py" <<'E'
"""slow.py LINE...: send the lines to bmx-receive, then a byte (or $STEP) each
tenth of a second until it ends. Prints its replies."""
import os, select, subprocess, sys
p = subprocess.Popen(["bmx-receive"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line in sys.argv[1:]:
    p.stdin.write(line.encode() + b"\r\n")
p.stdin.flush()
out = p.stdout.fileno()
step = os.environ.get("STEP", "x").replace("\\n", "\r\n").encode()
while True:
    if select.select([out], [], [], 0.1)[0]:
        data = os.read(out, 4096)
        if not data:
            break
        sys.stdout.write(data.decode())
        continue
    try:
        os.write(p.stdin.fileno(), step)
    except BrokenPipeError:
        pass
E

# ---- before the greeting ----

conf 'greet-delay = 1'
say 'EHLO c' 'MAIL FROM:<a@s.example>' QUIT | bmx-receive >"$tmp/out"
is 'D21 input before the greeting: 554 5.5.1, then only QUIT is served' \
    "$(codes "$tmp/out")" '554 5.5.1
503 5.5.1
503 5.5.1
221 2.0.0'
mkfifo "$tmp/fifo"
bmx-receive <"$tmp/fifo" >"$tmp/out" &
exec 9>"$tmp/fifo"
ok 'who waits is greeted' wait_for 20 grep -q '^220 ' "$tmp/out"
say 'EHLO c' 'MAIL FROM:<a@s.example>' QUIT >&9
exec 9>&-
wait
is 'and served' "$(codes "$tmp/out")" '220
250
250 2.1.0
221 2.0.0'

# ---- slow ----

mail='MAIL FROM:<a@s.example>'
rcpt='RCPT TO:<1@example.com>'
conf 'data-timeout = 1' 'min-rate = 1000'
python3 "$tmp/slow.py" 'EHLO c' "$mail" "$rcpt" DATA >"$tmp/out"
is 'a message below min-rate: 421 4.4.2' "$(last_code "$tmp/out")" '421 4.4.2'
like 'and it is told why' "$(cat "$tmp/out")" 'Too slow'
like 'the log has it' "$(cat "$tmp/bmx.log")" 'end="too slow" disconnected'
python3 "$tmp/slow.py" 'EHLO c' "$mail" "$rcpt" 'BDAT 1000000 LAST' >"$tmp/out"
is 'a chunk too' "$(last_code "$tmp/out")" '421 4.4.2'
ok 'nothing is left of them' nothing_queued
conf 'command-timeout = 1'
python3 "$tmp/slow.py" 'EHLO c' >"$tmp/out"
is 'D16 a command line byte by byte has the time of one command' \
    "$(last_code "$tmp/out")" '421 4.4.2'
conf 'message-timeout = 1' 'min-rate = 0'
python3 "$tmp/slow.py" 'EHLO c' "$mail" "$rcpt" DATA >"$tmp/out"
is 'message-timeout is for the whole message' "$(last_code "$tmp/out")" '421 4.4.2'

# Each ends, and the next begins, in one read.
conf 'message-timeout = 2' 'min-rate = 0' 'max-messages-per-session = 30'
STEP=".\\n$mail\\n$rcpt\\nDATA\\nx\\n" python3 "$tmp/slow.py" 'EHLO c' "$mail" \
    "$rcpt" DATA x >"$tmp/out"
is 'but not for all that come without a break' \
    "$(last_code "$tmp/out") $(queued example.com | wc -l)" '421 4.7.0 30'

for step in 'NOOP\n' "$rcpt\\n"; do
	conf 'transaction-timeout = 1'
	STEP=$step python3 "$tmp/slow.py" 'EHLO c' "$mail" >"$tmp/out"
	is "no message, though commands come: 421 4.4.2, ${step%%\\*}" \
	    "$(last_code "$tmp/out")" '421 4.4.2'
	like 'the log says so' "$(cat "$tmp/bmx.log")" \
	    'end="no message for long" disconnected'
done
conf 'transaction-timeout = 1' 'message-timeout = 2' 'min-rate = 0'
python3 "$tmp/slow.py" 'EHLO c' "$mail" "$rcpt" DATA >"$tmp/out"
like 'a message that has begun is not held to it' "$(cat "$tmp/bmx.log")" \
    'end="too slow" disconnected'

# ---- endless ----

conf 'max-messages-per-session = 2'
message="$mail\r\n$rcpt\r\nDATA\r\ntext\r\n."
say 'EHLO c' "$message" "$message" "$mail" | bmx-receive >"$tmp/out"
is 'after max-messages-per-session: 421 4.7.0' "$(last_code "$tmp/out")" '421 4.7.0'
is 'what came before is kept' "$(queued example.com | wc -l)" 2
like 'D29 LIMITS says so before' "$(cat "$tmp/out")" '^250.LIMITS RCPTMAX=1000 MAILMAX=2'
conf 'max-recipients = 100'
{
	say 'EHLO c' "$mail"
	for n in 1 2 3 4 5 6 7 8 9 10; do
		for m in 0 1 2 3 4 5 6 7 8 9; do
			say "RCPT TO:<$n$m@example.com>"
		done
	done
	say 'RCPT TO:<x@example.com>' DATA text . QUIT
} | bmx-receive >"$tmp/out"
like 'D29 RCPTMAX is what holds' "$(cat "$tmp/out")" '^250.LIMITS RCPTMAX=100 MAILMAX=1000'
is 'D11 the one over it is told 452 4.5.3, the others get the message' \
    "$(codes "$tmp/out" | tail -n 4 | tr '\n' ' ')$(queued example.com | sed 's/.*R=//')" \
    '452 4.5.3 354 250 2.0.0 221 2.0.0 100'

conf 'max-size = 1000'
{
	say 'EHLO c' "$mail" "$rcpt" DATA
	head -c 3000000 /dev/zero | tr '\0' x | fold -w 70 | crlf
	say . "$mail" QUIT
} | bmx-receive >"$tmp/out"
is 'D23 a message over the limit is heard out' "$(codes "$tmp/out" | tail -n 3)" \
    '552 5.3.4
250 2.1.0
221 2.0.0'
{
	say 'EHLO c' "$mail" "$rcpt" DATA
	head -c 80000000 /dev/zero | tr '\0' x | fold -w 70 | sed 's/$/\r/'
	say . "$mail" QUIT
} 2>/dev/null | bmx-receive >"$tmp/out"
is 'but not for ever' "$(codes "$tmp/out" | tail -n 1)" '552 5.3.4'
say 'EHLO c' "$mail" "$rcpt" 'BDAT 999999999 LAST' QUIT | bmx-receive >"$tmp/out"
is 'a chunk that is far too big is not taken at all' \
    "$(codes "$tmp/out" | tail -n 1)" '552 5.3.4'
ok 'nothing is left' nothing_queued
done_testing
