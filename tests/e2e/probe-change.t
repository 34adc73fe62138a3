#!/bin/sh
# bmx-probe --on-change: the operator's command is run when a verdict changes,
# without a shell, and cannot hold up anything for long. And a primary that
# turns up and down all the time is told as such.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'rise = 1' 'fall = 2'
cat >"$tmp/told" <<'E'
#!/bin/sh
{
	printf '%s|' "$@"
	echo "$BMX_DOMAIN $BMX_VERDICT $BMX_WAS $BMX_RESULT $BMX_CODE $BMX_ADDRESS"
	echo "$BMX_REASON"
	echo "$BMX_SINCE $BMX_LAST_GOOD"
} >>"$0.log"
cat >>"$0.stdin"
echo said
E
chmod 755 "$tmp/told"
told()
{
	BMX_VERDICT=stale BMX_REASON=stale bmx-probe --brief --on-change "$tmp/told"
}
lines()
{
	if [ -f "$tmp/told.log" ]; then wc -l <"$tmp/told.log" | tr -d ' '; else echo 0; fi
}

primary_start
exits "the first verdict of all is up: 0" 0 told
is "which is no news" "$(lines)" 0
stop primary
# shellcheck disable=SC2016 # as it stands
primary_start 'connect raw 554 $(touch x) `id` ; "no"\r\n'
exits "a first bad one: 0" 0 told
is "is no change" "$(lines)" 0
exits "a second: 69" 69 told
is "is told once" "$(lines)" 3
is "by arguments and by the environment" "$(sed -n 1p "$tmp/told.log")" \
    "example.com|down|up|example.com down up down refused-by-policy 127.0.0.1:$primary_port"
# shellcheck disable=SC2016 # as it stands
is "the server's words are only words" "$(sed -n 2p "$tmp/told.log")" \
    'refused by policy by its greeting: 554 $(touch x) `id` ; "no"'
like "with times" "$(sed -n 3p "$tmp/told.log")" '^2[-0-9]*T[:0-9]*Z 2[-0-9]*T[:0-9]*Z$'
is "its stdin is empty" "$(cat "$tmp/told.stdin")" ''
is "its words do not get into our output" "$(wc -l <"$tmp/out" | tr -d ' ') $(cat "$tmp/err")" \
    '1 said'
exits "still down: 69" 69 told
is "is no news" "$(lines)" 3
primary_renew
exits "up again: 0" 0 told
is "is" "$(sed -n 4p "$tmp/told.log" | cut -d ' ' -f 2,3)" 'up down'
# as bmx-flush or bmx-receive leaves it behind
sed -i 's/^verdict up/verdict down/; s/^last up/last down/; s/^run .*/run 9/' \
    "$tmp/spool/example.com/primary"
stop primary
exits "another program found it down: 69" 69 told
is "that is told too" "$(sed -n 7p "$tmp/told.log" | cut -d ' ' -f 2,3)" 'down up'
mv "$tmp/told" "$tmp/away"
primary_start
exits "a change that cannot be told: 0" 0 told
mv "$tmp/away" "$tmp/told"
exits "is told by the next run: 0" 0 told
is "indeed" "$(sed -n 10p "$tmp/told.log" | cut -d ' ' -f 2,3)" 'up down'

# ---- commands that fail ----

# fails "test" REASON COMMAND OPTION...: and the probe goes on
fails()
{
	fails_what=$1
	fails_reason=$2
	shift 2
	rm -f "$tmp/spool/example.com/primary"
	stop primary
	exits "$fails_what: 69" 69 timeout 15 bmx-probe --brief --on-change "$@"
	is "$fails_what: its record is out" "$(cut -f 1,2 "$tmp/out")" 'example.com	down'
	like "$fails_what: logged" "$(tail -n 1 "$tmp/bmx.log")" \
	    "domain=example.com on-change=failed reason=\"$fails_reason"
	primary_start
}
fails "a command that is not there" "$tmp/none: No such file" "$tmp/none"
fails "one that fails" "/bin/false: status 1" /bin/false
printf '#!/bin/sh\nsleep 60 & echo $! >%s/child\nwait\n' "$tmp" >"$tmp/hang"
chmod 755 "$tmp/hang"
fails "one that hangs" "$tmp/hang: killed after 1 s" "$tmp/hang" --change-timeout 1
ok "its child is gone with it" wait_gone "$(cat "$tmp/child")"
exits "with --no-state there is no change: 64" 64 bmx-probe -n --on-change /bin/true

