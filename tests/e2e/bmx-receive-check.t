#!/bin/sh
# bmx-receive --check: what would be answered, and why.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"

echo bob >"$tmp/list"
make_conf 'min-free = 1M' 'proxy = 203.0.113.1' '[example.com]' \
    "recipients = $tmp/list" '[example.org]' 'max-messages = 1'
check()
{
	bmx-receive --check 192.0.2.1 mx.s.example "$@"
}

exits 'accepted: status 0' 0 check a@s.example bob@example.com
is 'each step has its reply and the reason' "$(cat "$tmp/out")" \
    "client 192.0.2.1: no front end
EHLO mx.s.example: 250-backup.example.net (any name will do)
MAIL FROM:<a@s.example>: 250 2.1.0 Sender OK (there is room in the spool)
RCPT TO:<bob@example.com>: 250 2.1.5 Recipient OK ([example.com]: the list $tmp/list has it)"
exits 'the null sender, with brackets' 0 check '<>' '<postmaster@example.com>'
like 'postmaster' "$(cat "$tmp/out")" 'postmaster always is one'
exits 'an unknown recipient: status 69' 69 check '' eve@example.com
like 'the list is named' "$(cat "$tmp/out")" "550 5\.1\.1 .*$tmp/list does not have it"
exits 'not ours: status 69' 69 check '' bob@elsewhere.example
like 'the file is named' "$(cat "$tmp/out")" "550 5\.7\.1 .*no section in $BMX_CONF"
exits 'bad syntax: status 69' 69 check '' 'bob @example.com'
exits 'a domain with room' 0 check '' x@example.org
say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<x@example.org>' DATA text . | bmx-receive >"$tmp/reply"
exits 'and without: status 75' 75 check '' x@example.org
like 'it says so' "$(cat "$tmp/out")" '452 4\.3\.1 .*max-messages or max-bytes'
rm "$tmp/list"
exits 'no list: status 75' 75 check '' bob@example.com
like 'the alarm is on stderr' "$(cat "$tmp/err")" "$tmp/list: No such file"
exits 'no address: status 64' 64 bmx-receive --check here c '' x@example.org
exits 'too few words: status 64' 64 bmx-receive --check 192.0.2.1 c ''
is 'no SMTP is spoken' "$(cat "$tmp/out")" ''
is 'nothing is stored' "$(queued example.org | wc -l)" 1
done_testing
