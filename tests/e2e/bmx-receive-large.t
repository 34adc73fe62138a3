#!/bin/sh
# The memory of a session does not grow with the message: in the clear, inside
# TLS, into the spool and live to the primary, by DATA and by BDAT.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/fake/primary.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
[ -r /proc/self/status ] || skip_all 'there is no /proc'
# a sanitizer keeps what was freed
! ldd "$top_builddir/bmx-receive" | grep -q libasan ||
    skip_all 'built with a sanitizer'
! grep -q __sanitizer_cov_trace_pc "$top_builddir/bmx-receive" ||
    skip_all 'built by scripts/coverage, whose notes are memory too'

cat >"$tmp/large.py" <<'E2'
"""large.py HOW BYTES: one message to bmx-receive; HOW has "bdat" and "tls" in it
where it is to be so. Prints the reply's code and the most memory, in KiB, that
the session ever had."""
import re, socket, ssl, subprocess, sys

how, size = sys.argv[1], int(sys.argv[2])
ours, theirs = socket.socketpair()
bmx = subprocess.Popen(["bmx-receive"], stdin=theirs, stdout=theirs)
theirs.close()
block = (b"x" * 98 + b"\r\n") * 600
size = size // len(block) * len(block)


def ask(line):
    ours.sendall(line + b"\r\n")
    return hear()


def hear():
    line = b""
    while True:
        byte = ours.recv(1)
        line += byte
        if not byte:
            sys.exit("closed")
        if byte == b"\n":
            if line[3:4] != b"-":
                return line.decode("ascii")
            line = b""


hear()
ask(b"EHLO client.example")
if "tls" in how:
    ask(b"STARTTLS")
    ours = ssl._create_unverified_context().wrap_socket(ours)
    ask(b"EHLO client.example")
ask(b"MAIL FROM:<a@sender.example>")
ask(b"RCPT TO:<bob@example.com>")
if "bdat" in how:
    ours.sendall(b"BDAT %d LAST\r\n" % size)
else:
    ask(b"DATA")
for _ in range(size // len(block)):
    ours.sendall(block)
code = (hear() if "bdat" in how else ask(b"."))[:3]
with open("/proc/%d/status" % bmx.pid, encoding="ascii") as file:
    print(code, re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
ask(b"QUIT")
ours.close()
bmx.wait()
E2

# large NAME HOW: 40 MB cost at the most 1 MiB more than 100 kB.
large()
{
	small=$(python3 "$tmp/large.py" "$2" 100000 2>&1)
	big=$(python3 "$tmp/large.py" "$2" 40000000 2>&1)
	if [ "${small% *} ${big% *}" = '250 250' ] &&
	    [ "${big#* }" -lt "$((${small#* } + 1024))" ]; then
		pass "$1"
	else
		fail "$1" "small: $small" "big: $big"
	fi
}

tls=
if command -v openssl >/dev/null &&
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=backup.test \
	-keyout "$tmp/key" -out "$tmp/cert" 2>"$tmp/openssl.log"; then
	tls=yes
	set -- "tls-certificate = $tmp/cert" "tls-key = $tmp/key"
fi
make_conf 'min-free = 1M' 'max-size = 100M' "$@" '[example.com]'
large 'into the spool' data
large 'in a chunk' bdat
empty_spool
mkdir -m 700 "$tmp/state"
make_conf 'min-free = 1M' 'max-size = 100M' "$@" "state = $tmp/state" \
    '[example.com]' "primary = 127.0.0.1:$primary_port" 'admit = through' \
    'tls = none'
primary_start
large 'live' data
large 'live, in a chunk' bdat
if [ -n "$tls" ]; then
	large 'live, inside TLS' tls
	make_conf 'min-free = 1M' 'max-size = 100M' "$@" '[example.com]'
	large 'into the spool, inside TLS' tls-bdat
else
	skip 'live, inside TLS' 'openssl is not installed'
	skip 'into the spool, inside TLS' 'openssl is not installed'
fi
stop primary
primary_check
done_testing
