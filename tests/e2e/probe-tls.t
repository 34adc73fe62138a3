#!/bin/sh
# STARTTLS as bmx-probe sees it, with Postfix and with primaries that break it.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/fake/primary.sh"
need certtool
primary_make

(
	cd "$tmp" || exit 1
	certtool --generate-privkey --key-type ecdsa --outfile key.pem
	printf 'cn = primary.test\ntls_www_server\nexpiration_days = 2\n' >template
	certtool --generate-self-signed --load-privkey key.pem \
	    --template template --outfile cert.pem
) >"$tmp/certtool.log" 2>&1 || bail "certtool: $(cat "$tmp/certtool.log")"

conf()
{
	make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" "$@"
}
word()
{
	cut -f 4,5 "$tmp/out" | tr '\t' ' '
}
tls()
{
	primary_renew --tls "$tmp/cert.pem" "$tmp/key.pem" "$@"
}

conf
primary_start --tls "$tmp/cert.pem" "$tmp/key.pem"
exits "STARTTLS is done where it is offered: 0" 0 bmx-probe example.com
is "as is said" "$(word) $(cut -f 7 "$tmp/out" | cut -d / -f 1)" "up ok TLS1.3"
is "EHLO comes again" "$(grep -a ' C: ' "$primary/log")" "1 C: EHLO backup.example.net
1 C: STARTTLS
1 C: EHLO backup.example.net
1 C: QUIT"
like "both offers are kept" "$(cat "$tmp/spool/example.com/primary")" '^secured 8BITMIME'
unlike "STARTTLS only in the clear" "$(cat "$tmp/spool/example.com/primary")" \
    '^secured STARTTLS'
exits "--verbose: 0" 0 bmx-probe -nv
like "times the step" "$(cat "$tmp/out")" ' tls=[0-9.]+ TLS1\.3/'
conf 'tls = none'
exits "tls = none: 0" 0 bmx-probe -n
is "is in the clear" "$(cut -f 7 "$tmp/out")" -

tls 'starttls hangup'
conf
exits "a broken handshake where TLS may be: 0" 0 bmx-probe -n
is "is up with a blemish" "$(word)" 'up tls-failed'
conf 'tls = encrypt'
exits "a broken handshake where TLS must be: 69" 69 bmx-probe -n
is "is down" "$(word)" 'down tls-failed'

tls 'starttls 454 4.7.0 not now'
exits "TLS not now where it must be: 75" 75 bmx-probe -n
is "is deferring" "$(word)" 'deferring deferred'
conf
exits "TLS not now where it may be: 0" 0 bmx-probe -n
is "is up with a blemish" "$(word)" 'up tls-failed'

tls 'starttls 421 4.3.2 bye'
exits "D32: 421 to STARTTLS: 75" 75 bmx-probe -n
is "is deferring" "$(word)" 'deferring deferred'

tls 'starttls raw 220 go\r\n250-primary.test\r\n250 SIZE 1\r\n'
conf 'tls = encrypt'
exits "D22: replies injected behind the 220: 69" 69 bmx-probe -n
like "are not heard" "$(cut -f 9 "$tmp/out")" 'behind STARTTLS'

tls 'ehlo#2 550 5.7.1 no' 'helo 550 5.7.1 no'
exits "refused within TLS: 69" 69 bmx-probe -n
is "is policy" "$(word)" 'down refused-by-policy'

primary_renew
exits "STARTTLS not offered where TLS must be: 69" 69 bmx-probe -n
is "is down" "$(word)" 'down tls-not-offered'

tls
saved=$BMX_TLS_MODULE
BMX_TLS_MODULE=$tmp/none.so
exits "our TLS module is missing: 71" 71 bmx-probe
is "says nothing about the primary" "$(word)" 'unknown own-trouble'
like "but what is missing" "$(cat "$tmp/err")" 'none\.so'
like "the state is as before" "$(cat "$tmp/spool/example.com/primary")" '^last up$'
BMX_TLS_MODULE=$saved
stop primary

# ---- a real one ----

if command -v postconf >/dev/null && [ "$(id -u)" -eq 0 ]; then
	postfix_make "smtpd_tls_cert_file = $tmp/cert.pem" \
	    "smtpd_tls_key_file = $tmp/key.pem" 'smtpd_tls_security_level = may'
	echo 'tlsmgr unix - - n 1000? 1 tlsmgr' >>"$postfix/etc/master.cf"
	chmod 755 "$tmp"
	postfix_start
	make_conf '[example.com]' "primary = 127.0.0.1:$postfix_port" \
	    'tls = encrypt'
	exits "Postfix: 0" 0 bmx-probe --json
	like "Postfix: TLS 1.3" "$(cat "$tmp/out")" '"tls":"TLS1\.3/'
	like "Postfix: it went by the book" "$(cat "$postfix/log/mail.log")" \
	    'disconnect from .* ehlo=2 starttls=1 quit=1 commands=4'
else
	for what in 'Postfix: 0' 'Postfix: TLS 1.3' 'Postfix: it went by the book'; do
		skip "$what" 'postfix is not installed, or we are not root'
	done
fi
primary_check
done_testing
