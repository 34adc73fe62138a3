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
primary of example.com: unknown, last seen up: never
EHLO mx.s.example: 250-backup.example.net (any name will do)
offered: SIZE 52428800, 8BITMIME, PIPELINING, ENHANCEDSTATUSCODES, DSN, SMTPUTF8, CHUNKING, LIMITS RCPTMAX=1000 MAILMAX=1000
MAIL FROM:<a@s.example>: 250 2.1.0 Sender OK (there is room in the spool)
RCPT TO:<bob@example.com>: 250 2.1.5 Recipient OK ([example.com]: spool, listed: it is in the list $tmp/list)"
exits 'the null sender, with brackets' 0 check '<>' '<postmaster@example.com>'
like 'postmaster' "$(cat "$tmp/out")" 'spool, postmaster: postmaster always is a recipient'
exits 'an unknown recipient: status 69' 69 check '' eve@example.com
like 'the list is named' "$(cat "$tmp/out")" "550 5\.1\.1 .*not in the list $tmp/list"
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
like 'and the reason with it' "$(cat "$tmp/out")" "451 4\.3\.0 .*list-broken: nobody can read the list $tmp/list"
make_conf 'min-free = 900000G' 'proxy = 192.0.2.0/24' 'xclient = 198.51.100.1' \
    '[example.org]'
exits 'a disk that is full: status 75' 75 check '' x@example.org
like 'it says so of MAIL' "$(cat "$tmp/out")" \
    '^MAIL FROM:<>: 452 4\.3\.1 .* \(the disk has less than min-free left\)$'
like 'a proxy' "$(cat "$tmp/out")" \
    '^client 192\.0\.2\.1: proxy lists it, so a PROXY header has to come first'
like 'a front end that speaks XCLIENT' \
    "$(bmx-receive --check 198.51.100.1 c '' x@example.org 2>/dev/null)" \
    '^client 198\.51\.100\.1: xclient lists it, so it may say who the client is$'
exits 'no address: status 64' 64 bmx-receive --check here c '' x@example.org
exits 'too few words: status 64' 64 bmx-receive --check 192.0.2.1 c ''
is 'no SMTP is spoken' "$(cat "$tmp/out")" ''
is 'nothing is stored' "$(queued example.org | wc -l)" 1
# ---- every case of live relay, of defer and of the outage ----

mkdir -m 700 "$tmp/state"
relayed()
{
	make_conf 'min-free = 1M' "state = $tmp/state" '[example.com]' \
	    "primary = 127.0.0.1:$(free_port)" 'connect-timeout = 1s' "$@"
}

# known VERDICT: the primary was found so, just now.
known()
{
	date -u "+verdict $1%nsince %FT%TZ%nprobed %FT%TZ%ngood %FT%TZ%nlast $1%nrun 1%nplain SIZE 1000000" \
	    >"$tmp/spool/example.com/primary"
}
relayed 'admit = defer' 'defer-tries = 2' 'defer-time = 1h'
mkdir -p "$tmp/spool/example.com/tmp" "$tmp/spool/example.com/new" \
    "$tmp/spool/example.com/cur" "$tmp/spool/example.com/log"
known up
exits 'admit = defer: status 75' 75 check a@s.example bob@example.com
like 'defer, primary-up' "$(cat "$tmp/out")" \
    '451 4.3.2 .*defer, primary-up: admit = defer sends it to the primary, which is up'
like 'the state of the primary is told' "$(cat "$tmp/out")" \
    '^primary of example.com: up, last seen up: 20..-..-..T..:..:..$'
like 'C3 and what is offered for its sake' "$(cat "$tmp/out")" '^offered: SIZE 997952,'
exits 'asking is no try of a client' 75 check a@s.example bob@example.com
ok 'none is written down' test ! -s "$tmp/state/insist"
relayed 'admit = defer' 'defer-tries = 1' 'defer-time = 0'
exits 'who insists is let in' 0 check a@s.example bob@example.com
like 'and with the primary away, into the spool' "$(cat "$tmp/out")" \
    '250 2.1.5 .*spool, unknown: there is no list'
