#!/bin/sh
# Live relay costs a client one round trip to the primary for each group of its
# commands, whatever is in it, and no sync to disk (RFC 2920).
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
need python3

# A primary that writes down what comes together, one line for each time it
# has to answer: "EHLO", "MAIL RCPT RCPT DATA", "content".
#	primary.py PORT DIR [WORD...]	slow: pipelining is not offered;
#	eager: wants content for nobody; leaves: closes after each message; ahead:
#	says 354 behind its answer to RCPT, and nothing to DATA; cuts: refuses
#	long content as soon as it sees it, and leaves;
#	forward: XFORWARD is offered; full: 451 4.3.0 to who begins with "full"; dies: at that recipient
cat >"$tmp/primary.py" <<'E2'
import os, socket, sys, threading
port, directory, words = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
log = open(os.path.join(directory, "groups"), "ab", buffering=0)

class Session:
    def __init__(self, sock):
        self.sock, self.data, self.rcpts, self.content = sock, b"", 0, None
        self.out = b"220 primary.test ESMTP\r\n"

    def reply(self, line):
        self.out += line + b"\r\n"

    def command(self, line):
        verb = line.split(b" ")[0].upper()
        if verb == b"EHLO":
            self.out += b"250-primary.test\r\n"
            if "slow" not in words:
                self.out += b"250-PIPELINING\r\n"
            if "forward" in words:
                self.out += b"250-XFORWARD NAME ADDR\r\n"
            self.reply(b"250 ENHANCEDSTATUSCODES")
        elif verb == b"XFORWARD":
            self.reply(b"550 5.7.0 not for you")
        elif verb == b"MAIL" and b"<blocked" in line:
            self.reply(b"550 5.7.1 blocked")
            raise EOFError
        elif verb in (b"MAIL", b"RSET"):
            self.rcpts = 0
            self.reply(b"250 2.1.0 OK")
        elif verb == b"RCPT" and b"<no" in line:
            self.reply(b"550 5.1.1 nobody")
        elif verb == b"RCPT" and b"<full" in line:
            self.reply(b"451 4.3.0 full")
        elif verb == b"RCPT" and b"<dies" in line:
            raise EOFError
        elif verb == b"RCPT":
            self.rcpts += 1
            self.reply(b"250 2.1.5 OK")
            if "ahead" in words:
                self.reply(b"354 go on")
        elif verb == b"DATA" and self.rcpts == 0 and "eager" not in words:
            self.reply(b"554 5.5.1 no valid recipients")
        elif verb == b"DATA":
            self.content = b"\r\n"
            if "ahead" not in words:
                self.reply(b"354 go on")
        elif verb == b"QUIT":
            self.reply(b"221 2.0.0 bye")
            raise EOFError
        else:
            self.reply(b"500 5.5.1 what?")
        return verb

    def step(self):
        """What can be made of the bytes that are there."""
        if self.content is not None:
            self.content, self.data = self.content + self.data, b""
            if "cuts" in words and len(self.content) > 1000:
                self.reply(b"554 5.7.1 that is enough")
                raise EOFError
            end = self.content.find(b"\r\n.\r\n")
            if end == -1:
                return None
            self.data, self.content = self.content[end + 5:], None
            if self.rcpts > 0:
                with open(os.path.join(directory, "stored"), "a") as file:
                    file.write("%d\n" % self.rcpts)
            self.reply(b"250 2.0.0 stored")
            if "leaves" in words:
                raise EOFError
            return b"content"
        line, found, rest = self.data.partition(b"\r\n")
        if not found:
            return None
        self.data = rest
        return self.command(line)

    def serve(self):
        self.sock.sendall(self.out)
        while True:
            self.out, seen = b"", []
            got = self.sock.recv(1 << 16)
            if not got:
                return
            self.data += got
            try:
                while True:
                    what = self.step()
                    if what is None:
                        break
                    seen.append(what)
            except EOFError:
                self.sock.sendall(self.out)
                return
            finally:
                if seen:
                    log.write(b" ".join(seen) + b"\n")
            self.sock.sendall(self.out)

def run(sock):
    try:
        Session(sock).serve()
    except OSError:
        pass
    log.write(b"closed\n")
    sock.close()

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(64)
while True:
    threading.Thread(target=run, args=(listener.accept()[0],), daemon=True).start()
E2

port=$(free_port)
mkdir -m 700 "$tmp/state"
make_conf 'min-free = 1M' "state = $tmp/state" \
    '[example.com]' "primary = 127.0.0.1:$port" 'admit = through' \
    'tls = none' 'connect-timeout = 2s' 'reply-timeout = 2s' \
    '[example.net]' "primary = 127.0.0.1:$port"

# begin WORD...: another primary, nothing known, nothing spooled.
begin()
{
	[ ! -f "$tmp/primary.pid" ] || stop primary
	empty_spool
	rm -rf "$tmp/primary" "$tmp/bmx.log"
	mkdir "$tmp/primary"
	start_bg primary python3 "$tmp/primary.py" "$port" "$tmp/primary" "$@"
	wait_port "$port" || bail 'the primary does not start'
	: >"$tmp/primary/groups"
}

