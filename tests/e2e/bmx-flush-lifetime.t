#!/bin/sh
# What time does to a message: it lives while the primary is up (C8), no jump of
# the system's clock makes it older (D50), and what was taken for recipients that
# turn out not to exist is kept apart and goes first.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/sender.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
sender_make
day=86400

# conf [LINE...]: of the domain
conf()
{
	make_conf "notices = 127.0.0.1:$sender_port" '[example.com]' \
	    "primary = 127.0.0.1:$primary_port" 'lifetime = 5d' "$@"
}

# clocks UP ALL: what the primary's clocks stand at. They do not go on with the
# next result: the last one was too long ago.
clocks()
{
	[ -d "$spool/example.com" ] || mkdir -m 700 "$spool/example.com"
	printf '%s\n' 'verdict up' 'probed 2026-01-01T00:00:00Z' "up-time $1" "all-time $2" \
	    >"$spool/example.com/primary"
}

# new [ROW...]: nothing in the spool, and both servers anew.
new()
{
	primary_renew "$@"
	sender_renew
	rm -rf "$spool"/example.* "$spool/ledger"
	: >"$tmp/bmx.log"
}

primary_start
sender_start

# ---- C8: lifetime ----

conf
new 'rcpt 450 4.2.1 try later'
put outage age=$((20 * day)) up=1000 all=2000
clocks 1000 $((2000 + 20 * day))
exits "C8: after an outage of 20 days, 450: 75" 75 bmx-flush
is "C8: the message lives on" "$(states "$id") $(held)" "P 0"

# So long as the primary says "later".
for row in "-1 75 P 0" "0 69 F 1"; do
	# shellcheck disable=SC2086 # words
	set -- $row
	new 'rcpt 450 4.2.1 try later'
	put old age=$((20 * day)) up=1000 all=2000
	clocks $((1000 + 5 * day + 10 * $1)) $((2000 + 20 * day))
	exits "C8: the primary was up for 5d and $1: $2" "$2" bmx-flush
	is "C8: it is $3, held: $4" "$(states "$id") $(held)" "$3 $4"
done
like "the log says why" "$(logged "id=$id held")" 'lived for too long'

new 'rcpt 450 4.2.1 try later'
put held age=$((20 * day)) up=1000 all=2000
mv "$spool/example.com/new/$(ls "$spool/example.com/new")" \
    "$spool/example.com/cur/$(ls "$spool/example.com/new"),H=$((2 * day)):2,"
clocks $((1000 + 6 * day)) $((2000 + 20 * day))
exits "time that it was held does not count: 75" 75 bmx-flush
is "it lives on" "$(states "$id")" P

new
put late age=$((90 * day)) up=0 all=0
clocks $((90 * day)) $((90 * day))
exits "a primary that takes it gets it, however old: 0" 0 bmx-flush
is "it is there" "$(primary_count) $(waiting)" "1 0"

# ---- on-expiry = bounce ----

conf 'on-expiry = bounce'
new 'rcpt<slow@example.com> 450 4.2.1 mailbox busy' \
    'rcpt<bad@example.com> 550 5.1.1 unknown'
put old age=$((20 * day)) up=0 all=0 to=slow@example.com
put refused to=bad@example.com
put good
clocks $((6 * day)) $((6 * day))
exits "on-expiry = bounce, on-5xx = hold: 69" 69 bmx-flush example.com
is "what was refused is held" "$(waiting) $(held)" "1 1"
is "of what expired the sender is told" \
    "$(sender_notice 1 | grep -E '^(Final|Act|Stat|Remote|Diag)')" \
    "Final-Recipient: rfc822; slow@example.com
Action: failed
Status: 4.2.1
Remote-MTA: dns; [127.0.0.1]
Diagnostic-Code: smtp; 450 4.2.1 mailbox busy"

