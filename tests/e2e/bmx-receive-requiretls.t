#!/bin/sh
# REQUIRETLS (D46, RFC 8689) on its whole way: offered only inside TLS and only
# while the primary offers it in sessions that prove who it is; kept with the
# message; handed over in such a session, or not at all. And a primary that had
# TLS and has none is an alarm.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/certs.sh source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
# the leak detector falls over a library that was loaded inside the sandbox
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
certs_make
need_super tcpserver

cert backup ca 'cn = backup' 'dns_name = backup.example.net' tls_www_server
cert primary ca 'cn = primary' 'dns_name = primary.example.com' tls_www_server

# conf [LINE...]: of the domain
conf()
{
	make_conf 'min-free = 1M' "tls-certificate = $certs/backup.pem" \
	    "tls-key = $certs/backup.key" '[example.com]' \
	    "primary = 127.0.0.1:$primary_port" \
	    'tls-name = primary.example.com' "tls-ca = $certs/ca.pem" "$@"
	: >"$tmp/bmx.log"
}
serve()
{
	primary_renew --tls "$certs/primary.chain" "$certs/primary.key" "$@"
}
conf 'tls = verify'
primary_start --tls "$certs/primary.chain" "$certs/primary.key" -s REQUIRETLS
port=$(free_port)
super_start tcpserver "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"

cat >"$tmp/send.py" <<'E'
"""send.py PORT PARAMETER [plain]: a message with this MAIL parameter over
STARTTLS; prints what EHLO says of REQUIRETLS, and the last reply."""
import smtplib, ssl, sys

client = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "sender.example")
client.ehlo()
print("clear:", "yes" if client.has_extn("requiretls") else "no")
if sys.argv[3:] != ["plain"]:
    client.starttls(context=ssl._create_unverified_context())
    client.ehlo()
    print("inside:", "yes" if client.has_extn("requiretls") else "no")
code, text = client.docmd("MAIL FROM:<a@sender.example> " + sys.argv[2])
if code == 250:
    code, text = client.docmd("RCPT TO:<bob@example.com>")
if code == 250:
    code, text = client.data("Subject: x\r\n\r\nx\r\n")
print(code, text.decode().split()[0])
client.quit()
E
# send PARAMETER [plain]
send()
{
	python3 "$tmp/send.py" "$port" "$@" 2>&1 | tr '\n' ' '
}
reason()
{
	logged "id=.* to=<bob@example.com>" | tail -n 1
}

# release: what is held
release()
{
	release_file=$(find "$spool/example.com/cur" -name '*:2,*F*')
	release_file=${release_file##*/}
	bmx-queue release "${release_file%%,*}" >/dev/null
}

is "D46: of a primary that nobody has seen: not offered" "$(send '')" \
    'clear: no inside: no 250 2.0.0 '
exits "a session that proves who it is" 0 bmx-flush
is "D46: then it is offered, inside TLS alone" "$(send REQUIRETLS)" \
    'clear: no inside: yes 250 2.0.0 '
is "D46: in the clear it is not taken" "$(send REQUIRETLS plain)" 'clear: no 555 5.5.4 '
like "it is kept with the message" "$(cat "$(queued example.com)")" \
    '^Bmx-From: .*REQUIRETLS'

# ---- the next hop has to offer it, in a session that proves who it is ----

serve
exits "D46: the primary does not offer it: not delivered" 69 bmx-flush --now
is "held" "$(primary_count) $(held)" "0 1"
like "5.7.30" "$(reason)" '5\.7\.30'
release
serve -s REQUIRETLS
conf 'tls = encrypt'
exits "D46: it offers it, but proves nothing: not delivered" 69 bmx-flush --now
is "held" "$(primary_count) $(held)" "0 1"
like "5.7.10" "$(reason)" '5\.7\.10'
is "D46: and then it is not offered any more" "$(send REQUIRETLS)" \
    'clear: no inside: no 555 5.5.4 '
conf 'tls = verify'
release
exits "D46: it offers it and proves who it is: delivered" 0 bmx-flush --now
like "with the parameter" "$(cat "$primary/1.env")" '^MAIL FROM:<a@sender.example>.* REQUIRETLS'

# ---- live, the answer comes at once ----

conf 'tls = verify' 'admit = through'
is "D46: live: taken" "$(send REQUIRETLS)" 'clear: no inside: yes 250 2.0.0 '
is "and handed over" "$(primary_count) $(waiting)" "2 0"
serve
is "D46: live: the primary does not offer it any more: refused" "$(send REQUIRETLS)" \
    'clear: no inside: yes 554 5.7.30 '
is "D46: which the next session knows" "$(send REQUIRETLS)" \
    'clear: no inside: no 555 5.5.4 '

# ---- a primary that had TLS ----

conf 'tls = may'
like "its address is remembered" "$(cat "$spool/example.com/primary")" \
    "^tls [0-9TZ:-]+ 127\.0\.0\.1:$primary_port\$"
unlike "no alarm with TLS" "$(cat "$tmp/bmx.log")" downgrade
primary_renew
put m
exits "it has none any more: mail goes all the same" 0 bmx-flush --now
like "with an alarm" "$(logged alarm=)" \
    "peer=127\.0\.0\.1:$primary_port tls=- downgrade"
exits "as seen by bmx-probe" 0 bmx-probe example.com
is "again" "$(logged downgrade | wc -l)" 2
conf 'tls = none'
put m
exits "but not where none is wanted" 0 bmx-flush --now
unlike "no alarm" "$(cat "$tmp/bmx.log")" downgrade
primary_check
done_testing
