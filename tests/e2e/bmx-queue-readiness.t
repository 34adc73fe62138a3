#!/bin/sh
# bmx-queue readiness: is this host ready to be needed, in one exit status.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

make_conf '[example.com]' "recipients = $tmp/list"
spool=$tmp/spool
dir=$spool/example.com
echo bob@example.com >"$tmp/list"
mk example.com size=1000 >/dev/null

# The other programs: bmx-receive is the real one, what bmx-mxcheck says is
# ours to choose, for it asks the DNS of the world.
mkdir "$tmp/programs"
BMX_PROGRAMS=$tmp/programs
export BMX_PROGRAMS
ln -s "$top_builddir/bmx-receive" "$BMX_PROGRAMS/bmx-receive"
mxcheck()
{
	printf '#!/bin/sh\n%s\n' "$1" >"$BMX_PROGRAMS/bmx-mxcheck"
	chmod +x "$BMX_PROGRAMS/bmx-mxcheck"
}
# primary VERDICT SECONDS: as of so long ago.
primary()
{
	at=$(date -u -d "@$(($(date +%s) - $2))" +%Y-%m-%dT%H:%M:%SZ)
	printf 'verdict %s\nsince %s\nprobed %s\nlast %s\nreason %s\n' \
	    "$1" "$at" "$at" "$1" "$3" >"$dir/primary"
}
mxcheck 'echo "$*" >>'"$tmp/asked"
primary up 10 ''

# verdict CHECK: its level and reason in the last run.
verdict()
{
	awk -F '\t' -v check="$1" '$2 == check { print $1 ": " $4 }' "$tmp/out"
}

exits "all is well" 0 bmx-queue readiness --skip clock
is "each check is a line" "$(cut -f 1-3 "$tmp/out")" "OK	config	-
OK	recipients	example.com
OK	dns	example.com
OK	certificate	example.com
OK	probe	example.com
OK	flush	example.com
OK	space	-"
like "with how long the disk lasts" "$(verdict space)" \
    '^OK: for (more than )?[0-9.]+ days like the last one$'
like "bmx-mxcheck was asked about the domain" "$(cat "$tmp/asked")" \
    '--brief example\.com$'
like "--json" "$(bmx-queue readiness --json --skip dns)" \
    '^\{"level":"OK","check":"probe","domain":"example\.com","why":"its primary is up, as of '
bmx-queue readiness >"$tmp/out"
like "the clock is looked at" "$(verdict clock)" '^(OK|WARN): '

# ---- each trouble ----

# trouble "test" STATUS CHECK REASON
trouble()
{
	exits "$1" "$2" timeout 20 bmx-queue readiness --skip clock
	like "$1: why" "$(verdict "$3")" "$4"
}
touch -d '10 days ago' "$tmp/list"
trouble "an old list of recipients" 1 recipients '^WARN: .* is 10\.0 d old$'
rm "$tmp/list"
trouble "no list of recipients" 2 recipients '^CRIT: .*No such file'
: >"$tmp/list"
trouble "an empty one, as a writer that failed leaves it" 2 recipients \
    '^CRIT: recipients .*/list: empty$'
rm "$tmp/list"
mkdir "$tmp/list"
trouble "what is no list" 2 recipients '^CRIT: .*/list: not a regular file$'
rmdir "$tmp/list"
printf 'bob\n%0600d\n' 1 >"$tmp/list"
trouble "one that cannot be read to its end" 2 recipients \
    '^CRIT: .*/list: a line is longer than'
echo bob@example.com >"$tmp/list"
mxcheck 'printf "example.com\terror\tMX,\033[2J\n"; exit 1'
trouble "a fault in DNS" 2 dns '^CRIT: example\.com\\x09error\\x09MX,\\x1b\[2J$'
mxcheck 'exit 3'
trouble "DNS that does not answer" 1 dns '^WARN: it says nothing$'
rm "$BMX_PROGRAMS/bmx-mxcheck"
trouble "no bmx-mxcheck" 1 dns '^WARN: .*bmx-mxcheck cannot be run$'
mxcheck 'kill -9 $$'
trouble "one that is killed" 1 dns '^WARN: .* was killed$'
mxcheck :
primary down 60 'no connection'
trouble "a primary that is down" 1 probe \
    '^WARN: its primary is down for .*: no connection$'
