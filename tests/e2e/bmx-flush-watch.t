#!/bin/sh
# One long run: mail goes when it is due, and a signal ends it.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'retry-min = 2' 'retry-max = 3' '[example.net]' 'primary = 127.0.0.1:1'
primary_start 'rcpt<later@example.com>#1 450 4.2.1 greylisted'

# stored N: the primary has N messages.
# shellcheck disable=SC2016 # for the inner shell
stored()
{
	wait_for 20 sh -c 'test "$(ls "$0" | grep -c "env$")" -eq "$1"' \
	    "$primary" "$1"
}

start_bg flush bmx-flush --watch
ok "it waits, there is no spool for anybody yet" wait_for 20 \
    grep -q watching "$tmp/bmx.log"
put one
ok "a message goes when it comes" stored 1
put two
ok "and the next one" stored 2
put later to=later@example.com
ok "one that was deferred" wait_for 20 grep -q "id=$id next-try" "$tmp/bmx.log"
ok "goes when it is due" stored 3

put held
bmx-queue hold "$id" >/dev/null 2>&1
n=$(primary_count)
bmx-queue release "$id" >/dev/null 2>&1
ok "one that is released goes" wait_for 20 sh -c \
    "test ! -e '$spool/example.com/cur/'*$id* && test ! -e '$spool/example.com/new/'*$id*"
ok "to the primary ($n were there)" stored 4

"$mkmsg" "$spool" example.net >/dev/null
ok "a primary that is down" wait_for 20 grep -q \
    'domain=example.net .*end=primary-down' "$tmp/bmx.log"
put meanwhile
ok "is no reason for others to wait" stored 5
is "it is not asked each second" "$(logged 'domain=example.net .*end=' | wc -l |
    tr -d ' ')" 1

# ---- SIGHUP ----

mv "$tmp/bmx.log" "$tmp/bmx.log.1"
printf '%s\n' '[example.org]' "primary = 127.0.0.1:$primary_port" >>"$BMX_CONF"
kill -s HUP "$(pid_of flush)"
ok "after SIGHUP a new log is written" wait_for 20 grep -q ' reloaded$' "$tmp/bmx.log"
"$mkmsg" "$spool" example.org >/dev/null
ok "and a domain that is new in bmx.conf is served" wait_for 20 grep -q \
    'domain=example.org .*delivered=1' "$tmp/bmx.log"
cp "$BMX_CONF" "$tmp/good.conf"
echo 'no-such-setting = 1' >>"$BMX_CONF"
kill -s HUP "$(pid_of flush)"
ok "when it is no good that is an alarm" wait_for 20 grep -q \
    'alarm=yes reload failed, the old configuration stays: .*no-such-setting' \
    "$tmp/bmx.log"
"$mkmsg" "$spool" example.org >/dev/null
# shellcheck disable=SC2016 # for the inner shell
ok "and the old one stays" wait_for 20 sh -c \
    'test "$(grep -c "domain=example.org .*delivered=1" "$0")" -eq 2' "$tmp/bmx.log"
sed 's,^spool = .*,spool = /dev/null/none,' "$tmp/good.conf" >"$BMX_CONF"
kill -s HUP "$(pid_of flush)"
ok "so it is when there is no such spool" wait_for 20 grep -q \
    'reload failed, the old configuration stays: .*/dev/null/none' "$tmp/bmx.log"
cp "$tmp/good.conf" "$BMX_CONF"

# Where a domain's lock should be is something else: its mail waits, and it is told.
# The flusher may make the file again between the two.
# shellcheck disable=SC2016 # for the inner shell
wait_for 20 sh -c 'rm -f "$0" && mkdir "$0" 2>/dev/null' "$spool/example.org/lock" ||
    bail "the lock stays a file"
"$mkmsg" "$spool" example.org >/dev/null
ok "a domain that cannot be locked is an alarm" wait_for 20 grep -q \
    'alarm=yes domain=example.org open example.org/lock' "$tmp/bmx.log"
n=$(primary_count)
put other
ok "and is no reason for others to wait" stored $((n + 1))

kill -s TERM "$(pid_of flush)"
ok "SIGTERM ends it" wait_gone "$(pid_of flush)"
like "and it says so" "$(tail -n 1 "$tmp/bmx.log")" 'watching no longer'
rmdir "$spool/example.org/lock"
start_bg flush bmx-flush --watch example.edu example.org
ok "with a domain's name, and one that is not ours" wait_for 20 \
    grep -q "\[$(pid_of flush)\]: watching\$" "$tmp/bmx.log"
