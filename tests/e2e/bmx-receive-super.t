#!/bin/sh
# One process for each connection under the super-servers, with senders that
# other people wrote.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
need python3
plan 38
make_conf 'min-free = 1M' '[example.com]'
say 'Subject: from python' '' '.dot' 'text \0344' >"$tmp/message"

cat >"$tmp/banner.py" <<'E'
"""banner.py PORT: connect, read the banner, close without QUIT."""
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as s:
    print(s.recv(1000).decode(), end="")
E

for kind in xinetd inetd tcpserver; do
	empty_spool
	: >"$tmp/bmx.log"
	if ! super_program $kind >/dev/null; then
		for what in 1 2 3 4 5 6 7 8 9 10; do
			skip "$kind $what" "$kind is not installed"
		done
		continue
	fi
	port=$(free_port)
	super_start $kind "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
	like "$kind: the banner comes" "$(python3 "$tmp/banner.py" "$port")" \
	    '^220 backup.example.net ESMTP'
	like "$kind: smtplib's message is queued" \
	    "$(python3 "$top_srcdir/tests/lib/send.py" "$port" a@s.example \
		"$tmp/message" one@example.com two@example.com 2>&1)" \
	    '^250 .*Queued as'
	file=$(queued example.com)
	content_of "$file" >"$tmp/got"
	same "$kind: byte for byte" "$tmp/message" "$tmp/got"
	like "$kind: the envelope has the client" "$(head -n 3 "$file" | tr -d '\r')" \
	    '^Bmx-Client: addr=127\.0\.0\.1 port=[0-9]+ .*proto=ESMTP$'
	like "$kind: so has Received" "$(head -n 9 "$file")" \
	    '^Received: from .*\[127\.0\.0\.1\]\)'
	like "$kind: so has the log" "$(cat "$tmp/bmx.log")" \
	    'peer=127\.0\.0\.1:[0-9]+ name=unknown connected'
	unlike "$kind: smtplib is told of a refusal" \
	    "$(python3 "$top_srcdir/tests/lib/send.py" "$port" a@s.example \
		"$tmp/message" one@elsewhere.example 2>&1)" '^250'
	what="$kind: swaks sends with PIPELINING"
	if command -v swaks >/dev/null; then
		empty_spool
		swaks -s 127.0.0.1 -p "$port" --pipeline -f a@s.example -h sw.example \
		    -t one@example.com,two@example.com >"$tmp/swaks" 2>&1
		like "$what" "$(tail -n 6 "$tmp/swaks")" '250 2.0.0 Queued'
		is "$what, both recipients in one file" "$(queued example.com | sed 's/.*,//')" 'R=2'
	else
		skip "$what" 'swaks is not installed'
		skip "$what, both recipients in one file" 'swaks is not installed'
	fi
	sed 's/^hostname/hostnome/' "$BMX_CONF" >"$tmp/keep.conf"
	cp "$BMX_CONF" "$tmp/good.conf"
	cp "$tmp/keep.conf" "$BMX_CONF"
	is "$kind: a broken configuration is one line to the client" \
	    "$(python3 "$tmp/banner.py" "$port" | tr -d '\r')" \
	    '421 4.3.5 The server is not configured right, try later'
	cp "$tmp/good.conf" "$BMX_CONF"
	stop $kind
done

# ---- behind a pipe that says who it is ----

empty_spool
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    DATA 'text' . QUIT >"$tmp/in"
env TCPREMOTEIP=2001:db8::1 TCPREMOTEPORT=4711 TCPREMOTEHOST=Mx.Example.Org \
    bmx-receive <"$tmp/in" >"$tmp/out"
like 'TCPREMOTEIP and friends are taken' "$(tr -d '\r' <"$(queued example.com)")" \
    '^Bmx-Client: addr=2001:db8::1 port=4711 name=mx\.example\.org helo=c'
like 'D19 IPv6 in Received' "$(cat "$(queued example.com)")" \
    '^Received: from c \(mx\.example\.org \[IPv6:2001:db8::1\]\)'
empty_spool
env TCPREMOTEIP='192.0.2.1
Bmx-To: P <x@example.com>' TCPREMOTEPORT=99999 TCPREMOTEHOST='a b' \
    bmx-receive <"$tmp/in" >"$tmp/out"
like 'and not believed when they are none' "$(tr -d '\r' <"$(queued example.com)")" \
    '^Bmx-Client: helo=c'

# ---- systemd, Accept=yes and StandardInput=socket ----
#
# The client is on 0 and 1, and once more as the first of LISTEN_FDS.
cat >"$tmp/accept.py" <<'E'
import os, socket, sys
with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname())
    served, _ = listener.accept()
pid = os.fork()
if pid == 0:
    client.close()
    for fd in 0, 1, 3:
        os.dup2(served.fileno(), fd)
    os.set_inheritable(3, True)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execvp("bmx-receive", ["bmx-receive"])
served.close()
with open(sys.argv[1], "rb") as file:
    client.sendall(file.read())
with client.makefile("rb") as replies:
    sys.stdout.buffer.write(replies.read())
os.waitpid(pid, 0)
E
empty_spool
python3 "$tmp/accept.py" "$tmp/in" >"$tmp/out"
is 'systemd Accept=yes: the message is queued' \
    "$(last_code "$tmp/out") $(queued example.com | wc -l)" '250 2.0.0 1'
like 'and the client is that of the socket' "$(tr -d '\r' <"$(queued example.com)")" \
    '^Bmx-Client: addr=127\.0\.0\.1 port='

# ---- the client vanishes, and comes in crowds ----

if super_program tcpserver >/dev/null; then
	empty_spool
	: >"$tmp/bmx.log"
	cat >"$tmp/crowd.py" <<'E'
"""crowd.py PORT N: N sessions at once; half of them reset in the middle.
Prints the queue ids that were acknowledged."""
import socket, struct, sys, threading
ids, lock = [], threading.Lock()

def session(n):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"EHLO c\r\n")
    while f.readline()[3:4] == b"-":
        pass
    s.sendall(b"MAIL FROM:<a@s.example>\r\nRCPT TO:<1@example.com>\r\nDATA\r\n")
    for _ in range(3):
        f.readline()
    if n % 2:
        s.sendall(b"half a line")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        f.close()
        s.close()
        return
    s.sendall(b"Subject: %d\r\n\r\ntext\r\n.\r\n" % n)
    reply = f.readline().split()
    with lock:
        ids.append(reply[-1].decode())
    s.close()

threads = [threading.Thread(target=session, args=(n,)) for n in range(int(sys.argv[2]))]
[t.start() for t in threads]
[t.join() for t in threads]
print("\n".join(sorted(ids)))
E
	port=$(free_port)
	super_start tcpserver "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
	wait_for 20 grep -q ' disconnected$' "$tmp/bmx.log" # wait_port's own
	: >"$tmp/bmx.log"
	python3 "$tmp/crowd.py" "$port" 30 >"$tmp/ids"
	is '30 sessions at once: 15 are acknowledged' "$(wc -l <"$tmp/ids")" 15
	# a process may outlive its client for a moment
	# shellcheck disable=SC2016 # for the inner shell
	ok 'every session ends' wait_for 20 sh -c \
	    '[ "$(grep -c " disconnected$" "$0")" -eq 30 ]' "$tmp/bmx.log"
	is 'what was acknowledged is queued, no more' \
	    "$(queued example.com | sed 's,.*/,,; s/,.*//' | sort)" "$(cat "$tmp/ids")"
	stop tcpserver
else
	for what in 1 2 3; do
		skip "a crowd $what" 'tcpserver is not installed'
	done
fi