primary_state=$tmp/spool/example.com/primary
cat >"$tmp/spoil" <<E
#!/bin/sh
rm "$primary_state" && mkdir "$primary_state"
E
chmod 755 "$tmp/spoil"
stop primary
rm -f "$primary_state"
exits "it was told, and that cannot be noted: 69" 69 bmx-probe --brief --on-change "$tmp/spoil"
like "is said" "$(cat "$tmp/err")" '^bmx-probe: example\.com: .*primary'
is "its record is out" "$(cut -f 1,2 "$tmp/out")" 'example.com	down'
rmdir "$primary_state"
primary_start

# ---- two runs at once ----

rm -rf "$tmp/spool/example.com"
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'rise = 1' 'fall = 1'
cat >"$tmp/slow" <<'E'
#!/bin/sh
echo "$*" >>"$0.log"
read -r go <"$0.go"
E
chmod 755 "$tmp/slow"
mkfifo "$tmp/slow.go"
exits "up: 0" 0 bmx-probe --brief --on-change "$tmp/slow"
stop primary
: >"$tmp/bmx.log"
start_bg first bmx-probe --brief --on-change "$tmp/slow"
ok "one run tells of a change" wait_for 10 test -s "$tmp/slow.log"
start_bg second bmx-probe --brief --on-change "$tmp/slow"
ok "another sees the same one meanwhile" wait_for 10 test -s "$tmp/second.log"
is "as it is" "$(cut -f 1,2 "$tmp/second.log")" 'example.com	down'
echo >"$tmp/slow.go"
ok "the first ends" wait_gone "$(pid_of first)"
ok "so does the second" wait_gone "$(pid_of second)"
is "it was told once" "$(cat "$tmp/slow.log")" 'example.com down up'
is "and logged once" "$(grep -c 'primary=down was=up' "$tmp/bmx.log")" 1

# each of many results at once is counted, none undoes another
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'rise = 1' 'fall = 99'
before=$(sed -n 's/^run //p' "$tmp/spool/example.com/primary")
for n in 1 2 3 4 5 6 7 8; do
	start_bg "many$n" bmx-probe --brief
done
for n in 1 2 3 4 5 6 7 8; do
	wait_gone "$(pid_of "many$n")" || fail "run $n ends"
done
is "eight runs at once are eight results" \
    "$(sed -n 's/^run //p' "$tmp/spool/example.com/primary")" "$((before + 8))"
primary_start

# ---- flapping ----

rm -rf "$tmp/spool/example.com"
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'rise = 1' 'fall = 1'
stop primary
primary_start 'connect#2 hangup' 'connect#4 hangup' 'connect#6 hangup' 'connect#8 hangup'
for n in 1 2 3 4 5 6; do
	bmx-probe --brief >"$tmp/out" || :
done
is "five turns are followed" "$(cut -f 2,11 "$tmp/out")" 'down	-'
exits "the sixth: it is held down, though it answers: 69" 69 bmx-probe --brief
is "and said to be flapping" "$(cut -f 2,4,11 "$tmp/out")" 'down	up	flapping'
like "in the log" "$(cat "$tmp/bmx.log")" 'domain=example.com primary=down flapping=yes'
exits "--nagios: 2" 2 bmx-probe --nagios
like "says it" "$(cat "$tmp/out")" 'example.com down for .*, flapping'
is "a filter does not pass it on" "$(bmx-probe --up)" ''
exits "--json: 69" 69 bmx-probe --json
like "has it" "$(cat "$tmp/out")" '"flapping":true'
n=0
while [ "$n" -lt 20 ] && ! bmx-probe --brief >"$tmp/out"; do
	n=$((n + 1))
done
is "when it is calm it is up" "$(cut -f 2,11 "$tmp/out")" 'up	-'
like "and logged" "$(cat "$tmp/bmx.log")" 'flapping=no'
done_testing