ok "which is an alarm" grep -q 'domain=example.edu not in bmx.conf' "$tmp/bmx.log"
ok "the other one is served: what waited goes" stored $((n + 2))
n=$(grep -c ' reloaded$' "$tmp/bmx.log")
kill -s HUP "$(pid_of flush)"
# shellcheck disable=SC2016 # for the inner shell
ok "one that is still in bmx.conf is enough" wait_for 20 sh -c \
    'test "$(grep -c " reloaded\$" "$0")" -gt "$1"' "$tmp/bmx.log" "$n"
sed '/^\[example.org\]/,$d' "$tmp/good.conf" >"$BMX_CONF"
kill -s HUP "$(pid_of flush)"
ok "which is no more in bmx.conf: the old one stays" wait_for 20 grep -q \
    'reload failed, .*: none of the domains' "$tmp/bmx.log"
cp "$tmp/good.conf" "$BMX_CONF"
kill -s TERM "$(pid_of flush)"
wait "$(pid_of flush)"
is "and it goes on, until a signal ends it: 65, for the name" $? 65

# SIGHUP to every bmx-flush there is, as pkill(1) does.
primary_renew "dot#1 store-run kill -s HUP -- -\$(cat $tmp/flush.pid)"
n=$(grep -c ' reloaded$' "$tmp/bmx.log")
put hup
start_bg flush bmx-flush --watch
# shellcheck disable=SC2016 # for the inner shell
ok "SIGHUP to the workers, too: bmx.conf is read anew" wait_for 20 sh -c \
    'test "$(grep -c " reloaded\$" "$0")" -gt "$1"' "$tmp/bmx.log" "$n"
is "and no reply is missed" "$(primary_count) $(waiting)" "1 0"
kill -s TERM "$(pid_of flush)"
wait_gone "$(pid_of flush)"

exits "a domain that is not ours: 65" 65 bmx-flush --watch example.edu
exits "--watch and --max: 64" 64 bmx-flush --watch --max 1
exits "--watch and names on standard input: 64" 64 bmx-flush --watch -
exits "--watch and --dry-run: 64" 64 bmx-flush --watch --dry-run

# ---- the primary's side: ETRN ----

primary_renew 'etrn#1 250 2.0.0 Queuing for it started' \
    'etrn#2 458 4.3.0 Not now' 'etrn#3 459 Not for you' \
    'etrn#4 500 5.5.2 What' 'etrn 458 4.3.0 Not now'
unset BMX_CONF
exits "--ask needs no bmx.conf: 0" 0 bmx-flush --ask "127.0.0.1:$primary_port" \
    Example.COM
is "it says what the backup said" "$(cat "$tmp/out")" \
    "250 2.0.0 Queuing for it started"
is "and asked by ETRN" "$(primary_said 'C: ETRN example.com$')" 1
exits "458, not now: 75" 75 bmx-flush --ask "127.0.0.1:$primary_port" example.com
exits "459, not for us: 75" 75 bmx-flush --ask "127.0.0.1:$primary_port" example.com
exits "500, it knows no ETRN: 69" 69 bmx-flush --ask "127.0.0.1:$primary_port" \
    example.com
exits "with a bmx.conf it is greeted by the name in there" 75 \
    bmx-flush -c "$tmp/bmx.conf" --ask "127.0.0.1:$primary_port" example.com
is "of this host" "$(primary_said 'C: EHLO backup.example.net$')" 1
sed "s/^spool = .*/&\nresolver = 127.0.0.1:$(free_port)/" "$tmp/bmx.conf" \
    >"$tmp/no-dns.conf"
exits "a backup that DNS does not tell of: 75" 75 \
    bmx-flush -c "$tmp/no-dns.conf" --ask mx2.example.net example.com
like "is told, with the domain" "$(cat "$tmp/err")" \
    '^bmx-flush: example\.com: .*mx2\.example\.net'
exits "--ask and --now: 64" 64 bmx-flush --now \
    --ask "127.0.0.1:$primary_port" example.com
stop primary
exits "the backup is down: 75" 75 bmx-flush --ask "127.0.0.1:$primary_port" \
    example.com
exits "for whom: 64" 64 bmx-flush --ask "127.0.0.1:$primary_port"
exits "no domain: 65" 65 bmx-flush --ask "127.0.0.1:$primary_port" 'a b'
done_testing
