#!/bin/sh
# Several flushers, a receiver and an operator at once (D48): nothing is lost,
# nothing is delivered twice.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port"
plan 13

# ---- two at once ----

mkfifo "$tmp/go-on"
primary_start "dot#1 run : >$tmp/in-dot; cat $tmp/go-on"
put one n=2
start_bg first bmx-flush
ok "one is at work" wait_for 20 test -e "$tmp/in-dot"
exits "D48: another one leaves it alone: 0" 0 bmx-flush
like "and says so in the log" "$(logged example.com)" 'end=busy'
is "it made no connection" "$(primary_said 'S: 220 ')" 1
: >"$tmp/go-on"
wait_gone "$(pid_of first)"
is "the first one did all the work" "$(primary_count) $(waiting)" "2 0"

# ---- a thousand messages ----

primary_renew
put race n=1000
echo "$ids" | sort >"$tmp/ids"

# Operators hold, release and retry what they find, one with bmx-queue, one by
# hand; bmx-receive takes 300 more.
cat >"$tmp/operator" <<'E'
while [ ! -e "$1" ]; do
	bmx-queue hold example.com
	bmx-queue release example.com
	bmx-queue retry example.com
done >/dev/null 2>&1
exit 0
E
cat >"$tmp/hand" <<'E'
cd "$1/example.com" || exit 1
while [ ! -e "$2" ]; do
	for file in new/*3*,R=1 cur/*5*:2,; do
		[ ! -e "$file" ] || echo "$file cur/$(basename "${file%:2,}"):2,F"
	done | while read -r from to; do mv "$from" "$to" 2>/dev/null; done
done
exit 0
E
cat >"$tmp/receiver" <<'E'
for session in 1 2 3 4 5 6; do
	{
		echo 'EHLO client.example.org'
		n=0
		while [ $((n += 1)) -le 50 ]; do
			printf '%s\n' 'MAIL FROM:<alice@example.org>' \
			    'RCPT TO:<bob@example.com>' DATA \
			    'Subject: received' '' Hello .
		done
		echo QUIT
	} | awk '{ printf "%s\r\n", $0 }' | bmx-receive | grep -c "Queued as"
done
E
start_bg operator sh "$tmp/operator" "$tmp/enough"
start_bg hand sh "$tmp/hand" "$spool" "$tmp/enough"
start_bg receiver sh "$tmp/receiver"
for round in 1 2 3 4 5 6; do
	for i in 1 2 3 4; do
		start_bg "flush$i" bmx-flush --now
	done
	for i in 1 2 3 4; do
		wait_gone "$(pid_of "flush$i")" ||
		    fail "flusher $i of round $round hangs"
	done
done
wait_gone "$(pid_of receiver)"
: >"$tmp/enough"
is "bmx-receive has taken 300" "$(tr '\n' ' ' <"$tmp/receiver.log")" \
    "50 50 50 50 50 50 "
wait_gone "$(pid_of hand)"
ok "the operators end" wait_gone "$(pid_of operator)"
bmx-queue release example.com >/dev/null # what was held last
exits "the last run: 0" 0 bmx-flush --now
is "nothing is left" "$(waiting)" 0
is "each of 1,300 is at the primary exactly once" "$(primary_count)" 1300
is "by the ledger too" \
    "$(cat "$spool"/ledger/* | grep -o ' id=[^ ]*' | sort -u | wc -l)" 1302
is "every ID that was put in was delivered" "$(
	logged ' delivered ' | sed -n 's/.*id=\([^ ]*\) .*/\1/p' | sort |
	    comm -23 "$tmp/ids" - | wc -l)" 0
ok "all is well formed" test ! -e "$primary/broken"
