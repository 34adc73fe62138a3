#!/bin/sh
# Several key pairs, names, and session tickets that another process resumes.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh source=tests/lib/listen.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
# the leak detector falls over a library that was loaded inside the sandbox
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/listen.sh"
need python3 certtool
need_super tcpserver

# certificate NAME KEYTYPE DNSNAME UNTIL
certificate()
{
	printf '%s\n' "cn = $1" "dns_name = $3" tls_www_server signing_key \
	    encryption_key 'activation_date = "2010-01-01 00:00:00"' \
	    "expiration_date = \"$4-01-01 00:00:00\"" >"$tmp/template"
	certtool --generate-privkey --key-type "$2" --outfile "$tmp/$1.key" &&
	    certtool --generate-self-signed --load-privkey "$tmp/$1.key" \
		--template "$tmp/template" --outfile "$tmp/$1.pem"
}
if ! { certificate ecdsa ecdsa backup.example.net 2037 &&
    certificate rsa rsa backup.example.net 2037 &&
    certificate other ecdsa mx.example.org 2037 &&
    certificate old ecdsa old.example.org 2012; } >"$tmp/certtool" 2>&1; then
	cat "$tmp/certtool"
	bail 'certtool makes no certificate'
fi

cat >"$tmp/tls.py" <<'E'
"""tls.py PORT WHAT [NAME]: a session with STARTTLS, asking for NAME (SNI).
WHAT cn: print whose certificate came; rsa: the same, taking RSA alone; resume:
two sessions, does the second resume the first?"""
import socket, ssl, sys

port, what = int(sys.argv[1]), sys.argv[2]
name = sys.argv[3] if len(sys.argv) > 3 else None
context = ssl._create_unverified_context()
if what == "rsa":
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")


def connect(session=None):
    s = socket.create_connection(("127.0.0.1", port), 30)
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"EHLO c\r\n")
    offered = False
    while True:
        line = f.readline()
        offered = offered or b"STARTTLS" in line
        if line[3:4] != b"-":
            break
    if not offered:
        print("not offered")
        sys.exit()
    s.sendall(b"STARTTLS\r\n")
    f.readline()
    t = context.wrap_socket(s, server_hostname=name, session=session)
    t.sendall(b"EHLO c\r\n")
    t.recv(4096)  # tickets come with it
    return t


one = connect()
if what == "resume":
    session = one.session
    one.sendall(b"QUIT\r\n")
    one.recv(4096)
    one.close()
    print(connect(session).session_reused)
else:
    der = one.getpeercert(True)
    for cn in b"ecdsa", b"rsa", b"other", b"old":
        if b"\x0c" + bytes([len(cn)]) + cn in der or b"\x13" + bytes([len(cn)]) + cn in der:
            print(cn.decode())
E

# conf LINE...: of [bmx]
conf()
{
	make_conf 'min-free = 1M' "$@" '[example.com]'
	: >"$tmp/bmx.log"
}

port=$(free_port)
conf "tls-certificate = $tmp/ecdsa.pem $tmp/rsa.pem $tmp/other.pem" \
    "tls-key = $tmp/ecdsa.key, $tmp/rsa.key, $tmp/other.key"
super_start tcpserver "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"

# ---- which pair ----

exits '--check-config takes all pairs' 0 bmx-receive --check-config
is 'the first pair is the usual one' "$(python3 "$tmp/tls.py" "$port" cn)" ecdsa
is 'RSA for who takes nothing else' "$(python3 "$tmp/tls.py" "$port" rsa)" rsa
is 'the pair of the name that is asked for' \
    "$(python3 "$tmp/tls.py" "$port" cn mx.example.org)" other
is 'the usual one for a name that nobody has' \
    "$(python3 "$tmp/tls.py" "$port" cn mx.elsewhere.example)" ecdsa

conf "tls-certificate = $tmp/old.pem $tmp/ecdsa.pem $tmp/rsa.pem" \
    "tls-key = $tmp/old.key $tmp/ecdsa.key $tmp/ecdsa.key"
is 'of several pairs the good ones are used' "$(python3 "$tmp/tls.py" "$port" cn)" ecdsa
like 'an alarm for one that is expired' "$(cat "$tmp/bmx.log")" \
    "alarm=yes a key pair is not used: $tmp/old.pem: .*expired"
like 'and one that does not fit' "$(cat "$tmp/bmx.log")" \
    "alarm=yes a key pair is not used: $tmp/ecdsa.key is not the key of $tmp/rsa.pem"
exits '--check-config wants all of them good' 78 bmx-receive --check-config

# ---- tickets ----

conf "tls-certificate = $tmp/ecdsa.pem" "tls-key = $tmp/ecdsa.key"
is 'without a key no session is resumed in another process' \
    "$(python3 "$tmp/tls.py" "$port" resume)" False
mkdir "$tmp/keys"
conf "tls-certificate = $tmp/ecdsa.pem" "tls-key = $tmp/ecdsa.key" \
    "tls-ticket-key = $tmp/keys/ticket"
is 'with one it is' "$(python3 "$tmp/tls.py" "$port" resume)" True
is 'the key was made, for us alone' "$(stat -c '%a %s' "$tmp/keys/ticket")" '600 64'
cp "$tmp/keys/ticket" "$tmp/first"
python3 "$tmp/tls.py" "$port" cn >/dev/null
same 'and is kept' "$tmp/first" "$tmp/keys/ticket"
touch -d '2 days ago' "$tmp/keys/ticket"
is 'for a day' "$(python3 "$tmp/tls.py" "$port" resume)
$(cmp -s "$tmp/first" "$tmp/keys/ticket" || echo new)" 'True
new'
chmod 644 "$tmp/keys/ticket"
is 'a key that others may read is not used, TLS goes on' \
    "$(python3 "$tmp/tls.py" "$port" resume)" False
like 'with an alarm' "$(cat "$tmp/bmx.log")" 'alarm=yes no TLS session tickets: .*keys/ticket'
stop tcpserver

conf "tls-certificate = $tmp/ecdsa.pem" "tls-key = $tmp/ecdsa.key"
port=$(free_port)
listen_start systemd "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
is 'in listening mode sessions are resumed without a key file' \
    "$(python3 "$tmp/tls.py" "$port" resume)" True
done_testing
