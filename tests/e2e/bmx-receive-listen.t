#!/bin/sh
# Listening mode: a super-server passes the listening socket, one process
# accepts, each session is a child of it.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh source=tests/lib/listen.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/listen.sh"
need python3

say 'Subject: from python' '' '.dot' 'text' >"$tmp/message"
cat >"$tmp/talk.py" <<'E'
"""talk.py PORT FIFO: send the lines of FIFO, print all replies."""
import socket, sys, threading
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)

def listen():
    while data := s.recv(4096):
        sys.stdout.write(data.decode())
        sys.stdout.flush()

t = threading.Thread(target=listen)
t.start()
for line in open(sys.argv[2], "rb"):
    s.sendall(line)
t.join()
E

# conf LINE...: of [bmx]
conf()
{
	make_conf 'min-free = 1M' "$@" '[example.com]'
	empty_spool
	: >"$tmp/bmx.log"
}

# ended N: sessions in the log
ended()
{
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c '[ "$(grep -c " disconnected$" "$0")" -ge "$1" ]' \
	    "$tmp/bmx.log" "$1"
}

send()
{
	python3 "$top_srcdir/tests/lib/send.py" "$port" a@s.example \
	    "$tmp/message" "$@" 2>&1
}

# ---- every super-server ----

for kind in xinetd inetd systemd; do
	if ! listen_program $kind >/dev/null; then
		for what in 1 2 3 4 5; do
			skip "$kind $what" "$kind is not installed"
		done
		continue
	fi
	conf
	port=$(free_port)
	listen_start $kind "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
	like "$kind: a message is queued" "$(send 1@example.com)" '^250 .*Queued as'
	file=$(queued example.com)
	content_of "$file" >"$tmp/got"
	same "$kind: byte for byte" "$tmp/message" "$tmp/got"
	like "$kind: the envelope has the client" "$(head -n 3 "$file" | tr -d '\r')" \
	    '^Bmx-Client: addr=127\.0\.0\.1 port=[0-9]+ '
	send 2@example.com >/dev/null
	ended 3 # wait_port was one
	is "$kind: three sessions, three processes" \
	    "$(log_lines ' disconnected$' | sed 's/.*bmx-receive\[\([0-9]*\)\].*/\1/' |
		sort -u | wc -l)" 3
	cp "$BMX_CONF" "$tmp/good.conf"
	stop $kind
	sed 's/^hostname/hostnome/' "$tmp/good.conf" >"$tmp/bad.conf"
	port=$(free_port)
	listen_start $kind "$port" "$top_builddir/bmx-receive" -c "$tmp/bad.conf"
	like "$kind: a broken configuration is one line to the client" \
	    "$(send 1@example.com)" 'SMTPConnectError: \(421, .*4\.3\.5'
	stop $kind
done

# ---- D16, D17: 200 sessions on two cores, one of them slow ----

# started N: is the Nth process; its id
started()
{
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c '[ "$(grep -c ^started "$0")" -ge "$1" ]' \
	    "$tmp/systemd.log" "$1"
	sed -n 's/^started //p' "$tmp/systemd.log" | sed -n "$1p"
}

conf 'sessions = 200' 'sessions-per-network = 200'
port=$(free_port)
listen_start systemd "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
ended 1
pid=$(started 1)
python3 "$top_srcdir/tests/lib/crowd.py" "$port" 199 2 slow >"$tmp/ids"
is '200 at once, one of them slow: none is refused' \
    "$(grep -c '^[0-9a-v]\{21\}$' "$tmp/ids")" 399
unlike 'nor told anything else' "$(cat "$tmp/ids")" 'refused|slow'
ok 'every session ends' ended 201
is 'what was acknowledged is queued, no more' \
    "$(queued example.com | sed 's,.*/,,; s/,.*//' | sort)" "$(cat "$tmp/ids")"

# ---- limits ----

conf 'sessions = 5' 'sessions-per-network = 5'
kill -s HUP "$pid"
ok 'SIGHUP loads the new configuration' wait_for 20 grep -q ' reloaded$' "$tmp/bmx.log"
# hold NAME: a session that waits for lines on descriptor 9
hold()
{
	rm -f "$tmp/fifo"
	mkfifo "$tmp/fifo"
	start_bg "$1" python3 "$tmp/talk.py" "$port" "$tmp/fifo"
	exec 9>"$tmp/fifo"
	wait_for 20 grep -q '^[0-9]' "$tmp/$1.log"
}
cat >"$tmp/many.py" <<'E'
"""many.py PORT N: N connections, one after the other, all kept open; prints
the first reply to each."""
import socket, sys
kept = []
for _ in range(int(sys.argv[2])):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
    kept.append(s)
    print(s.makefile().readline().strip())
E
is 'more sessions than allowed are told 421' \
    "$(python3 "$tmp/many.py" "$port" 7 | tail -n 2)" \
    '421 4.3.2 Too many sessions, try again later
421 4.3.2 Too many sessions, try again later'
like 'the log says who' "$(cat "$tmp/bmx.log")" \
    'peer=127\.0\.0\.1:[0-9]+ reply="421 4\.3\.2 .*" refused'
ok 'they make room when they leave' ended 5
like 'for the next' "$(send 1@example.com)" '^250 '

