#!/bin/sh
# What goes over the wire is what came in, byte for byte (C13, D27, D30).
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
conf()
{
	make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
	    'max-connections = 1' "$@"
}
conf

# ---- every kind of message ----

python3 "$top_srcdir/tests/fake/kinds.py" "$tmp/kinds"
all=$(find "$tmp/kinds" -type f | wc -l | tr -d ' ')

# all_kinds "how" [OPTION...]: each arrives as it is
all_kinds()
{
	how=$1
	shift
	primary_renew "$@"
	for kind in "$tmp"/kinds/*; do
		put_file "$kind" to=bob@example.com to=carol@example.com
	done
	exits "$how: 0" 0 bmx-flush
	is "$how: all arrive" "$(primary_count) $(waiting)" \
	    "$all 0"
	differ=
	for kind in "$tmp"/kinds/*; do
		n=$(primary_find "Subject: ${kind##*/}") &&
		    cmp "$primary/$n.msg" "$kind" >&2 ||
		    differ="$differ ${kind##*/}"
	done
	is "$how: byte for byte" "$differ" ""
	is "$how: for every recipient" "$(cat "$primary"/*.env | grep -c '^RCPT')" \
	    $((2 * all))
	is "$how: in one session" "$(primary_said 'S: 220 primary')" 1
	ok "$how: with doubled dots and one end each" test ! -e "$primary/broken"
}

ok "one of them has 25 MiB" \
    test "$(wc -c <"$tmp/kinds/25-MiB")" -ge 26214400
all_kinds "pipelined"
all_kinds "command by command" -e 8BITMIME -e SMTPUTF8
unlike "no parameter that was not offered" "$(cat "$primary"/*.env)" 'SIZE='

if ! command -v openssl >/dev/null || [ ! -f "$BMX_TLS_MODULE" ]; then
	skip "in TLS" "openssl(1) or our TLS module is missing"
else
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=primary.test \
	    -keyout "$tmp/key" -out "$tmp/cert" 2>/dev/null
	conf 'tls = encrypt'
	all_kinds "in TLS" --tls "$tmp/cert" "$tmp/key"
	is "it was TLS" "$(primary_said 'C: STARTTLS')" 1
	primary_renew
	put one
	exits "tls = encrypt, not offered: 75" 75 bmx-flush
	is "nothing goes out in the clear" "$(primary_said 'C: MAIL') $(waiting)" \
	    "0 1"
	conf 'tls = may'
	primary_renew --tls "$tmp/cert" "$tmp/key" 'starttls 454 4.7.0 not now'
	exits "tls = may, not now: 0" 0 bmx-flush
	is "it goes in the clear" "$(primary_count) $(waiting)" "1 0"
	conf
fi

# ---- the envelope ----

primary_renew
put null from=
put odd 'to="john doe"@example.com' "to=o'hara@example.com"
exits "odd addresses: 0" 0 bmx-flush
is "D37: the null sender stays null" \
    "$(grep -c '^MAIL FROM:<> ' "$primary/1.env")" 1
is "D15: addresses are as they were" "$(grep RCPT "$primary/2.env")" \
    "RCPT TO:<\"john doe\"@example.com>
RCPT TO:<o'hara@example.com>"

put dsn 'mail=FROM:<a@example.org> BODY=8BITMIME RET=HDRS ENVID=QQ+2B314' \
    'rcpt=TO:<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@example.com' \
    'rcpt=TO:<carol@example.com> NOTIFY=NEVER'
exits "D39: DSN is offered: 0" 0 bmx-flush
size=$(wc -c <"$tmp/dsn.in" | tr -d ' ')
is "D39: its parameters are passed, with SIZE and BODY" \
    "$(grep -v session "$primary/3.env")" \
    "MAIL FROM:<a@example.org> SIZE=$size BODY=8BITMIME RET=HDRS ENVID=QQ+2B314
RCPT TO:<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@example.com
RCPT TO:<carol@example.com> NOTIFY=NEVER"
put utf8 'mail=FROM:<jürgen@example.org> SMTPUTF8' 'to=bob@example.com'
exits "D30: SMTPUTF8 is offered: 0" 0 bmx-flush
like "D30: it is passed" "$(cat "$primary/4.env")" \
    '^MAIL FROM:<jürgen@example.org>.* SMTPUTF8'

primary_renew -e PIPELINING
put dsn 'mail=FROM:<a@example.org> RET=FULL ENVID=x' \
    'rcpt=TO:<bob@example.com> NOTIFY=NEVER'
exits "D39: DSN is not offered: 0" 0 bmx-flush
is "D39: nothing of it is said" "$(grep -v session "$primary/1.env")" \
    "MAIL FROM:<a@example.org>
RCPT TO:<bob@example.com>"
put 8bit 'mail=FROM:<a@example.org> BODY=8BITMIME'
exits "D30: 8BITMIME is not offered: 69" 69 bmx-flush
like "D30: it is held, with our own reason" "$(logged "id=$id ")" \
    'refused .*reply="554 5.6.3 '
put utf8 'mail=FROM:<a@example.org> SMTPUTF8' 'rcpt=TO:<büro@example.com>'
exits "D30: SMTPUTF8 is not offered: 69" 69 bmx-flush
like "D30: it is held" "$(logged "id=$id ")" 'refused .*reply="554 5.6.7 '
is "D30: neither was sent, nor changed" \
    "$(primary_count) $(held) $(primary_said 'C: MAIL')" "1 2 1"
primary_check
done_testing
