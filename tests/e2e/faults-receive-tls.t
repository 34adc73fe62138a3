#!/bin/sh
# D17, D49 under STARTTLS: bmx-receive when the nth call fails, those of the TLS
# library too: a message is whole in the spool or was not acknowledged.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/faults.sh source=tests/lib/certs.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/faults.sh"
faults_need
need python3
certs_make
cert good ca 'cn = backup.example.net' 'dns_name = backup.example.net'
make_conf 'min-free = 0' "tls-certificate = $certs/good.pem" \
    "tls-key = $certs/good.key" '[example.com]' '[example.net]'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    'RCPT TO:<1@example.net>' DATA 'Subject: x' '' 'text' . QUIT >"$tmp/in"
say 'Subject: x' '' 'text' >"$tmp/content"
fault_via="python3 $top_srcdir/tests/fake/starttls.py $tmp/in"

# once KINDS N DEED: one session.
once()
{
	empty_spool
	faulty "$@" bmx-receive >"$tmp/out" 2>/dev/null
	fault_common "$(cat "$tmp/status")"
	receive_judge "$tmp/content"
}

once none 1 EIO
is 'without a fault it is stored' "$(last_code "$tmp/out") $kept" '250 2.0.0 2'

faults_sample 6
faults_of once create open mkdir chmod write sync link close random recv send \
    memory=ENOMEM write=short disk=kill-before disk=kill-after
faults_enough 20
done_testing