# group [LINE]...: what bmx is sent at once, behind EHLO.
group()
{
	say 'EHLO client.example' "$@" QUIT >"$tmp/in"
	bmx-receive <"$tmp/in" >"$tmp/out"
}

to()
{
	printf 'RCPT TO:<%s>' "$1"
}

# groups: what the primary was sent together, on one line.
groups()
{
	grep -v closed "$tmp/primary/groups" | tr '\n' ',' | sed 's/,$//'
}

# replies: those to all commands but EHLO and QUIT.
replies()
{
	codes "$tmp/out" | sed '1,2d; $d' | tr '\n' ',' | sed 's/,$//'
}

stored()
{
	[ ! -f "$tmp/primary/stored" ] || tr '\n' ' ' <"$tmp/primary/stored"
}

spooled()
{
	queued "$1" | wc -l | tr -d ' '
}

from='MAIL FROM:<a@s.example>'

begin
group "$from" "$(to a@example.com)" "$(to b@example.com)" "$(to c@example.com)" DATA x .
is 'a group of the client is a group to the primary' "$(groups)" \
    'EHLO,MAIL RCPT RCPT RCPT DATA,content'
is 'each command has its answer' "$(replies)" \
    '250 2.1.0,250 2.1.5,250 2.1.5,250 2.1.5,354,250 2.0.0'
is 'the primary has it, once for three' "$(stored)" '3 '
ok 'nothing is spooled' nothing_queued

begin
group "$from" "$(to a@example.com)" "$(to no@example.com)" "$(to c@example.com)" DATA x .
is 'one of them is refused: each has its own answer' "$(replies)" \
    '250 2.1.0,250 2.1.5,550 5.1.1,250 2.1.5,354,250 2.0.0'
is 'and the others get it' "$(stored)" '2 '
like 'the log has the command that was refused' "$(cat "$tmp/bmx.log")" \
    'command="RCPT TO:<no@example.com>" reply="550 5.1.1 nobody" refused'

begin
group "$from" "$(to no1@example.com)" "$(to no2@example.com)" DATA \
    RSET "$from" "$(to a@example.com)" DATA x .
is 'all of them are: no content, and on with the next' "$(replies)" \
    '250 2.1.0,550 5.1.1,550 5.1.1,503 5.5.1,250 2.0.0,250 2.1.0,250 2.1.5,354,250 2.0.0'
is 'in the same session' "$(groups)" \
    'EHLO,MAIL RCPT RCPT DATA,RSET,MAIL RCPT DATA,content'
begin
group "$from" "$(to no1@example.com)" DATA "$(to a@example.com)" DATA x .
is 'a recipient after a DATA in vain' "$(replies) $(stored)" \
    '250 2.1.0,550 5.1.1,503 5.5.1,250 2.1.5,354,250 2.0.0 1 '
begin eager
group "$from" "$(to no1@example.com)" DATA "$(to a@example.com)" DATA x .
is 'a primary that wants content for nobody gets none' "$(replies) $(stored)" \
    '250 2.1.0,550 5.1.1,503 5.5.1,250 2.1.5,354,250 2.0.0 1 '
begin eager
group "$from" "$(to no1@example.com)" DATA RSET "$from" "$(to a@example.com)" DATA x .
is 'nor does the next transaction suffer' "$(replies) $(stored)" \
    '250 2.1.0,550 5.1.1,503 5.5.1,250 2.0.0,250 2.1.0,250 2.1.5,354,250 2.0.0 1 '

begin
group "$from" "$(to a@example.com)" "$(to b@example.net)" "$(to c@example.com)" DATA x .
is 'another domain in the middle: the primary does not see it' "$(groups)" \
    'EHLO,MAIL RCPT RCPT DATA,content'
is 'and it is spooled' "$(replies) $(stored) $(spooled example.com) $(spooled example.net)" \
    '250 2.1.0,250 2.1.5,250 2.1.5,250 2.1.5,354,250 2.0.0 2  0 1'
begin
group "$from" "$(to a@example.com)" 'RCPT TO:<>' "$(to x@elsewhere.example)" \
    "$(to b@example.com)" NOOP "$(to c@example.com)" DATA x .
is 'mistakes and other commands in the middle: all in order' "$(replies) $(stored)" \
    '250 2.1.0,250 2.1.5,501 5.1.3,550 5.7.1,250 2.1.5,250 2.0.0,250 2.1.5,354,250 2.0.0 3 '
begin
group "$from" "$(to a@example.com)" "$(to b@example.com)" 'BDAT 4 LAST' 'ab'
is 'chunks too' "$(groups) $(stored)" 'EHLO,MAIL RCPT RCPT DATA,content 2 '

begin slow
group "$from" "$(to a@example.com)" "$(to b@example.com)" DATA x .
is 'a primary without PIPELINING gets one at a time' "$(groups) $(stored)" \
    'EHLO,MAIL,RCPT,RCPT,DATA,content 2 '

begin forward
group "$from" "$(to a@example.com)" "$(to b@example.com)" DATA x .
is 'C4 XFORWARD goes with them' "$(groups) $(stored)" \
    'EHLO,XFORWARD MAIL RCPT RCPT DATA,content 2 '

