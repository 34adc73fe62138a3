#!/bin/sh
# D18: nothing stands between a sender's final dot and its answer but the disk:
# no DNS, no question to the primary, no delivery. (What passes through to a
# primary has its bound in bmx-receive-through.t.)
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
need python3 strace
strace -o "$tmp/trace" true 2>/dev/null || skip_all 'strace cannot trace here'
plan 6

cat >"$tmp/session.py" <<'E'
"""session.py RESULT COMMAND...: two messages, one with DATA and one with BDAT,
to COMMAND; a name server and a primary listen that never answer. RESULT gets
the replies to the messages, and who was asked."""
import os, select, signal, socket, subprocess, sys
signal.alarm(60)
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("127.0.0.1", 0))
primary = socket.create_server(("127.0.0.1", 0))
path = os.environ["BMX_CONF"]
with open(path) as f:
    conf = f.read()
with open(path, "w") as f:
    f.write(conf.replace("NAMESERVER", "127.0.0.1:%d" % dns.getsockname()[1])
            .replace("PRIMARY", "127.0.0.1:%d" % primary.getsockname()[1]))
p = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def reply():
    while (line := p.stdout.readline())[3:4] == b"-":
        pass
    return line.decode().strip()

def say(data):
    p.stdin.write(data)
    p.stdin.flush()
    return reply()

result = open(sys.argv[1], "w")
reply()
say(b"EHLO c.example\r\n")
for recipient in b"1@example.com", b"2@example.net":
    say(b"MAIL FROM:<a@sender.example>\r\n")
    say(b"RCPT TO:<%s>\r\n" % recipient)
    if recipient[0:1] == b"1":
        say(b"DATA\r\n")
        p.stdin.write(b"Subject: x\r\n\r\ntext\r\n")
        print(say(b".\r\n")[:9], file=result)
    else:
        print(say(b"BDAT 15 LAST\r\nSubject: x\r\n\r\nb")[:9], file=result)
say(b"QUIT\r\n")
p.wait()
asked = select.select([dns, primary], [], [], 0)[0]
print("asked:", *("dns" if s is dns else "primary" for s in asked), file=result)
E

make_conf 'min-free = 1M' 'resolver = NAMESERVER' \
    '[example.com]' 'primary = PRIMARY' '[example.net]' 'primary = mx'
export ASAN_OPTIONS=detect_leaks=0
TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=4711 python3 "$tmp/session.py" "$tmp/out" \
    strace -f -s 200 -o "$tmp/trace" bmx-receive
is 'D18 both messages are answered' "$(head -n 2 "$tmp/out")" '250 2.0.0
250 2.0.0'
is 'D18 no name server and no primary is asked' "$(tail -n 1 "$tmp/out")" 'asked:'
is 'D18 both are queued' "$(queued example.com | wc -l) $(queued example.net | wc -l)" '1 1'

# The system calls from the one that read the last bytes to that which answered.
awk '
	/ read\(0,.* = [0-9]/ { calls = "" }
	{ sub(/^[0-9]+ +/, ""); calls = calls $0 "\n" }
	/^write\(1, "250 2\.0\.0 / { printf "%s", calls; calls = "" }' \
    "$tmp/trace" >"$tmp/between"
is 'D17 the trace has both answers, behind fsync' \
    "$(sed -n 's/^write(1, \("250\).*/\1/p; s/^\(fsync\)(.*/\1/p' "$tmp/between" | uniq)" \
    'fsync
"250
fsync
"250'
unlike 'D18 no socket but the client is made or used before the answer' \
    "$(grep -v '^sendmsg(1,' "$tmp/between")" \
    '^(socket|connect|sendto|sendmsg|sendmmsg|recvfrom|recvmsg)\('
unlike 'D18 nor a process' "$(cat "$tmp/between")" '^(clone3?|fork|vfork|execve)\('