# The primary said 250 to the recipients, or nothing, and broke off: no success.
while IFS='|' read -r row reply; do
	new "$row"
	put old age=$((20 * day)) up=0 all=0 to=bob@example.com \
	    to=last@example.com
	clocks $((6 * day)) $((6 * day))
	bmx-flush example.com
	is "$row, and it has expired: its sender is told" \
	    "$(waiting) $(sender_notice 1 | grep -c '^Action: failed$')" "0 2"
	like "$row: what the ledger says" "$(cat "$spool"/ledger/*)" \
	    "what=bounced .* reply=$reply\$"
done <<'E'
data hangup|554 5\.4\.7 Delivery time expired
rcpt<last@example.com> hangup|554 5\.4\.7 Delivery time expired
mail hangup|554 5\.4\.7 Delivery time expired
E

# One has it, the other has waited for too long.
new 'rcpt<slow@example.com> 450 4.2.1 mailbox busy'
put old age=$((20 * day)) up=0 all=0 to=bob@example.com to=slow@example.com
clocks $((6 * day)) $((6 * day))
bmx-flush example.com
is "of two recipients one expires: it alone is in the notice" \
    "$(waiting) $(primary_count) $(sender_notice 1 | grep '^Final')" \
    "0 1 Final-Recipient: rfc822; slow@example.com"

# ---- lifetime-max, also while the primary is down ----

conf 'on-expiry = bounce' 'lifetime-max = 30d'
new
stop primary
put young age=$((31 * day)) up=0 all=100
put old age=$((31 * day)) up=0 all=0
clocks 0 $((30 * day))
exits "lifetime-max, the primary is down: 75" 75 bmx-flush example.com
is "one has reached it" \
    "$(waiting) $(held) $(find "$spool/example.com" -name "$id*")" "1 0 "
like "the summary counts it" "$(logged ' end=primary-down')" \
    'refused=0 dropped=1 set-aside=0 left=2'
is "its sender is told, in nobody's name" \
    "$(sender_notice 1 | grep -E '^(Final|Act|Stat|Remote|Diag)')" \
    "Final-Recipient: rfc822; bob@example.com
Action: failed
Status: 5.4.7
Diagnostic-Code: X-bmx; 554 5.4.7 older than lifetime-max"

# What is beside it: one recipient has it already; a file that nobody can read.
new
stop primary
put partly age=$((31 * day)) up=0 all=0 to=bob@example.com to=carol@example.com
LC_ALL=C sed -i 's/^Bmx-To: P <bob/Bmx-To: D <bob/' "$spool/example.com/new/$id"*
put damaged age=$((31 * day)) up=0 all=0
damaged=$(cd "$spool/example.com" && echo new/"$id"*)
echo more >>"$spool/example.com/$damaged"
clocks 0 $((30 * day))
exits "lifetime-max beside a damaged file: 75" 75 bmx-flush example.com
is "who has it is not said to have failed" \
    "$(sender_notice 1 | grep '^Final')" "Final-Recipient: rfc822; carol@example.com"
is "the damaged one is left as it is" "$(cd "$spool/example.com" && echo new/*)" \
    "$damaged"
primary_start

# A notice to a sender of a domain of ours.
conf 'on-5xx = bounce' 'lifetime-max = 30d'
new 'rcpt 550 5.1.1 unknown'
put bad from=carol@example.com
bmx-flush example.com
stop primary
notice=$(cd "$spool/example.com/new" && ls)
mkdir -m 700 "$tmp/scratch"
old=$("$mkmsg" "$tmp/scratch" example.com age=$((31 * day)))
mv "$spool/example.com/new/$notice" "$spool/example.com/new/$old,${notice#*,}"
clocks 0 $((31 * day))
bmx-flush example.com
is "a notice is dropped, where others are held" "$(waiting)" 0
like "which the ledger says" "$(cat "$spool"/ledger/*)" \
    "id=$old domain=example.com what=expired"
conf 'on-expiry = bounce' 'lifetime-max = 30d'
primary_start

# More at once than are listed to be given up.
new
stop primary
put old n=70 age=$((31 * day)) up=0 all=0
clocks 0 $((30 * day))
bmx-flush example.com
is "all of many are given up" "$(waiting) $(sender_count)" "0 70"
primary_start