# What was seen behind one group of recipients says nothing of the next.
begin
opens
tells 'EHLO c' "$from" "$(to a@example.com)" DATA x .
answers 6
tells "$from" "$(to b@example.com)"
answers 8
tells "$(to c@example.com)"
answers 9
tells DATA x . QUIT
closes
rm "$tmp/in" # no file
is 'a group with DATA, then recipients one by one: DATA waits for the client' \
    "$(groups)" 'EHLO,MAIL RCPT DATA,content,MAIL RCPT,RCPT,DATA,content'
is 'and all goes to the primary' "$(stored)$(spooled example.com)" '1 2 0'

# ---- what breaks in a group ----

begin
group "$from" "$(to a@example.com)" "$(to full@example.com)" "$(to c@example.com)" DATA x .
is 'trouble of its own in the middle: all is spooled' \
    "$(replies) $(stored)$(spooled example.com)" \
    '250 2.1.0,250 2.1.5,250 2.1.5,250 2.1.5,354,250 2.0.0 1'
is 'for all' "$(grep -c '^Bmx-To: [PU]' "$(queued example.com)")" 3
begin
group "$from" "$(to dies@example.com)" "$(to b@example.com)" DATA x .
is 'it breaks at the first: the same' "$(replies) $(stored)$(spooled example.com)" \
    '250 2.1.0,250 2.1.5,250 2.1.5,354,250 2.0.0 1'
begin
group 'MAIL FROM:<blocked@s.example>' "$(to a@example.com)" "$(to b@example.com)" DATA
is 'it refuses the sender and leaves: that is its verdict, and nothing is spooled' \
    "$(replies) $(spooled example.com)" \
    '250 2.1.0,550 5.7.1,550 5.7.1,503 5.5.1 0'
begin leaves
group "$from" "$(to a@example.com)" DATA x . "$from" "$(to b@example.com)" \
    "$(to c@example.com)" DATA y .
is 'a session that was closed between two messages is replaced' \
    "$(replies) $(stored)$(spooled example.com)" \
    '250 2.1.0,250 2.1.5,354,250 2.0.0,250 2.1.0,250 2.1.5,250 2.1.5,354,250 2.0.0 1 2 0'

begin cuts
{
	say 'EHLO c' "$from" "$(to a@example.com)" DATA
	yes 'a line of the content, and one more' | head -n 100000 | crlf
	say . NOOP QUIT
} >"$tmp/in"
bmx-receive <"$tmp/in" >"$tmp/out"
is 'it refuses the content before its end and leaves: that is its verdict' \
    "$(replies) $(spooled example.com)" \
    '250 2.1.0,250 2.1.5,354,554 5.7.1,250 2.0.0 0'

begin ahead
opens
tells 'EHLO c' "$from" "$(to a@example.com)"
answers 4
tells DATA
answers 5
tells x . QUIT
closes
rm "$tmp/in" # no file
is 'it answers ahead of a command: what it says then is not believed' \
    "$(last_code "$tmp/out") $(stored)$(spooled example.com)" '250 2.0.0 1 1'
like 'and the log says why' "$(cat "$tmp/bmx.log")" \
    'relay failed: a reply ahead of the end of the content'
like 'and that the primary may have it' "$(cat "$tmp/bmx.log")" 'state=unknown'

# ---- a hundred, and more ----

begin
{
	say 'EHLO c' "$from"
	i=0
	while [ "$i" -lt 250 ]; do
		say "$(to "r$i@example.com")"
		i=$((i + 1))
	done
	say DATA x . QUIT
} >"$tmp/in"
bmx-receive <"$tmp/in" >"$tmp/out"
is '250 recipients: all taken' "$(stored)$(grep -c '^250 2.1.5' "$tmp/out")" '250 250'
ok 'in a few groups' test "$(wc -l <"$tmp/primary/groups")" -le 9

# ---- no sync ----

begin
group "$from" "$(to a@example.com)" "$(to b@example.com)" DATA x .
if strace -o "$tmp/trace" true 2>/dev/null; then
	say 'EHLO c' "$from" "$(to a@example.com)" "$(to b@example.com)" DATA x . QUIT >"$tmp/in"
	ASAN_OPTIONS=detect_leaks=0 strace -f -s 1000 -o "$tmp/trace" \
	    -e trace=fsync,fdatasync,sync_file_range,syncfs,msync,renameat2,linkat,sendto,sendmsg,pwritev2,write,writev \
	    bmx-receive <"$tmp/in" >"$tmp/out"
	is 'known recipients at a primary that is up: nothing is synced' \
	    "$(grep -cE '(sync|linkat|rename)' "$tmp/trace") $(stored)" '0 2 2 '
	is 'MAIL, RCPT and DATA leave in one system call' \
	    "$(grep -c 'MAIL FROM.*RCPT TO.*RCPT TO.*DATA' "$tmp/trace")" 1
else
	skip 'nothing is synced' 'strace cannot trace here'
	skip 'one system call' 'strace cannot trace here'
fi
done_testing
