#!/bin/sh
# The examples for every day: recipients of the primary, rotation of a log, and
# the move of a spool to another host as bmx-spool(5) tells it.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
examples=$top_srcdir/scripts/examples
mkdir -m 700 "$tmp/state"
make_conf "state = $tmp/state" 'min-free = 1M' '[example.com]' \
    "primary = 127.0.0.1:$primary_port" 'tls = none' 'rise = 1'

# ---- recipients, from a primary at the other end of ssh ----

mkdir "$tmp/ssh"
cat >"$tmp/ssh/ssh" <<'E'
#!/bin/sh
# as the real one: what follows the host is one line for the other's shell
[ "$1 $2" = '-o BatchMode=yes' ] && [ "$3" = mail.example.com ] || exit 255
shift 3
PATH=${0%/*}/far:$PATH exec sh -c "$*"
E
mkdir "$tmp/ssh/far"
cat >"$tmp/ssh/far/postconf" <<'E'
#!/bin/sh
printf 'hash:/etc/postfix/boxes, pcre:/etc/postfix/x\nhash:/etc/postfix/aliases\n'
E
cat >"$tmp/ssh/far/postmap" <<'E'
#!/bin/sh
case "$*" in
'-s hash:/etc/postfix/boxes') printf 'bob@example.com\texample.com/bob/\namy@example.com\tx\n' ;;
'-s hash:/etc/postfix/aliases') printf 'info@example.com\tbob\n@example.com\tall\nx@example.net\tx\n' ;;
*) exit 1 ;;
esac
E
cat >"$tmp/ssh/far/doveadm" <<'E'
#!/bin/sh
[ "$*" = 'user *' ] && printf 'bob\namy@example.com\njoe@example.com\ninfo\n'
E
cat >"$tmp/ssh/far/ldapsearch" <<'E'
#!/bin/sh
[ "$6" = 'ou=people,dc=example' ] && [ "$7" = '(mail=*)' ] || exit 1
printf 'dn: uid=bob\nmail: bob@example.com\nMailAlternateAddress: robert@example.com\n\n'
printf 'dn: uid=amy\nmail: amy@example.com\nmail: info@example.com\nmail: joe@example.com\n'
cat "$0.more" 2>/dev/null || :
E
chmod 755 "$tmp/ssh/ssh" "$tmp/ssh/far"/*
# recipients KIND ARGUMENT...: and those that are known then
recipients()
{
	PATH=$tmp/ssh:$PATH "$examples/recipients" "$@"
}
known()
{
	bmx-queue recipients export example.com | sed 's/@example.com//' | tr '\n' ' '
}
exits "from Postfix: 0" 0 recipients postfix mail.example.com example.com
is "the keys of its tables" "$(known)" 'amy bob info '
exits "from Dovecot: 0" 0 recipients dovecot mail.example.com example.com
is "its users, with a domain or without" "$(known)" 'amy bob info joe '
exits "from LDAP: 0" 0 recipients ldap mail.example.com example.com ou=people,dc=example
is "all attributes of mail" "$(known)" 'amy bob info joe robert '
echo 'mail:: Ym9iQGV4YW1wbGUuY29t' >"$tmp/ssh/far/ldapsearch.more"
exits "an address that cannot be read: not 0" 1 \
    recipients ldap mail.example.com example.com ou=people,dc=example
recipients postfix other.example.com example.com >"$tmp/out" 2>&1
is "a primary that is away: ssh's status" $? 255
printf '#!/bin/sh\n' >"$tmp/ssh/far/doveadm"
exits "no users at all: not 0" 69 recipients dovecot mail.example.com example.com
is "each time all is as it was" "$(known)" 'amy bob info joe robert '

# ---- a log of its own ----

one()
{
	say 'EHLO client.example.org' 'MAIL FROM:<a@example.org>' 'RCPT TO:<bob@example.com>' \
	    DATA "Subject: $1" '' "${2:-hello}" . QUIT | bmx-receive 2>/dev/null |
	    grep -c '^250 2.0.0 Queued as'
}
if command -v logrotate >/dev/null; then
	sed "s,@localstatedir@/log,$tmp,; /^	su /d
	    s/create 600 .*/create 600 $(id -un) $(id -gn)/" \
	    "$examples/logrotate.in" >"$tmp/logrotate"
	one first >/dev/null
	lines=$(wc -l <"$tmp/bmx.log")
	exits "logrotate takes the example: 0" 0 \
	    logrotate -f -s "$tmp/logrotate.state" "$tmp/logrotate"
	is "it says nothing" "$(cat "$tmp/out" "$tmp/err")" ''
	is "no line is lost" "$(wc -l <"$tmp/bmx.log.1")" "$lines"
	is "the new file is its owner's alone" "$(stat -c %a "$tmp/bmx.log")" 600
	one second >/dev/null
	like "and the log goes on in it" "$(cat "$tmp/bmx.log")" ' queued$'
else
	for what in 'logrotate takes the example: 0' 'it says nothing' \
	    'no line is lost' "the new file is its owner's alone" \
	    'and the log goes on in it'; do
		skip "$what" 'logrotate is not installed'
	done
fi

# ---- to another host, with mail that comes meanwhile ----

command -v rsync >/dev/null || {
	skip 'the move of a spool' 'rsync is not installed'
	done_testing
	exit 0
}
mkdir -m 700 "$tmp/other" "$tmp/other/example.com"
for name in tmp new cur log; do
	mkdir -m 700 "$tmp/other/example.com/$name"
done
sed "s,^spool = .*,spool = $tmp/other," "$BMX_CONF" >"$tmp/other.conf"
held=$(bmx-queue list | cut -f 1 | head -n 1)
[ -n "$held" ] || { one held >/dev/null; held=$(bmx-queue list | cut -f 1); }
bmx-queue hold "$held" >/dev/null
bmx-queue retry example.com >/dev/null
# the lines of bmx-spool(5), with a directory for the other host
move()
{
	sed -n '/^\.\\" the move$/,/^\.Ed$/p' "$top_srcdir/man/bmx-spool.5" |
	    sed -n 's/^# //p' |
	    sed "s,root@new:\$PWD,$tmp/other/example.com,; s,/var/spool/bmx,$tmp/spool,
		s,-T \$PWD,-T $tmp/other/example.com," >"$tmp/lines"
	sh -e "$tmp/lines"
}
# forty more come while it is moved
cat >"$tmp/traffic" <<E
#!/bin/sh
n=0
while [ \$n -lt 40 ]; do
	n=\$((n + 1))
	printf 'EHLO c.example.org\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nSubject: move %s\r\n\r\nx\r\n.\r\nQUIT\r\n' "\$n" |
	    bmx-receive 2>/dev/null | grep '^250 2.0.0 Queued' >>$tmp/taken
done
E
before=$(bmx-queue count)
start_bg traffic sh "$tmp/traffic"
ok "mail comes" wait_for 20 test -s "$tmp/taken"
ok "the lines of the manual work" move
is "they are three" "$(grep -c . "$tmp/lines")" 3
ok "the last mail has come" wait_gone "$(pid_of traffic)"
ok "they are run again, until nothing is left" move
is "nothing is" "$(bmx-queue count)" 0
all=$((before + $(wc -l <"$tmp/taken")))
is "all of it is at the other host" "$(bmx-queue -c "$tmp/other.conf" count)" "$all"
is "what was held is" "$(bmx-queue -c "$tmp/other.conf" list --held | cut -f 1)" "$held"
bmx-queue -c "$tmp/other.conf" release "$held" >/dev/null
primary_start
exits "and goes home from there: 0" 0 bmx-flush --now -c "$tmp/other.conf" example.com
is "each once" "$(primary_count) $(grep -h '^Subject:' "$primary"/*.msg | sort -u | wc -l)" \
    "$all $all"
primary_check
done_testing
