#!/bin/sh
# Sessions that break, at every stage and in every way (D9, D31, D32): nothing
# is lost, and what is not the message's fault is not its delay.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
conf()
{
	make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
	    'connect-timeout = 5' "$@"
}
conf
primary_start

clear_spool()
{
	rm -f "$spool"/example.com/*/*,S=*
}

# ---- D32: 421 at each stage ----

for stage in connect ehlo mail rcpt data dot; do
	primary_renew "$stage#1 421 4.3.2 going down"
	put "$stage" to=bob@example.com to=carol@example.com
	exits "D32: 421 to $stage: 75" 75 bmx-flush
	is "nothing was taken, all is pending, not held" \
	    "$(primary_count) $(states "$id") $(held)" "0 P P 0"
	unlike "and known so" "$(logged "id=$id ")" 'state=unknown'
	exits "the next run delivers it: 0" 0 bmx-flush --now
	is "once" "$(primary_count) $(waiting)" "1 0"
	same "byte for byte" "$primary/1.msg" "$tmp/$stage.in"
done

# ---- the same for other ways to break ----

for how in hangup reset 'raw 2x0 what\r\n' 'raw \x00\x01\x02\r\n' \
    '354 out of place' flood; do
	for stage in connect ehlo mail rcpt data; do
		[ "$stage/${how%% *}" != data/354 ] || continue
		primary_renew "$stage#1 $how"
		put "$stage"
		exits "$stage: ${how%%\\*}: 75" 75 bmx-flush
		is "nothing was taken, it is pending" \
		    "$(primary_count) $(states "$id") $(held)" "0 P 0"
		exits "the next run delivers it" 0 bmx-flush --now
		is "once" "$(primary_count) $(waiting)" "1 0"
	done
done

# ---- D31: the primary stalls ----

conf 'reply-timeout = 1'
for stage in connect ehlo mail rcpt data dot; do
	primary_renew "$stage#1 stall"
	put "$stage"
	exits "D31: $stage stalls: ends by itself: 75" 75 timeout 10 bmx-flush
	is "nothing was taken, it is pending" \
	    "$(primary_count) $(states "$id") $(held)" "0 P 0"
	clear_spool
done
primary_renew 'connect slow 600' 'ehlo slow 600' 'mail slow 600' \
    'rcpt slow 600' 'data slow 600' 'dot slow 600'
put slow
exits "D31: each step has its own time, there is no total: 0" 0 bmx-flush
is "it is delivered" "$(primary_count) $(waiting)" "1 0"

# ---- the reply to the final dot is lost ----

for how in store-hangup store-stall; do
	primary_renew "dot#1 $how"
	put lost to=bob@example.com to=carol@example.com
	exits "$how: 75" 75 bmx-flush
	is "it stays, pending" "$(states "$id") $(held)" "P P 0"
	like "the log calls it unknown" "$(logged "id=$id ")" \
	    'to=<bob@example.com> deferred state=unknown'
	like "and so do its notes" "$(cat "$spool/example.com/log/$id")" \
	    'to=<carol@example.com> deferred state=unknown'
	between "it waits as long as retry-max says" "$(wait_of "$id")" 2700 3600
	exits "it is sent again" 0 bmx-flush --now
	is "the primary has it twice, the spool no more" \
	    "$(primary_count) $(waiting)" "2 0"
done
conf

primary_renew 'dot#1 store-hangup' 'rcpt<carol@example.com> 450 4.2.1 later'
put lost to=bob@example.com to=carol@example.com
exits "lost, with one that had not been accepted: 75" 75 bmx-flush
is "only the accepted one is unknown" \
    "$(logged "id=$id .*state=unknown" | grep -o 'to=<[^>]*>')" 'to=<bob@example.com>'
clear_spool

# C12: a primary that takes a message and never says so gets five copies, not
# one at each try for ever; then somebody has to look, who may release it.
primary_renew 'dot store-hangup'
put lost to=bob@example.com to=carol@example.com
for round in 1 2; do
	for try in 1 2 3 4; do
		exits "C12: round $round, reply $try is lost: 75" 75 bmx-flush --now
	done
	is "it still waits" "$(states "$id") $(held)" "P P 0"
	exits "C12: round $round, the fifth: 69" 69 bmx-flush --now
	is "it is held, pending, sent no more often" \
	    "$(states "$id") $(held) $(primary_count)" "P P 1 $((round * 5))"
	like "an alarm says why" "$(logged "alarm=yes id=$id " | tail -n 1)" \
	    "set aside: the reply to the final dot was lost $((round * 5)) times"
	like "and so does bmx-queue explain" "$(bmx-queue explain "$id")" \
	    "it is held: set aside: the reply to the final dot was lost $((round * 5)) times"
	exits "held, it is left alone: 0" 0 bmx-flush --now
	is "the primary has no more of it" "$(primary_count)" $((round * 5))
	exits "it can be released: 0" 0 bmx-queue release "$id"
done
primary_renew
exits "released, it goes to a primary that is mended: 0" 0 bmx-flush --now
is "once, and the spool has it no more" "$(primary_count) $(waiting)" "1 0"

# Nobody looks for a notice of ours, and it has an end of its own.
conf 'on-5xx = bounce'
primary_renew 'rcpt<gone@example.com> 550 5.1.1 no such user' 'dot store-hangup'
put refused from=alice@example.com to=gone@example.com
bmx-flush
is "C12: the sender's notice waits in its place" "$(waiting) $(held)" "1 0"
for try in 1 2 3 4 5; do
	bmx-flush --now
done
is "five lost replies do not hold it" \
    "$(primary_count) $(waiting) $(held)" "5 1 0"
clear_spool
conf

# ---- the rest goes on ----

conf 'max-connections = 1'
primary_renew 'mail#3 hangup'
put many n=5
exits "a session that ends between two messages: 0" 0 bmx-flush
is "costs nothing but a new session" \
    "$(primary_count) $(waiting) $(primary_said 'S: 220 ')" "5 0 2"

primary_renew 'data#3 421 4.7.0 enough for one session'
put many n=5
exits "D32: nor does a 421 there: 0" 0 bmx-flush
is "all is delivered, each once" \
    "$(primary_count) $(waiting) $(primary_said 'S: 220 ')" "5 0 2"

primary_renew 'mail<bad@example.org> hangup'
put bad from=bad@example.org
bad=$id
put good n=4
exits "a message that breaks its session: 75" 75 bmx-flush
is "is deferred, the younger ones are delivered" \
    "$(primary_count) $(waiting) $(states "$bad")" "4 1 P"
clear_spool

# 150 recipients take two transactions.
primary_renew 'rcpt 450 4.3.0 later' 'mail#2 hangup' 'mail#4 hangup' 'mail#6 hangup'
# shellcheck disable=SC2046 # words
put many $(awk 'BEGIN { while (i++ < 150) print "to=u" i "@example.com" }')
exits "a message that breaks its session on the second go: 75" 75 bmx-flush
is "is not tried again at once" "$(primary_said 'C: MAIL')" 2
between "but deferred" "$(wait_of "$id")" 300 400
clear_spool

primary_renew 'data reset'
put many n=10
exits "every session breaks: 75" 75 bmx-flush
is "it ends after six" "$(primary_said 'S: 220 ')" 6
is "the others are as they were" \
    "$(find "$spool/example.com/new" -type f | wc -l | tr -d ' ')" 4
clear_spool

primary_renew 'connect#2+ 421 4.3.2 no more' 'mail#4 421 4.3.2 shutting down'
put many n=6
exits "it goes away in the middle: 75" 75 bmx-flush
is "what it took is gone, the rest is as it was" \
    "$(primary_count) $(find "$spool/example.com/new" -type f | wc -l | tr -d ' ')" "3 3"
like "the state file knows" "$(cat "$spool/example.com/primary")" '^last deferring$'
clear_spool

primary_renew 'quit hangup'
put one
exits "D35: no reply to QUIT is no error: 0" 0 bmx-flush
is "D35: QUIT was sent" "$(primary_count) $(primary_said 'C: QUIT')" "1 1"

# ---- which reply is whose ----

# With CHUNKING all replies look alike: were one too many heard, the 2yz to RCPT
# would be taken for the one to the content.

primary_renew -e PIPELINING -e CHUNKING -e 'XFORWARD ADDR' 'rcpt slow 300' \
    'dot 451 4.3.0 not now'
put eight mail='FROM:<a@example.org> BODY=8BITMIME'
put plain
exits "C4: behind a message that needs what is not offered: 69" 69 bmx-flush
is "XFORWARD was for nothing, and its reply is no other's" \
    "$(primary_count) $(states "$id")" "0 P"
like "the refusal is heard" "$(logged "id=$id ")" 'deferred .*451 4.3.0 not now'
clear_spool

primary_renew -x CHUNKING 'dot#1 raw 250 ok\r\n250 ok\r\n' 'rcpt#2+ slow 300' \
    'dot 451 4.3.0 not now'
put one
put two
exits "a reply that comes twice: 75" 75 bmx-flush
is "is not the reply to what comes next" "$(primary_count) $(states "$id")" "1 P"
like "the refusal is heard, in another session" "$(logged "id=$id ")" \
    'deferred .*451 4.3.0 not now'
clear_spool

primary_renew 'ehlo raw 250-a.test\r\n250 CHUNKING\r\n250 CHUNKING\r\n' \
    'rcpt slow 300' 'dot 451 4.3.0 not now'
put one
exits "two replies to EHLO: 75" 75 bmx-flush
is "no message goes" "$(primary_count) $(states "$id") $(primary_said 'C: MAIL')" \
    "0 P 0"
clear_spool

primary_renew -e CHUNKING 'mail raw 250 ok\r\n250 ok\r\n' 'rcpt slow 300' \
    'dot 451 4.3.0 not now'
put one
exits "two replies to MAIL: 75" 75 bmx-flush
is "no message goes" "$(primary_count) $(states "$id") $(primary_said 'C: BDAT')" \
    "0 P 0"
clear_spool

# ---- behind a chunk that was refused ----

# heard: what the primary was told, in a line.
heard()
{
	sed -n 's/^1 C: \(EHLO\|XCLIENT\|XFORWARD\|MAIL\|RSET\).*/\1/p' \
	    "$primary/log" | tr '\n' ' '
}

