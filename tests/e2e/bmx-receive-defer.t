#!/bin/sh
# C1: admit = defer sends clients to the primary while it is up; who comes back
# often enough over long enough cannot get there, and is let in.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/fake/primary.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make

mkdir -m 700 "$tmp/state"
conf()
{
	make_conf 'min-free = 1M' "state = $tmp/state" '[example.com]' \
	    "primary = 127.0.0.1:$primary_port" 'admit = defer' \
	    'defer-tries = 3' 'defer-time = 20m' 'state-age = 1d' \
	    'connect-timeout = 2s' 'reply-timeout = 2s' 'tls = none' "$@"
}
conf
mkdir -p "$tmp/spool/example.com/tmp" "$tmp/spool/example.com/new" \
    "$tmp/spool/example.com/cur" "$tmp/spool/example.com/log"
primary_start 'rcpt<no@example.com> 550 5.1.1 nobody'

up()
{
	date -u "+verdict up%nsince %FT%TZ%nprobed %FT%TZ%ngood %FT%TZ%nlast up%nrun 1%nplain SIZE%nplain 8BITMIME" \
	    >"$tmp/spool/example.com/primary"
}
up

# try CLIENT SENDER RCPT: the codes of the replies to RCPT and to the message.
try()
{
	say 'EHLO c' "MAIL FROM:<$2>" "RCPT TO:<$3>" DATA x . QUIT |
	    TCPREMOTEIP=$1 bmx-receive >"$tmp/out"
	codes "$tmp/out" | sed -n '4p; 6p' | tr '\n' ' '
}

# pass SECONDS: the store believes that so much time has gone by.
cat >"$tmp/pass.py" <<'E2'
import struct, sys
path, seconds = sys.argv[1], int(sys.argv[2])

def fnv(data):
    h = 0xcbf29ce484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001b3 % 2**64
    return h & 0xffffffff

with open(path, "rb+") as file:
    data = bytearray(file.read())
    for at in range(0, len(data), 32):
        key, first, last, tries, zero, check = struct.unpack_from("<QIIIQI", data, at)
        if tries == 0:
            continue
        struct.pack_into("<QIIIQ", data, at, key, first - seconds,
                         last - seconds, tries, zero)
        struct.pack_into("<I", data, at + 28, fnv(data[at:at + 28]))
    file.seek(0)
    file.write(data)
E2
pass_time()
{
	python3 "$tmp/pass.py" "$tmp/state/insist" "$1"
}

deferred='451 4.3.2 500 5.5.1 '
is 'the first try: go there' "$(try 192.0.2.1 a@s.example bob@example.com)" "$deferred"
is 'again at once' "$(try 192.0.2.1 a@s.example bob@example.com)" "$deferred"
pass_time 600
is 'ten minutes later, from the same network' \
    "$(try 192.0.2.99 A@S.example Bob@example.com)" "$deferred"
pass_time 500
is 'three tries, but not over twenty minutes' \
    "$(try 192.0.2.1 a@s.example bob@example.com)" "$deferred"
is 'the same mail from elsewhere: go there' \
    "$(try 198.51.100.1 a@s.example bob@example.com)" "$deferred"
is 'nobody has anything' "$(primary_count)" 0
pass_time 200
is 'often enough over long enough: let in' \
    "$(try 192.0.2.1 a@s.example bob@example.com)" '250 2.1.5 250 2.0.0 '
is 'and the primary has it, by our way' "$(primary_count)" 1
ok 'nothing is spooled' nothing_queued
like 'the log says why' "$(cat "$tmp/bmx.log")" \
    'to=<bob@example.com> peer=192.0.2.1 admit=through reason=insists reply="250 2.1.5 OK"'
is 'the next mail of the same kind too' \
    "$(try 192.0.2.1 a@s.example bob@example.com)" '250 2.1.5 250 2.0.0 '
is 'other mail is to go there' \
    "$(try 192.0.2.1 other@s.example bob@example.com)" "$deferred"

# ---- whom the primary does not want ----

i=0
while [ "$i" -lt 4 ]; do
	try 192.0.2.1 a@s.example no@example.com >"$tmp/last"
	pass_time 700
	i=$((i + 1))
done
is 'who insists on a recipient that is none hears so from the primary' \
    "$(cat "$tmp/last")" '550 5.1.1 500 5.5.1 '

# ---- kept ----

i=0
while [ "$i" -lt 2 ]; do
	mkfifo "$tmp/in.$i"
	TCPREMOTEIP=192.0.2.1 bmx-receive <"$tmp/in.$i" >"$tmp/out.$i" &
	echo $! >"$tmp/kill.pid"
	exec 9>"$tmp/in.$i"
	say 'EHLO c' 'MAIL FROM:<k@s.example>' 'RCPT TO:<bob@example.com>' >&9
	wait_for 20 grep -q '^451' "$tmp/out.$i"
	kill -s KILL "$(cat "$tmp/kill.pid")"
	wait "$(cat "$tmp/kill.pid")" 2>/dev/null
	exec 9>&-
	pass_time 700
	i=$((i + 1))
done
is 'kill -9 costs no try' "$(try 192.0.2.1 k@s.example bob@example.com)" \
    '250 2.1.5 250 2.0.0 '
head -c 100000 /dev/urandom >"$tmp/state/insist"
is 'a store that is damaged: begun anew' \
    "$(try 192.0.2.1 k@s.example bob@example.com)" "$deferred"
ok 'it stays small' test "$(stat -c %s "$tmp/state/insist")" -le 2097152
rm "$tmp/state/insist"
for none in mkdir mkfifo; do
	: >"$tmp/bmx.log"
	"$none" "$tmp/state/insist"
	is "one that is none ($none): mail is sent to the primary, as ever" \
	    "$(try 192.0.2.1 k@s.example bob@example.com)" "$deferred"
	like 'and there is an alarm' "$(cat "$tmp/bmx.log")" 'alarm=yes .*insist'
	rm -r "$tmp/state/insist"
done

# ---- and then the primary is away ----

conf 'defer-tries = 1' 'defer-time = 0' 'unknown = accept'
sed -i '/^defer-tries = 3/d; /^defer-time = 20m/d' "$BMX_CONF"
primary_renew 'mail hangup'
up
is 'it breaks: spooled' "$(try 192.0.2.1 a@s.example bob@example.com)" \
    '250 2.1.5 250 2.0.0 '
is 'once' "$(queued example.com | wc -l) $(primary_count)" '1 0'
primary_check
done_testing