# ---- D50: the clock jumps ----

jump()
{
	FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f "$@"
}

if faketime_works; then
	for to in +900d -900d; do
		new 'rcpt 450 4.2.1 try later'
		put jump up=1000 all=2000
		put notice up=1000 all=2000 from=
		clocks 1000 2000
		exits "D50: the clock jumps by $to, 450: 75" 75 \
		    jump $to bmx-flush example.com
		is "D50: nothing has expired" "$(waiting) $(held)" "2 0"
		stop primary
		jump $to bmx-flush --now example.com
		is "D50: nor while the primary is down" "$(waiting) $(held)" \
		    "2 0"
		primary_start
		exits "D50: it jumps back: 0" 0 bmx-flush example.com
		is "D50: no wait is longer than retry-max" \
		    "$(primary_count) $(waiting)" "2 0"
	done
else
	skip "D50: the clock jumps" "$faketime_why"
fi

# ---- held apart ----

conf 'on-5xx = bounce' 'on-expiry = bounce' 'unverified-lifetime = 3d'
new 'rcpt<bad@example.com> 550 5.1.1 unknown' \
    'rcpt<gone@example.com> 550 5.1.1 unknown'
put unwanted age=$((9 * day)) up=0 all=0 to=bad@example.com state=U
unwanted=$id
put mixed age=$((9 * day)) up=0 all=0 to=bad@example.com state=U \
    to=gone@example.com
put good
clocks $((3 * day - 60)) $((9 * day))
bmx-flush example.com
is "who nobody knew of, and does not exist: held apart" \
    "$(states "$unwanted") $(find "$spool/example.com/cur" -name "$unwanted*" |
	sed 's/.*:2,//')" "X FX"
out=$(bmx-queue explain "$unwanted")
like "which explain has, too" "$out" \
    '^Why here: .*it is held apart, for recipients that turned out not to exist: refused: 550'
like "with how soon that ends" "$out" \
    '^Lifetime: +[0-9]+ (s|min) left, while the primary is up; then it is removed$'
like "and so has --json" "$(bmx-queue --json "$unwanted")" '"lifetime_left":[1-6]?[0-9],'
is "beside one who was known: that one alone is bounced" \
    "$(cat "$spool"/example.com/cur/*,R=2* | sed -n 's/^Bmx-To: \(.\).*/\1/p' |
	tr '\n' ' ')$(sender_count)" "X B 1"
is "its sender hears of nobody else" \
    "$(sender_notice 1 | grep -c 'Final-Recipient')$(sender_notice 1 |
	grep -c 'Final-Recipient: rfc822; gone@')" "11"
clocks $((3 * day)) $((9 * day))
exits "older than unverified-lifetime: 0" 0 bmx-flush example.com
is "they are removed, and nobody is told" "$(waiting) $(sender_count)" "0 1"
is "the ledger has them" "$(cat "$spool"/ledger/* |
    grep -c 'what=expired .*no such recipient')" 2
new 'rcpt 450 4.2.1 try later'
put unverified age=$((20 * day)) up=0 all=0 to=bob@example.com state=U
put unverified age=$((20 * day)) up=0 all=0 to=bad@example.com state=U
clocks $((6 * day)) $((6 * day))
bmx-flush example.com
is "who nobody knew of expires: held apart" \
    "$(waiting) $(held) $(sender_count) $(states "$id")" "2 2 0 X"
bmx-flush example.com
is "and nobody is told" "$(waiting) $(sender_count)" "0 0"
conf 'on-expiry = bounce' 'unverified-lifetime = 3d' 'lifetime-max = 30d'
new
stop primary
put unverified age=$((31 * day)) up=0 all=0 to=bob@example.com state=U
clocks 0 $((30 * day))
bmx-flush example.com
is "by lifetime-max, too" \
    "$(states "$id") $(sender_count) $(find "$spool/example.com/cur" -name "$id*" |
	sed 's/.*:2,//')" "X 0 FX"
primary_check
done_testing