# RFC 3030 section 2: RSET behind it. That makes the server forget an XFORWARD,
# and Postfix takes no XCLIENT within a transaction.
conf 'max-connections = 1' 'xclient = yes'
for keyword in XCLIENT XFORWARD; do
	primary_renew -x CHUNKING -x "$keyword HELO" 'dot#1 550 5.7.1 no'
	put first helo=a.test
	put other helo=b.test
	exits "$keyword behind a refused chunk: 69" 69 bmx-flush
	like "comes after RSET" "$(heard)" "MAIL RSET $keyword (EHLO )?MAIL \$"
	clear_spool
done
conf

# ---- it is down ----

stop primary
other_port=$(free_port)
make_conf '[example.com]' \
    "primary = 127.0.0.1:$primary_port 127.0.0.2:$other_port" 'fall = 2'
put down n=50
find "$spool/example.com/new" -type f -printf '%p %T@ %C@\n' | sort >"$tmp/before"
if command -v strace >/dev/null; then
	# no leak check under strace
	exits "a primary that is down: 75" 75 env \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" \
	    strace -f -qq -e trace=connect -o "$tmp/trace" bmx-flush
	is "costs one connection to each address, not one a message" \
	    "$(grep -c 'sa_family=AF_INET,' "$tmp/trace")" 2
