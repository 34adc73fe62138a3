#!/bin/sh
# kill -9 at each system call that changes the disk, where one message takes
# several steps: a transaction for each of its recipients, and a notice to the
# sender (D37). After the next run every recipient was asked, nobody got it
# twice but where the kill fell between a reply and its mark, and the sender was
# told once.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/sender.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
sender_make
make_conf "notices = 127.0.0.1:$sender_port" \
    '[example.com]' "primary = 127.0.0.1:$primary_port" 'on-5xx = bounce' \
    'admit = spool' '[example.org]' "primary = 127.0.0.1:$sender_port"
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # not under strace
export ASAN_OPTIONS
strace -qq -o /dev/null true 2>/dev/null ||
    skip_all "strace is not installed, or not allowed"
primary_start -x 'LIMITS RCPTMAX=1' 'rcpt<bad@example.com> 550 5.1.1 unknown'
sender_start

# begin: a message for three, one of whom is refused, and another message.
begin()
{
	rm -rf "$spool/example.com" "$spool/example.org" "$spool/ledger"
	rm -f "$primary"/*.env "$primary"/*.msg "$sender"/*.env "$sender"/*.msg
	: >"$tmp/bmx.log"
	put group to=a@example.com to=bad@example.com to=b@example.com
	group=$id
	put other to=c@example.com
}

# got RECIPIENT: how often
got()
{
	cat "$primary"/*.env | grep -c "RCPT TO:<$1@"
}

# after "what" CRASHES
after()
{
	flush_again --now
	flush_again --now
	for to in a b c; do
		got "$to"
	done >"$tmp/got"
	like "$1: everybody has it" "$(tr '\n' ' ' <"$tmp/got")" \
	    '^[12] [12] [12] $'
	doubles=$(($(tr '\n' '+' <"$tmp/got" | sed 's/+$//') - 3))
	ok "$1: at most one transaction came twice ($doubles)" \
	    test "$doubles" -le "$2"
	notices=$(cat "$sender"/*.env 2>/dev/null | grep -c 'MAIL FROM:<>')
	# killed before it was given up: it is held, for the operator
	[ "$notices" -ne 0 ] || [ "$(held)" -ne 1 ] || {
		bmx-queue release "$group" >/dev/null
		flush_again --now
		flush_again --now
		notices=$(cat "$sender"/*.env 2>/dev/null |
		    grep -c 'MAIL FROM:<>')
	}
	is "$1: the sender is told once" "$notices" 1
	is "$1: nothing is left" "$(waiting) $(ls "$spool/example.com/tmp")" "0 "
}

begin
after "no crash" 0

total=0
for call in linkat renameat renameat2 unlinkat pwrite64 fdatasync fsync mkdirat; do
	n=0
	while :; do
		n=$((n + 1))
		begin
		strace -f -qq -o /dev/null -e trace="$call" \
		    -e inject="$call":signal=KILL:when="$n" \
		    bmx-flush example.com 2>/dev/null
		status=$?
		crashes=$(logged 'worker [0-9]* died' | wc -l)
		[ "$status" -eq 137 ] || [ "$crashes" -gt 0 ] || break
		[ "$status" -ne 137 ] || crashes=$((crashes + 1))
		total=$((total + 1))
		after "killed at $call number $n" "$crashes"
	done
	diag "$call: $((n - 1)) times"
done
ok "there were calls to be killed at" test "$total" -ge 15
primary_check
done_testing
