#!/bin/sh
# STARTTLS with the TLS stacks of other people: GnuTLS (gnutls-cli), OpenSSL
# (swaks, Python). A key pair that is no good never stops plain mail.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
# the leak detector falls over a library that was loaded inside the sandbox
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
need python3 certtool
need_super tcpserver
plan 32

# certificate NAME FROM TO: a key and a self-signed certificate
certificate()
{
	cat >"$tmp/template" <<-E
		cn = backup.example.net
		dns_name = backup.example.net
		tls_www_server
		signing_key
		activation_date = "$2-01-01 00:00:00"
		expiration_date = "$3-01-01 00:00:00"
	E
	certtool --generate-privkey --key-type ecdsa --outfile "$tmp/$1.key" &&
	    certtool --generate-self-signed --load-privkey "$tmp/$1.key" \
		--template "$tmp/template" --outfile "$tmp/$1.pem"
}
if ! { certificate good 2020 2037 && certificate old 2010 2012; } \
    >"$tmp/certtool" 2>&1; then
	cat "$tmp/certtool"
	bail 'certtool makes no certificate'
fi

# configure CERTIFICATE KEY
configure()
{
	make_conf 'min-free = 1M' 'command-timeout = 20' \
	    "tls-certificate = $tmp/$1" "tls-key = $tmp/$2" '[example.com]'
	empty_spool
	: >"$tmp/bmx.log"
}

configure good.pem good.key
port=$(free_port)
super_start tcpserver "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"

# ---- it works ----

exits '--check-config takes the pair' 0 bmx-receive --check-config
cat >"$tmp/tls.py" <<'E'
"""tls.py PORT WHAT: one dialogue with STARTTLS; prints the replies."""
import smtplib, socket, ssl, sys

port, what = int(sys.argv[1]), sys.argv[2]
context = ssl._create_unverified_context()


class Client:
    def __init__(self):
        self.s = socket.create_connection(("127.0.0.1", port), 30)
        self.reply()

    def reply(self):
        """The last line of one reply, read byte by byte; "" at the end."""
        line = b""
        while not (line.endswith(b"\r\n") and line[3:4] != b"-"):
            if line.endswith(b"\r\n"):
                line = b""
            byte = self.s.recv(1)
            if not byte:
                return "closed"
            line += byte
        return line.decode().rstrip()

    def say(self, text):
        self.s.sendall(text.encode() + b"\r\n")
        return self.reply()

    def start_tls(self):
        print(self.say("STARTTLS"))
        self.s = context.wrap_socket(self.s)


c = Client()
print(c.say("EHLO before"))
if what == "forget":
    c.start_tls()
    print(c.say("MAIL FROM:<a@s.example>"))
    print(c.say("STARTTLS"))
    print(c.say("EHLO after"))
    print(c.say("STARTTLS"))
elif what == "inject":
    c.s.sendall(b"STARTTLS\r\nMAIL FROM:<evil@s.example>\r\n")
    print(c.reply())
    print(c.reply())
elif what == "inject-later":
    print(c.say("STARTTLS"))
    print(c.say("MAIL FROM:<evil@s.example>"))
elif what == "close-notify":
    c.start_tls()
    print(c.say("EHLO after"))
    print(c.say("MAIL FROM:<a@s.example>"))
    print(c.say("RCPT TO:<1@example.com>"))
    c.s.sendall(b"BDAT 1000 LAST\r\nhalf")
    raw = c.s.unwrap()
    raw.sendall(b"x" * 2000 + b"\r\nQUIT\r\n")
    print(raw.recv(1000) or "closed")
elif what == "send":
    c.start_tls()
    print(c.say("EHLO after"))
    c.s.sendall(b"MAIL FROM:<a@s.example>\r\nRCPT TO:<1@example.com>\r\nDATA\r\n")
    for _ in range(3):
        print(c.reply())
    for _ in range(3000):
        c.s.sendall(b"0123456789" * 10 + b"\r\n")
    print(c.say("."))
    print(c.say("QUIT"))
    print(c.reply())
E

python3 "$tmp/tls.py" "$port" send >"$tmp/out" 2>&1
is 'a message comes through TLS' "$(sed 's/\(.*Queued\).*/\1/' "$tmp/out")" \
    '250 LIMITS RCPTMAX=1000 MAILMAX=1000
220 2.0.0 Ready to start TLS
250 LIMITS RCPTMAX=1000 MAILMAX=1000
250 2.1.0 Sender OK
250 2.1.5 Recipient OK
354 End the message with <CRLF>.<CRLF>
250 2.0.0 Queued
221 2.0.0 Bye
closed'
file=$(queued example.com)
is 'whole' "$(content_of "$file" | wc -c)" 306000
like 'D19 Received says so, with protocol, version and cipher' "$(head -n 9 "$file" | tr -d '\r\n\t')" \
    'with ESMTPS id [0-9a-v]*\(TLS1\.[23]/[A-Z0-9-]*\)'
like 'so does the envelope' "$(head -n 4 "$file")" 'proto=ESMTPS tls=TLS1\.[23]/'
like 'and the log' "$(log_lines queued)" 'proto=ESMTPS tls=TLS1\.[23]/.* queued$'

what='swaks sends over TLS'
if ! command -v swaks >/dev/null; then
	skip "$what" 'swaks is not installed'
elif ! perl -MNet::SSLeay -e 1 2>/dev/null; then
	skip "$what" "swaks' TLS, libnet-ssleay-perl, is not installed"