primary up 90000 ''
trouble "cron that does not run" 2 probe \
    '^CRIT: nobody looked at its primary for .*: does cron run bmx-probe\?$'
echo damaged >"$dir/primary"
trouble "a verdict that nobody can read" 2 probe '^CRIT: nobody looked at its primary: '
rm "$dir/primary"
trouble "nor ever did" 2 probe '^CRIT: nobody looked at its primary: '
primary up 10 ''
old=$(mk example.com age=7200)
trouble "mail that nobody tries" 2 flush \
    '^CRIT: mail was not tried for 2\.0 h though the primary is up'
bmx-queue pause example.com -r 'new disk' >/dev/null
trouble "a pause" 1 probe '^WARN: it is paused: new disk$'
is "explains that" "$(verdict flush)" "OK: nothing waits in vain"
bmx-queue resume example.com >/dev/null
bmx-queue remove "$old" >/dev/null
mv "$dir/cur" "$dir/away"
: >"$dir/cur"
trouble "a domain whose mail cannot be read" 2 flush \
    '^CRIT: open example\.com/cur: Not a directory$'
like "hides no other check" "$(verdict space)" '^OK: '
rm "$dir/cur"
mv "$dir/away" "$dir/cur"
mkdir "$tmp/no-log"
sed -i "s#^log = .*#log = $tmp/no-log#" "$BMX_CONF"
trouble "a log that cannot be written" 2 config \
    '^CRIT: bmx-receive: log file .*no-log: Is a directory$'
sed -i "s#^log = .*#log = $tmp/bmx.log#" "$BMX_CONF"
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$tmp"
	chown -R nobody "$spool"
	chown root "$dir/new"
	chmod 755 "$dir/new"
	: >"$tmp/bmx.log"
	chown nobody "$tmp/bmx.log"
	trouble "a directory that root made" 2 flush \
	    '^CRIT: write to example\.com/new: Permission denied$'
	chown -R root "$spool"
	chmod 700 "$dir/new"
else
	skip "a directory that root made" "needs root"
	skip "a directory that root made: why" "needs root"
fi
# as Linux does it when a disk fails
if [ "$(id -u)" -eq 0 ] && mount --bind "$spool" "$spool" 2>/dev/null; then
	at_exit "umount '$spool' 2>/dev/null"
	mount -o remount,bind,ro "$spool"
	trouble "a disk that is read-only" 2 space '^CRIT: .* is read-only: no mail is accepted$'
	umount "$spool"
else
	skip "a disk that is read-only" "needs root and mount(2)"
	skip "a disk that is read-only: why" "needs root and mount(2)"
fi
sed -i 's/^spool/min-free = 900000G\nspool/' "$BMX_CONF"
trouble "a full disk" 2 space '^CRIT: the disk is full'
sed -i '/^min-free/d' "$BMX_CONF"
primary up -9000 ''
bmx-queue readiness >"$tmp/out"
is "a clock that was set back" $? 2
like "is told" "$(verdict clock)" '^CRIT: .* from the future'
primary up 10 ''
printf 'tls-certificate = %s/none\ntls-key = %s/none\n' "$tmp" "$tmp" >"$tmp/tls"
sed -i "/^spool/r $tmp/tls" "$BMX_CONF"
trouble "a certificate that is not there" 2 config '^CRIT: .*none'
like "is looked at from outside too" "$(tail -n 1 "$tmp/asked")" 'example\.com'

exits "a domain that is not in bmx.conf" 69 bmx-queue readiness --skip \
    clock,config example.edu
printf 'no..name\nexample.com\n' >"$tmp/names"
exits "a name that means nothing" 64 bmx-queue readiness --skip clock - \
    <"$tmp/names"
like "does not hide the others" "$(cat "$tmp/out")" 'example\.com'
for skip in certificates dns,clocks ',,' 'dns,,clock' DNS; do
	exits "--skip $skip: no such check" 64 bmx-queue readiness --skip "$skip"
	is "$skip: nothing is said of the others" "$(cat "$tmp/out")" ""
done
like "--skip says what there is" "$(cat "$tmp/err")" \
    '^bmx-queue: --skip DNS: config, recipients, dns, certificate, .* or clock$'
exits "it takes domains" 64 bmx-queue readiness 00000000000aaaaaaaaaa
rm -rf "$spool"
exits "no spool, no verdict" 78 bmx-queue readiness

done_testing
