#!/bin/sh
# Postfix as the tests use it: what it stores is what came over the wire.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
need_postfix
need python3
plan 11

send=$top_srcdir/tests/lib/send.py
postfix_make
postfix_start

# A first dot, a line of one dot, 8-bit bytes, a line of 998 bytes, no From or
# Date, a Bcc, blanks at line ends.
{
	printf 'Subject: one\r\nBcc: x@example.org\r\nX: a\r\n\tb \r\n\r\n'
	printf '.\r\n..\r\n. \303\251\377\r\n'
	printf '%0998d\r\n' 7
	printf 'end \r\n\r\n'
} >"$tmp/one"

like "a message is accepted" \
    "$("$send" "$postfix_port" alice@example.org "$tmp/one" bob@example.com \
    carol@example.com)" '^250 .*queued as'
ok "and stored" postfix_wait 1
file=$(postfix_find 'Subject: one')
strip_received 1 "$file" >"$tmp/got"
same "byte for byte behind one Received field" "$tmp/got" "$tmp/one"
is "with its envelope" "$(cat "$file.env")" "from alice@example.org
to bob@example.com
to carol@example.com"

printf 'Subject: two\r\n\r\nx\r\n' >"$tmp/two"
ok "the null sender is accepted" \
    "$send" "$postfix_port" "" "$tmp/two" dave@example.com
postfix_wait 2
is "and stored as such" "$(cat "$(postfix_find 'Subject: two').env")" "from 
to dave@example.com"
exits "a stranger's domain is refused" 1 \
    "$send" "$postfix_port" alice@example.org "$tmp/two" eve@example.org

freeze postfix
exits "frozen, it says nothing" 124 timeout 1 \
    "$send" "$postfix_port" alice@example.org "$tmp/two" bob@example.com
thaw postfix
stop postfix
exits "stopped, it is not there" 1 "$tap_await" listen 0 127.0.0.1 "$postfix_port"
postfix_start
ok "started again, it takes mail" \
    "$send" "$postfix_port" alice@example.org "$tmp/two" frank@example.com
ok "and stores it" postfix_wait 3