else
	empty_spool
	swaks -tls -s 127.0.0.1 -p "$port" -f a@s.example -t 1@example.com \
	    -h sw.example >"$tmp/swaks" 2>&1
	like "$what" "$(tail -n 6 "$tmp/swaks")" '250 2.0.0 Queued'
fi

what='gnutls-cli talks over TLS 1.2'
if command -v gnutls-cli >/dev/null; then
	say 'EHLO gnutls.example' QUIT | gnutls-cli --insecure \
	    --priority=NORMAL:-VERS-ALL:+VERS-TLS1.2 --starttls-proto=smtp \
	    -p "$port" 127.0.0.1 >"$tmp/cli" 2>&1
	like "$what" "$(cat "$tmp/cli")" 'Description: .TLS1\.2.'
	like "$what: and gets replies" "$(cat "$tmp/cli")" '^250-SIZE'
	say QUIT | gnutls-cli --insecure \
	    --priority=NORMAL:-VERS-ALL:+VERS-TLS1.1 --starttls-proto=smtp \
	    -p "$port" 127.0.0.1 >"$tmp/cli" 2>&1
	unlike 'TLS 1.1 is refused' "$(cat "$tmp/cli")" 'Handshake was completed'
else
	for more in '' ': and gets replies' ' only'; do
		skip "$what$more" 'gnutls-cli is not installed'
	done
fi

# ---- it forgets, and takes no bytes from before ----

python3 "$tmp/tls.py" "$port" forget >"$tmp/out" 2>&1
is 'D22 what was said before TLS is forgotten' "$(codes "$tmp/out")" \
    '250
220 2.0.0
503 5.5.1
502 5.5.1
250
502 5.5.1'
python3 "$tmp/tls.py" "$port" inject >"$tmp/out" 2>&1
is 'D22 bytes behind STARTTLS: 554 and closed' "$(tail -n +2 "$tmp/out")" \
    '554 5.5.0 Bytes behind STARTTLS, closing
closed'
python3 "$tmp/tls.py" "$port" inject-later >"$tmp/out" 2>&1
unlike 'D22 bytes in the clear after the 220 are no command' "$(tail -n 1 "$tmp/out")" '^250'
like 'D22 TLS failure ends the connection' "$(cat "$tmp/bmx.log")" \
    'end="TLS handshake failed" disconnected'
empty_spool
: >"$tmp/bmx.log"
python3 "$tmp/tls.py" "$port" close-notify >"$tmp/out" 2>&1
ok 'close_notify inside a chunk ends the session' wait_for 20 grep -q 'messages=0 .* disconnected$' "$tmp/bmx.log"
unlike 'and nothing in the clear is answered' "$(cat "$tmp/out")" '221|500|554'
ok 'nor stored' nothing_queued

# ---- what is no good ----

# still NAME: mail in the clear goes on
still()
{
	say 'EHLO c' STARTTLS 'MAIL FROM:<a@s.example>' \
	    'RCPT TO:<1@example.com>' DATA 'text' . QUIT >"$tmp/plain"
	# as one who waits for the reply to STARTTLS
	python3 - "$tmp/plain" "$port" >"$tmp/out" <<-'E'
		import socket, sys
		s = socket.create_connection(("127.0.0.1", int(sys.argv[2])), 30)
		f = s.makefile("rwb")
		def reply():
		    line = f.readline()
		    sys.stdout.write(line.decode())
		    if line[3:4] == b"-":
		        reply()
		reply()
		for line in open(sys.argv[1], "rb"):
		    f.write(line)
		    f.flush()
		    if line != b"text\r\n":
		        reply()
	E
	is "$1: STARTTLS is refused, mail goes on" "$(codes "$tmp/out" | sed 1,2d)" \
	    "$2
250 2.1.0
250 2.1.5
354
250 2.0.0
221 2.0.0"
	like "$1: an alarm names the file" "$(cat "$tmp/bmx.log")" "alarm=yes .*$3"
	exits "$1: --check-config says so" "$4" bmx-receive --check-config
}

configure good.pem old.key
still 'the key of another certificate' '454 4.7.0' "$tmp/" 78
configure old.pem old.key
still 'an expired certificate' '454 4.7.0' "$tmp/old.pem" 78
echo junk >"$tmp/junk.pem"
configure junk.pem good.key
still 'no certificate at all' '454 4.7.0' "$tmp/junk.pem" 78
configure none.pem good.key
still 'a missing file' '502 5.5.1' "$tmp/none.pem" 78
unlike 'a missing file: STARTTLS is not offered' "$(cat "$tmp/out")" '250.STARTTLS'
stop tcpserver

# ---- a session in the clear does not load GnuTLS ----

configure good.pem good.key
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA 'text' . QUIT >"$tmp/in"
if strace -o "$tmp/trace" true 2>/dev/null; then
	ASAN_OPTIONS=detect_leaks=0 strace -o "$tmp/trace" -e trace=openat \
	    bmx-receive <"$tmp/in" >"$tmp/out"
	unlike 'GnuTLS is not loaded for plain mail' "$(cat "$tmp/trace")" 'libgnutls|bmx-tls'
	say 'EHLO c' STARTTLS | ASAN_OPTIONS=detect_leaks=0 \
	    strace -o "$tmp/trace" -e trace=openat bmx-receive >"$tmp/out"
	like 'but it is at STARTTLS' "$(cat "$tmp/trace")" 'gnutls'
else
	skip 'GnuTLS is not loaded for plain mail' 'strace cannot trace here'
	skip 'but it is at STARTTLS' 'strace cannot trace here'
fi
