#!/bin/sh
# kill -9 at any moment: after the next run every message is at the primary, and
# of each connection at most the one that was under way is there twice.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'max-connections = 1'
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # not under strace
export ASAN_OPTIONS

# Four messages; the second one is mixed, and stays.
begin()
{
	rm -rf "$spool/example.com" "$spool/ledger"
	primary_renew "$@" 'rcpt<later@example.com>#1 450 4.2.1 greylisted' \
	    'rcpt<bad@example.com> 550 5.1.1 unknown'
	put one
	put two to=bob@example.com to=later@example.com \
	    to=bad@example.com
	two=$id
	put three from=
	put four
}

# arrivals: how often each message came to bob, and the second one to later.
arrivals()
{
	for subject in one two three four; do
		n=0
		for env in "$primary"/*.env; do
			! grep -q '^RCPT TO:<bob@' "$env" ||
			    ! grep -q "^Subject: $subject" "${env%env}msg" ||
			    n=$((n + 1))
		done
		printf '%s ' "$n"
	done
	cat "$primary"/*.env | grep -c 'RCPT TO:<later@'
}

# after "what": run again, twice for what was deferred.
after()
{
	flush_again --now
	flush_again --now
	got=$(arrivals)
	doubles=$(($(echo "$got" | tr ' ' '+') - 5))
	like "$1: every message arrived" "$got" \
	    '^[12] [12] [12] [12] [12]$'
	ok "$1: one at most twice" test "$doubles" -le "${crashes:-1}"
	is "$1: only what was refused is left, held" \
	    "$(waiting) $(held) $(states "$two")" "1 1 D D F"
}

# ---- by the primary's hand ----

begin
bmx-flush
after "no crash"
is "no crash: nothing twice" "$got" "1 1 1 1 1"

# shellcheck disable=SC2016 # for the primary's shell
for row in 'connect#1' 'mail#2' 'rcpt#4' 'data#2'; do
	begin "$row run kill -s KILL -- -\$(cat $tmp/flush.pid)"
	start_bg flush bmx-flush
	wait_gone "$(pid_of flush)"
	after "killed at ${row%#*}"
	is "killed at ${row%#*}: before the 250, nothing twice" "$got" "1 1 1 1 1"
done
for n in 1 2 4; do
	begin "dot#$n store-run kill -9 \$(cat $tmp/flush.pid)"
	start_bg flush bmx-flush
	wait_gone "$(pid_of flush)"
	after "the flusher alone killed when the primary has it, $n"
	is "the worker still waited for the reply: nothing twice" "$doubles" 0
	begin "dot#$n store-run kill -s KILL -- -\$(cat $tmp/flush.pid)"
	start_bg flush bmx-flush
	wait_gone "$(pid_of flush)"
	after "killed with its worker when the primary has it, $n"
	is "that one is there twice" "$doubles" 1
done

# ---- a worker alone ----

begin "dot#2 store-run p=\$(cat $tmp/flush.pid)
kill -9 \$(cat /proc/\$p/task/\$p/children)"
start_bg flush bmx-flush
wait_gone "$(pid_of flush)"
is "a worker is killed: the others are delivered by the next one" \
    "$(primary_count) $(waiting)" "4 1"
like "the log says so" "$(logged alarm=yes)" ' id=[^ ]* worker [0-9]* died$'
after "a worker is killed"

# Each worker that meets the primary is killed before it has sent anything.
begin "mail run p=\$(cat $tmp/flush.pid)
kill -9 \$(cat /proc/\$p/task/\$p/children)"
put five
put six
put seven
: >"$tmp/bmx.log"
start_bg flush bmx-flush
wait_gone "$(pid_of flush)"
is "every worker is killed: after six no more is tried" \
    "$(logged 'worker [0-9]* died' | wc -l) $(primary_count) $(waiting)" "6 0 7"
like "which is the end of the run" "$(logged ' end=')" 'end=sessions-lost$'
after "every worker is killed"

# ---- at each system call that changes the disk ----

strace -qq -o /dev/null true 2>/dev/null || {
	skip "kill -9 at each system call" "strace not installed, or not allowed"
	done_testing
	exit 0
}

begin
strace -f -qq -y -o "$tmp/trace" -e trace=pwrite64,fdatasync,renameat2,unlinkat,sendmsg,writev \
    bmx-flush
is "the states of a message that stays are synced before anything else goes on" \
    "$(grep -A 3 -m 1 pwrite64 "$tmp/trace" |
	sed 's/^[0-9]* *//; s/(.*//' | tr '\n' ' ')" \
    "pwrite64 pwrite64 fdatasync renameat2 "
is "one sync for all of them, none for a message that was taken whole" \
    "$(grep -c 'fdatasync(.*/example.com/\(new\|cur\)/' "$tmp/trace")" 1
is "and one of the ledger for the run" \
    "$(grep -c 'fdatasync(.*/ledger/' "$tmp/trace")" 1

# ledger_first: is the line about a removal on disk before the removal is made?
ledger_first()
{
	awk '/fdatasync\(.*\/ledger\// { synced = 1 }
	    /unlinkat\(.*\/example.com\/(new|cur)>.*,S=/ { print synced + 0 }' "$tmp/trace"
}

begin
rm -f "$spool"/example.com/*/*,S=*
cp "$BMX_CONF" "$tmp/saved.conf"
echo 'on-5xx = drop' >>"$BMX_CONF"
primary_renew 'rcpt<bad@example.com> 550 5.1.1 unknown'
put dropped to=bad@example.com
strace -f -qq -y -o "$tmp/trace" -e trace=fdatasync,unlinkat bmx-flush --now
is "what is dropped for good is in the ledger first, and that on disk" \
    "$(ledger_first)" 1
cp "$tmp/saved.conf" "$BMX_CONF"

total=0
for call in unlinkat renameat2 renameat utimensat pwrite64 fdatasync fsync \
    mkdirat write; do
	n=0
	while :; do
		n=$((n + 1))
		begin
		: >"$tmp/bmx.log"
		strace -f -qq -o /dev/null -e trace="$call" \
		    -e inject="$call":signal=KILL:when="$n" bmx-flush 2>/dev/null
		status=$?
		crashes=$(logged 'worker [0-9]* died' | wc -l)
		[ "$status" -eq 137 ] || [ "$crashes" -gt 0 ] || break
		[ "$status" -ne 137 ] || crashes=$((crashes + 1))
		total=$((total + 1))
		after "killed at $call number $n"
	done
	diag "$call: $((n - 1)) times"
done
ok "there were calls to be killed at" test "$total" -ge 15
primary_check
done_testing