known down
relayed 'unknown = defer' 'admit = through'
exits 'unknown = defer: status 75' 75 check a@s.example bob@example.com
like 'defer, unknown' "$(cat "$tmp/out")" \
    '451 4.3.2 .*defer, unknown: there is no list, and the primary was never asked'
printf 'ann@example.com\n' | bmx-queue recipients import example.com - >"$tmp/import" 2>&1 ||
    diag "$(cat "$tmp/import")"
exits 'known: status 0' 0 check a@s.example ann@example.com
like 'spool, known' "$(cat "$tmp/out")" 'spool, known: the primary took mail for it'
relayed 'admit = through' 'unknown-messages = 0'
exits 'a limit that is reached: status 75' 75 check a@s.example bob@example.com
like 'defer, unknown-limit' "$(cat "$tmp/out")" 'unknown-limit: too much waits for'

# ---- of whom nothing is known ----

make_conf 'min-free = 1M' "state = $tmp/state" '[example.com]' '[example.net]' \
    '[example.org]' "recipients = $tmp/x"
echo x >"$tmp/x"
exits '--check-config' 0 bmx-receive --check-config
is 'names the domain with neither list nor memory, and no other' \
    "$(grep 'neither a list' "$tmp/out")" \
    '# [example.net] has neither a list of recipients nor a memory of them yet: all are unknown'
like "with 2>&1 too it says what is wrong" "$(bmx-receive -c "$tmp/none" --check-config 2>&1)" \
    '^bmx-receive: .*/none: No such file'
# ---- where lines go ----

# log_to WHERE
log_to()
{
	make_conf 'min-free = 1M' '[example.com]'
	sed "s|^log = .*|log = $1|" "$BMX_CONF" >"$tmp/log.conf"
	BMX_CONF=$tmp/log.conf
}
log_to "$tmp/none/bmx.log"
say QUIT | bmx-receive >"$tmp/reply" 2>"$tmp/err"
like 'a log that cannot be opened ends each session' "$(cat "$tmp/reply")" '^421 '
exits 'so --check-config ends with 78' 78 bmx-receive --check-config
is 'and says why' "$(cat "$tmp/err")" \
    "bmx-receive: log file $tmp/none/bmx.log: No such file or directory"
mkdir "$tmp/none"
exits 'where it can be made: 0' 0 bmx-receive --check-config
is 'it is there, as for a session' "$(stat -c '%a %s' "$tmp/none/bmx.log")" '600 0'
for where in syslog stderr; do
	log_to "$where"
	exits "log = $where: 0" 0 bmx-receive --check-config
	is "log = $where: nothing is said" "$(cat "$tmp/err")" ''
done
if [ "$(id -u)" -eq 0 ]; then
	log_to "$tmp/none/bmx.log"
	chown nobody "$tmp/spool" && chmod 755 "$tmp"
	sed -i 's/^user = .*/user = nobody/' "$BMX_CONF"
	exits 'a log of another user than serves: 78' 78 bmx-receive --check-config
	like 'is said' "$(cat "$tmp/err")" "log file $tmp/none/bmx.log: Permission denied$"
	chown root "$tmp/spool"
else
	skip 'a log of another user than serves: 78' 'only root can be another user'
	skip 'is said' 'only root can be another user'
fi

# ---- what --check-config prints is a configuration, however long the names ----

make_conf "state = $tmp/$(printf '%0120d' 0)" '[example.com]'
bmx-receive --check-config >"$tmp/printed.conf"
like "what it says of a long name" "$(sed -n 's/^# //p' "$tmp/printed.conf" | tr '\n' ' ')" \
    'does not exist: mkdir'
exits "can be read again" 0 bmx-receive -c "$tmp/printed.conf" --check-config
done_testing
