#!/bin/sh
# The super-servers as the tests use them: one process for each connection.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need python3
plan 9

cat >"$tmp/server" <<'E'
#!/bin/sh
echo "hello $1"
read -r line
echo "you said $line"
E
chmod 755 "$tmp/server"
cat >"$tmp/client.py" <<'E'
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as s:
    s.sendall(b"something\n")
    while data := s.recv(1000):
        sys.stdout.write(data.decode())
E

for kind in xinetd inetd tcpserver; do
	if ! super_program $kind >/dev/null; then
		for what in starts talks stops; do
			skip "$kind $what" "$kind is not installed"
		done
		continue
	fi
	port=$(free_port)
	super_start $kind "$port" "$tmp/server" world
	pass "$kind starts"
	is "$kind gives the client to the program" \
	    "$(python3 "$tmp/client.py" "$port")" "hello world
you said something"
	stop $kind
	exits "$kind stops" 1 "$tap_await" listen 0 127.0.0.1 "$port"
done
