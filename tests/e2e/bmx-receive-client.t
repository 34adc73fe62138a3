#!/bin/sh
# STARTTLS with certificates on both sides: the server's pair is chosen by the
# name that the client asks for (SNI), and the client's own certificate is
# asked for, noted when one of our roots vouches for it, and never needed (D22).
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/peers.sh source=tests/lib/certs.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
# the leak detector falls over a library that was loaded inside the sandbox
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/certs.sh"
need swaks
certs_make
need_super tcpserver

cert backup ca 'cn = backup.example.net' 'dns_name = backup.example.net' tls_www_server
cert com ca 'cn = mx.example.com' 'dns_name = mx.example.com' tls_www_server
cert org ca 'cn = mx.example.org' 'dns_name = mx.example.org' tls_www_server
cert wild ca 'cn = *.example.org' 'dns_name = *.example.org' tls_www_server
cert sender ca 'cn = "Sender, of mail"' tls_www_client
cert stranger other-ca 'cn = stranger' tls_www_client

conf()
{
	make_conf 'min-free = 1M' "tls-certificate =
	    $certs/backup.pem $certs/com.pem $certs/wild.pem $certs/org.pem" "tls-key =
	    $certs/backup.key $certs/com.key $certs/wild.key $certs/org.key" "$@" \
	    '[example.com]' '[example.org]'
	empty_spool
	: >"$tmp/bmx.log"
}
conf
port=$(free_port)
super_start tcpserver "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"

# ---- SNI ----

# shown NAME: whose certificate a client gets that asks for this name.
shown()
{
	set -- "${1:+-servername}" ${1:+"$1"}
	[ -n "$1" ] || set -- -noservername
	openssl s_client -starttls smtp -connect "127.0.0.1:$port" "$@" \
	    </dev/null 2>"$tmp/err" |
	    openssl x509 -noout -subject 2>/dev/null | sed 's/.*CN *= *//'
}
is "SNI: a relay domain's name" "$(shown mx.example.com)" mx.example.com
is "SNI: another's, though a wildcard covers it, too" "$(shown mx.example.org)" mx.example.org
is "SNI: by wildcard" "$(shown mx2.example.org)" '*.example.org'
is "SNI: our own" "$(shown backup.example.net)" backup.example.net
is "SNI: a name that nobody has: the first" "$(shown mx.example.info)" backup.example.net
is "no SNI: the first" "$(shown '')" backup.example.net

# ---- the client's certificate ----

# send [SWAKS_OPTION...]: a message over TLS; what came of it in $tmp/out.
send()
{
	: >"$tmp/bmx.log"
	empty_spool
	exits "$send_what: 0" 0 swaks -s 127.0.0.1 -p "$port" -tls -hr -h sender.example \
	    -f a@sender.example -t b@example.com "$@"
}
# noted: the TLS of the envelope and of our Received field.
noted()
{
	noted_file=$(queued example.com)
	sed -n 's/^Bmx-Client: .* tls=\([^ ]*\).*/\1/p' "$noted_file" |
	    sed 's/+20/ /g; s/+3D/=/g; s/+2C/,/g'
	sed -n 's/^	(\(TLS[^)]*\)).*/\1/p' "$noted_file"
}
with()
{
	echo --tls-cert "$certs/$1.pem" --tls-key "$certs/$1.key"
}

send_what='nobody is asked by default'
# shellcheck disable=SC2046 # words
send $(with sender)
unlike "and nothing is noted" "$(noted)" client
conf "tls-client-ca = $certs/ca.pem"
send_what='D22: a client without a certificate'
send
unlike "nothing is noted" "$(noted)" client
send_what='a client that one of our roots vouches for'
# shellcheck disable=SC2046
send $(with sender)
like "envelope and Received say who" "$(noted)" \
    "^TLS1\.[23]/[A-Z0-9-]+ client=CN=Sender.*of.*mail sha256=$(digest sender)"
like "the log too" "$(cat "$tmp/bmx.log")" " tls=TLS.* client=CN=Sender[^ ]* sha256=$(digest sender)"
send_what='SNI: the same where a wildcard alone covers the name'
# shellcheck disable=SC2046
send --tls-sni mx2.example.org $(with sender)
like "and it is vouched for" "$(noted)" \
    "^TLS1\.[23]/[A-Z0-9-]+ client=CN=Sender.*of.*mail sha256=$(digest sender)"
send_what='D22: a client of a root that we do not know'
# shellcheck disable=SC2046
send $(with stranger)
unlike "is nobody to us" "$(noted)" client
like "which the log says" "$(cat "$tmp/bmx.log")" \
    'client=CN=stranger sha256=[0-9a-f]{64} result=certificate-not-trusted'

# ---- what can be wrong with it ----

conf "tls-client-ca = $tmp/none.pem"
exits '--check-config tells of roots that are not there' 78 bmx-receive --check-config
send_what='D22: and mail is taken all the same'
send
like 'with an alarm' "$(cat "$tmp/bmx.log")" 'alarm=yes.*not asked for certificates: .*none\.pem'
done_testing
