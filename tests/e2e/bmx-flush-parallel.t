#!/bin/sh
# Several connections, as many and as fast as the primary likes (C9), and what
# becomes of workers whose flusher dies.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make

conf()
{
	make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" "$@"
}

sessions()
{
	primary_said 'S: 220 '
}

clear_spool()
{
	rm -f "$spool"/example.com/*/*,S=*
}

# ---- slow start, and caps ----

conf
primary_start 'dot slow 5'
put few n=2
exits "few messages: 0" 0 bmx-flush
is "take one connection" "$(primary_count) $(waiting) $(sessions)" "2 0 1"

primary_renew 'mail#1 450 4.3.0 later' 'dot slow 5'
put wary n=17
exits "trouble in the beginning: 75" 75 bmx-flush
is "ends the quick start: still one connection" \
    "$(primary_count) $(waiting) $(sessions)" "16 1 1"
clear_spool

primary_renew 'dot slow 5'
put many n=300
exits "many messages: 0" 0 bmx-flush
is "take four" "$(primary_count) $(waiting) $(sessions)" "300 0 4"
is "each went once" "$(cat "$spool"/ledger/* | grep -o ' id=[^ ]*' | sort | uniq -d)" ""
is "every session was ended in order" "$(primary_said 'C: QUIT')" 4

conf 'max-connections = 2'
primary_renew 'dot slow 5'
put many n=150
exits "max-connections = 2: 0" 0 bmx-flush
is "is kept" "$(primary_count) $(waiting) $(sessions)" "150 0 2"

conf 'max-rate = 20'
primary_renew
put slow n=20
begun=$(date +%s%N)
exits "max-rate = 20: 0" 0 bmx-flush
took=$((($(date +%s%N) - begun) / 1000000))
is "all are delivered" "$(primary_count) $(waiting)" "20 0"
ok "in a second, less what was allowed at first ($took ms)" \
    test "$took" -ge 800 -a "$took" -le 8000

conf 'max-bytes-rate = 20K'
primary_renew
put_file "$tmp/slow.in" n=1
ids=$("$mkmsg" "$spool" example.com size=2000 n=10)
begun=$(date +%s%N)
exits "max-bytes-rate = 20K: 0" 0 bmx-flush
took=$((($(date +%s%N) - begun) / 1000000))
ok "is kept ($took ms)" test "$took" -ge 700 -a "$took" -le 8000

# ---- order ----

conf
primary_renew
"$mkmsg" "$spool" example.com size=5000 age=30 >/dev/null
"$mkmsg" "$spool" example.com size=50 age=20 >/dev/null
"$mkmsg" "$spool" example.com size=500 age=10 >/dev/null
is "the oldest first" "$(bmx-flush --dry-run | awk '/^send/ { print int($4 / 1000) }' |
    tr '\n' ' ')" "5 0 0 "
bmx-flush --dry-run --smallest-first | awk '/^send/ { print $4 }' >"$tmp/sizes"
ok "the smallest first" sort -nc "$tmp/sizes"
exits "both: 64" 64 bmx-flush --smallest-first --oldest-first
exits "the smallest first, of two: 0" 0 bmx-flush --smallest-first --max 2
like "the large one is left" "$(ls "$spool/example.com/new")" ',S=5[0-9][0-9][0-9],'
clear_spool

# ---- the primary has enough ----

primary_renew 'dot slow 5' 'connect#3+ 421 4.7.0 too many connections'
put many n=200
exits "it takes two connections only: 0" 0 bmx-flush
is "two do it" "$(primary_count) $(waiting)" "200 0"

primary_renew 'mail#40 421 4.3.2 a moment' 'connect#2 421 4.3.2 a moment' \
    'connect#3 421 4.3.2 a moment' 'connect#4 421 4.3.2 a moment'
conf 'max-connections = 1'
put many n=100
exits "a burst of 421 does not end the run: 0" 0 bmx-flush
is "all is delivered" "$(primary_count) $(waiting) $(sessions)" "100 0 2"
conf

# A primary with no process left for a second connection lets it wait: nobody
# waits with it, the greeting has five minutes.
primary_renew 'connect#2+ stall'
put many n=8
exits "a second connection is never greeted: 0" 0 timeout 60 bmx-flush
is "all goes over the first, and that is the end" "$(primary_count) $(waiting)" "8 0"
conf 'max-rate = 5'
primary_renew 'connect#2+ stall'
put many n=8
exits "the same where the first has to wait for its turn: 0" 0 timeout 60 bmx-flush
is "its turn comes" "$(primary_count) $(waiting)" "8 0"
conf

# ---- one kind of refusal ends it, whoever meets it ----

primary_renew 'rcpt#101+ 550 5.7.1 relaying denied' 'dot slow 5'
put many n=200
exits "it suddenly refuses everything: 69" 69 bmx-flush
like "the run stops" "$(logged end=breaker)" 'end=breaker'
# a late success of another session begins the count anew
between "not many more than 20 were held" "$(held)" 20 45
is "the rest is as it was" "$(waiting)" 100
clear_spool

# ---- the flusher dies, its workers with it ----

mkfifo "$tmp/go-on"
primary_renew "dot#1 run : >$tmp/in-dot; cat $tmp/go-on"
put two n=2
start_bg flush bmx-flush
ok "a message is under way" wait_for 20 test -e "$tmp/in-dot"
kill -s KILL "$(pid_of flush)"
ok "the flusher dies" wait_gone "$(pid_of flush)"
bmx-flush
like "as long as its worker waits for the reply nobody else begins" \
    "$(tail -n 1 "$tmp/bmx.log")" 'end=busy'
: >"$tmp/go-on"
flush_again
is "then the next one does: nothing is lost, nothing is there twice" \
    "$(primary_count) $(waiting)" "2 0"

primary_renew 'mail#1 stall'
put stalled
start_bg flush bmx-flush
ok "a worker waits for MAIL's reply" wait_for 20 grep -q 'C: MAIL' "$primary/log"
kill -s KILL "$(pid_of flush)"
ok "the flusher dies" wait_gone "$(pid_of flush)"
flush_again
is "the worker did not go on waiting" "$(primary_count) $(waiting)" "1 0"

primary_renew 'dot slow 5'
put many n=400
start_bg flush bmx-flush
wait_for 20 sh -c "test \$(ls $primary | grep -c env) -ge 150"
crash flush
exits "killed with all workers, and again: 0" 0 flush_again
is "nothing is lost" "$(waiting)" 0
between "and no more is there twice than was under way" "$(primary_count)" 400 404

# ---- a signal ----

primary_renew 'dot slow 20'
put many n=400
start_bg flush bmx-flush
wait_for 20 sh -c "test \$(ls $primary | grep -c env) -ge 100"
kill -s TERM "$(pid_of flush)"
ok "SIGTERM ends it and its workers" wait_gone "$(pid_of flush)"
like "in an orderly way" "$(logged end=stopped)" ' deferred=0 '
flush_again
is "nothing was lost, nothing is there twice" "$(primary_count) $(waiting)" "400 0"
primary_check

# A server that begins a TLS handshake and says nothing in it.
cat >"$tmp/stalls.py" <<'E'
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(sys.argv[1], flush=True)
session, _ = listener.accept()
for reply in "220 a.test", "250-a.test\r\n250 STARTTLS", "220 go on":
    session.sendall(reply.encode() + b"\r\n")
    session.recv(1000)
open(sys.argv[2], "w").close()
while session.recv(1000):
    pass
E
stop primary
start_bg stalls python3 "$tmp/stalls.py" "$primary_port" "$tmp/in-tls"
wait_up stalls
put one
start_bg flush bmx-flush
ok "a handshake is under way" wait_for 20 test -e "$tmp/in-tls"
kill -s TERM "$(pid_of flush)"
ok "SIGTERM ends that, too" wait_gone "$(pid_of flush)"
like "in an orderly way" "$(logged end= | tail -n 1)" 'left=1 .*end=stopped$'
done_testing