conf 'sessions = 5' 'sessions-per-network = 2' 'proxy = 192.0.2.1' 'xclient = 127.0.0.0/8'
kill -s HUP "$pid"
wait_for 20 grep -q ' reloaded$' "$tmp/bmx.log"
is 'a front end is no client: it may have all of them' \
    "$(python3 "$tmp/many.py" "$port" 6 | cut -c 1-9 | uniq -c | xargs)" \
    '5 220 backu 1 421 4.3.2'
ended 5

conf 'sessions = 5' 'sessions-per-network = 2'
kill -s HUP "$pid"
wait_for 20 grep -q ' reloaded$' "$tmp/bmx.log"
is 'more from one network than allowed are told 421' \
    "$(python3 "$tmp/many.py" "$port" 3 | tail -n 1)" \
    '421 4.7.0 Too many sessions from your network, try again later'

cp "$BMX_CONF" "$tmp/good.conf"
sed 's/^hostname/hostnome/' "$tmp/good.conf" >"$BMX_CONF"
kill -s HUP "$pid"
ok 'a broken configuration is not taken' wait_for 20 grep -q \
    'alarm=yes reload failed, the old configuration stays: .*:2: hostnome' "$tmp/bmx.log"
ended 2
like 'the old one stays' "$(send 1@example.com)" '^250 '
cp "$tmp/good.conf" "$BMX_CONF"

# ---- SIGTERM: sessions end as they like ----

ended 3
hold held
kill -s TERM "$pid"
ok 'SIGTERM is heard' wait_for 20 grep -q ' stopping sessions=1$' "$tmp/bmx.log"
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA 'late' . >&9
ok 'a session that runs goes on' wait_for 20 grep -q '^250 2.0.0 Queued' "$tmp/held.log"
is 'and the process waits for it' "$(grep -c '^ended' "$tmp/systemd.log")" 0
say QUIT >&9
exec 9>&-
wait_gone "$pid"
ok 'then it ends' wait_for 20 grep -q '^ended 0' "$tmp/systemd.log"
like 'and is started again for the next client' "$(send 1@example.com)" '^250 '

pid=$(started 2)
ended 5
hold told
kill -s TERM "$pid"
wait_for 20 sh -c "[ \$(grep -c ' stopping' '$tmp/bmx.log') -eq 2 ]"
kill -s TERM "$pid"
ok 'D16 a second SIGTERM: the sessions are told 421' \
    wait_for 20 grep -q '^421 4.3.2' "$tmp/told.log"
exec 9>&-
wait_gone "$pid"

# ---- nobody comes ----

conf 'idle-timeout = 1'
like 'a session' "$(send 1@example.com)" '^250 '
ok 'after idle-timeout the process ends' \
    wait_for 20 sh -c "[ \$(grep -c '^ended 0' '$tmp/systemd.log') -eq 3 ]"
like 'and the next client does not notice' "$(send 1@example.com)" '^250 '
stop systemd

# ---- D16: ten seconds when busy, five minutes otherwise ----

conf 'sessions = 5' 'idle-timeout = 0'
port=$(free_port)
listen_start systemd "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
ended 1
cat >"$tmp/busy.py" <<'E'
"""busy.py PORT: five silent sessions; after the last was told something, who
was told what?"""
import select, socket, sys
all = []
for _ in range(5):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
    s.recv(1000)
    all.append(s)
ready = select.select(all, [], [], 60)[0]
for s in all:
    print(s.recv(1000).decode()[:9] if s in ready else "waiting")
E
is 'D16 when busy a silent client is told 421 soon, others are waited for' \
    "$(python3 "$tmp/busy.py" "$port")" 'waiting
waiting
waiting
waiting
421 4.4.2'
stop systemd

# ---- the key pair is loaded once ----

if command -v certtool >/dev/null; then
	certtool --generate-privkey --key-type ecdsa --outfile "$tmp/key" 2>/dev/null
	printf 'cn = x\ntls_www_server\nexpiration_days = 10\n' >"$tmp/template"
	certtool --generate-self-signed --load-privkey "$tmp/key" \
	    --template "$tmp/template" --outfile "$tmp/pem" 2>/dev/null
	cat >"$tmp/starttls.py" <<-'E'
		import smtplib, ssl, sys
		s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "c")
		s.ehlo()
		if s.has_extn("starttls"):
		    s.starttls(context=ssl._create_unverified_context())
		    print(s.ehlo()[0])
		else:
		    print("not offered")
	E
	conf "tls-certificate = $tmp/pem" "tls-key = $tmp/key"
	port=$(free_port)
	listen_start systemd "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
	ended 1
	mv "$tmp/key" "$tmp/moved"
	is 'TLS works though the key is out of reach by now' \
	    "$(python3 "$tmp/starttls.py" "$port")" 250
	kill -s HUP "$(started 1)"
	wait_for 20 grep -q ' reloaded$' "$tmp/bmx.log"
	like 'D22 a bad pair is an alarm' "$(cat "$tmp/bmx.log")" \
	    "alarm=yes STARTTLS is not offered: $tmp/key: No such file"
	is 'and not offered' "$(python3 "$tmp/starttls.py" "$port")" 'not offered'
	like 'while mail goes on' "$(send 1@example.com)" '^250 '
	stop systemd
else
	for what in 1 2 3 4; do
		skip "the key pair is loaded once $what" 'certtool is not installed'
	done
fi
done_testing
