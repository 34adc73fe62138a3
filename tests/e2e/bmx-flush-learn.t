#!/bin/sh
# C2: what the primary says to the spool's recipients is remembered, unless it
# accepts everybody, which a random recipient finds out.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make

conf()
{
	make_conf "state = $tmp/state" '[example.com]' \
	    "primary = 127.0.0.1:$primary_port" 'tls = none' \
	    'connect-timeout = 2s' 'reply-timeout = 2s' "$@"
}
conf

# begin [ROW]...: nothing is known, another primary.
begin()
{
	rm -rf "$tmp/state"
	mkdir -m 700 "$tmp/state"
	empty_spool
	: >"$tmp/bmx.log"
	[ ! -f "$tmp/primary.pid" ] || stop primary
	rm -rf "$primary"
	primary_start "$@"
}

# memory: "ANSWER SOURCE ADDRESS", a line each.
memory()
{
	bmx-queue recipients list | awk '/@/ { print $2, $3, $1 }' | sort
}

# asked: how often the primary was asked for a random recipient.
asked()
{
	grep -cE 'C: RCPT TO:<nobody-[0-9a-f]{16}@example.com>' "$primary/log"
}

nobody='rcpt 550 5.1.1 nobody'
begin 'rcpt<bob@example.com> 250 2.1.5 OK' 'rcpt<ann@example.com> 250 2.1.5 OK' \
    'rcpt<eve@example.com> 550 5.1.1 nobody' 'rcpt<pol@example.com> 550 5.7.1 not you' \
    'rcpt<grey@example.com> 450 4.2.0 later' "$nobody"
put four to=bob@example.com to=eve@example.com to=pol@example.com to=grey@example.com
bmx-flush example.com >"$tmp/out" 2>&1
is 'replies to RCPT are remembered, but not policy, nor what is for now' \
    "$(memory | grep -E 'bob|eve|pol|grey')" \
    'bad flush eve@example.com
good flush bob@example.com'
is 'the primary was asked once for nobody' "$(asked)" 1
like 'in a transaction without a sender' "$(grep -B3 'C: RCPT TO:<nobody-' "$primary/log")" \
    'C: MAIL FROM:<>'
is 'it does not accept everybody' "$(memory | grep -c catch-all)" 0
put again to=ann@example.com
bmx-flush example.com >"$tmp/out" 2>&1
is 'not again on the same day' "$(asked)" 1
like 'what the next run teaches is added' "$(memory)" '^good flush ann@example.com$'
primary_check

begin 'rcpt<late@example.com> 250 2.1.5 OK' 'rcpt<spam@example.com> 250 2.1.5 OK' \
    'dot#1 550 5.1.1 no such user' 'dot#2 554 5.7.1 spam' "$nobody"
put late to=late@example.com
bmx-flush example.com >"$tmp/out" 2>&1
put spam to=spam@example.com
bmx-flush example.com >"$tmp/out" 2>&1
is 'who is looked up behind the content is remembered too' "$(memory)" \
    'bad flush late@example.com'

begin 'mail 550 not you'
put one to=bob@example.com
bmx-flush example.com >"$tmp/out" 2>&1
is 'what is said to MAIL teaches nothing' "$(memory)" ''

begin
put one to=bob@example.com
bmx-flush example.com >"$tmp/out" 2>&1
is 'a primary that accepts everybody is found out, and nothing is learned' \
    "$(memory | cut -d ' ' -f 1)" 'catch-all'
like 'the log says so' "$(cat "$tmp/bmx.log")" \
    'domain=example.com the primary accepts everybody'
echo carol@example.com >"$tmp/list"
bmx-queue recipients diff example.com "$tmp/list" >"$tmp/out"
is 'which is no recipient that a list could lack' "$(cat "$tmp/out")" \
    "+	carol@example.com	unknown"
is 'nor one to export' "$(bmx-queue recipients export example.com)" ''
is 'the message arrived all the same' "$(primary_count)" 1
conf 'admit = through'
sed -i '/^admit = spool/d' "$BMX_CONF"
say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<eve@example.com>' QUIT | bmx-receive >"$tmp/out"
is 'nor from live sessions then' "$(memory | grep -c eve)" 0
exits '--check-config' 0 bmx-receive --check-config
like 'and --check-config tells' "$(cat "$tmp/out")" \
    '^# \[example.com\]: the primary accepts everybody'

echo bob >"$tmp/list"
conf "recipients = $tmp/list"
begin "$nobody"
put one to=bob@example.com
bmx-flush example.com >"$tmp/out" 2>&1
is 'where there is a list nobody is asked for' "$(asked)" 0

conf
begin 'rcpt<#1@example.com> 250 2.1.5 OK' 'rcpt<sales*@example.com> 250 2.1.5 OK' \
    'rcpt<*@example.com> 250 2.1.5 OK' 'rcpt<bob@example.com> 250 2.1.5 OK' "$nobody"
put odd to='#1@example.com' to='sales*@example.com' to='*@example.com' to=bob@example.com
bmx-flush example.com >"$tmp/out" 2>&1
memory | sort >"$tmp/want"
is 'mailboxes that look like a comment and like patterns are known' \
    "$(grep -c good "$tmp/want")" 4
bmx-queue recipients export example.com >"$tmp/list"
bmx-queue recipients forget --yes example.com >/dev/null
exits 'their export is imported' 0 bmx-queue recipients import example.com "$tmp/list"
is 'all of it' "$(memory | sed 's/import/flush/')" "$(grep good "$tmp/want")"

begin 'rcpt<bob@example.com> 250 2.1.5 OK' 'rcpt hangup'
put one to=bob@example.com
exits 'a primary that takes offence: the mail is there' 0 bmx-flush example.com
is 'once' "$(primary_count) $(waiting)" '1 0'
done_testing
