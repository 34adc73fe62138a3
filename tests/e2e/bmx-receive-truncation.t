#!/bin/sh
# D22 TLS that ends where it should not, at each point of a message: nothing is
# queued, and what comes in the clear afterwards is neither obeyed nor answered
# (the class of CVE-2026-45185).
# shellcheck source=tests/lib/tap.sh source=tests/lib/certs.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
# the leak detector falls over a library that was loaded inside the sandbox
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/receive.sh"
need python3 certtool
plan 18

points='handshake mail rcpt line dot chunk chunks last'
certs_make
cert good ca 'cn = backup.example.net' 'dns_name = backup.example.net'
make_conf 'min-free = 1M' 'command-timeout = 20' \
    "tls-certificate = $certs/good.pem" "tls-key = $certs/good.key" \
    '[example.com]'

# silent WAY: what is expected of it at each point
silent()
{
	for point in $points; do
		echo "$point $1 status=0 queued=0 said=- clear=-"
	done
}

for version in TLSv1_2 TLSv1_3; do
	empty_spool
	: >"$tmp/bmx.log"
	exits "$version: all sessions end" 0 timeout 60 \
	    python3 "$top_srcdir/tests/fake/truncate.py" "$version" \
	    "$tmp/spool" "$top_builddir/bmx-receive"
	cp "$tmp/out" "$tmp/sessions"
	for way in close_notify fin reset broken plain; do
		is "$version: $way: nothing queued, nothing answered" \
		    "$(grep " $way " "$tmp/sessions")" "$(silent "$way")"
	done
	is "$version: the same bytes under TLS are a message" \
	    "$(grep -c ' whole status=0 queued=1 .*221_2.0.0.* clear=-$' "$tmp/sessions")" 8
	is "$version: each session has its end in the log" \
	    "$(grep -c ' end=.* disconnected$' "$tmp/bmx.log")" 48
	is "$version: and nothing else is in the spool" \
	    "$(find "$tmp/spool" -type f \( -path '*/new/*' -o -path '*/tmp/*' \) | wc -l)" 8
done