else
	exits "a primary that is down: 75" 75 bmx-flush
	skip "one connection to each address" "strace not installed"
fi
find "$spool/example.com/new" -type f -printf '%p %T@ %C@\n' | sort >"$tmp/after"
same "no message is touched" "$tmp/after" "$tmp/before"
exits "again: 75" 75 bmx-flush
like "now its state is down" "$(cat "$spool/example.com/primary")" '^verdict down$'
like "with the reason" "$(cat "$spool/example.com/primary")" '^reason .*refused'

# ---- D9: the next address ----

primary_start
make_conf '[example.com]' \
    "primary = 127.0.0.1:$other_port 127.0.0.1:$primary_port"
exits "the first address is down, the second takes it: 0" 0 bmx-flush
is "all of it" "$(primary_count) $(waiting)" "50 0"
like "its state is known, with the address" \
    "$(tr '\n' ' ' <"$spool/example.com/primary")" \
    "last up .*address 127.0.0.1:$primary_port .*plain PIPELINING"

start_bg other python3 "$top_srcdir/tests/fake/primary.py" -p "$other_port" \
    "$tmp/other" 'connect 554 5.3.2 no mail here'
wait_up other
primary_renew
put one
exits "D9: 554 in the greeting: the next one: 0" 0 bmx-flush
is "takes it" "$(primary_count) $(waiting)" "1 0"
stop other
rm -f "$tmp/other.log"
start_bg other python3 "$top_srcdir/tests/fake/primary.py" -p "$other_port" \
    "$tmp/other" 'ehlo 250 backup.example.net hello me'
wait_up other
put one
exits "D9: it calls itself by our name: 75" 75 bmx-flush
like "that is a loop, and an alarm" "$(logged alarm=yes)" 'status=4.4.6'
is "and nothing is sent anywhere" "$(primary_count) $(waiting)" "1 1"

primary_check
done_testing
