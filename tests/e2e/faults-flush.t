#!/bin/sh
# bmx-flush when the nth call fails, or is its last, for every n: after the next
# run every message is at the primary, at most once more than it has to be, and
# nothing is reported as sent that was not.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
# shellcheck source=tests/lib/certs.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
. "$top_srcdir/tests/lib/certs.sh"
faults_need
primary_make
certs_make
cert good ca 'cn = primary' 'dns_name = primary.example.com' tls_www_server
mkdir -m 700 "$tmp/state"
# conf TLS
conf()
{
	make_conf 'min-free = 0' "state = $tmp/state" '[example.com]' \
	    "primary = 127.0.0.1:$primary_port" "tls = $1" \
	    "tls-ca = $certs/ca.pem" 'tls-name = primary.example.com'
}
conf none
primary_start --tls "$certs/good.chain" "$certs/good.key" \
    'rcpt<later@example.com> 450 4.2.1 greylisted' \
    'rcpt<bad@example.com> 550 5.1.1 unknown'

# What each run begins with: one message that goes, one whose recipients go
# three ways and which stays.
put one
put two to=bob@example.com to=later@example.com to=bad@example.com
cp -a "$spool" "$tmp/start"

# got SUBJECT: how often it came.
got()
{
	cat "$primary"/*.msg 2>/dev/null | grep -c "^Subject: $1"
}

# What may not be opened is set aside, with an alarm: somebody has to look.
after_release()
{
	find "$spool/example.com/cur" -name '*:2,F' | grep -q . || return 0
	grep -aq 'alarm=yes .* set aside: .* may not be opened' "$tmp/bmx.log" ||
	    wrong 'held without an alarm'
	bmx-queue release --held --domain example.com >/dev/null
	flush_again --now 2>/dev/null
}

# once KINDS N DEED: a run with the fault, and one without.
once()
{
	: >"$tmp/bmx.log"
	flush_faulty "$tmp/start" "$@"
	[ "$3" != EACCES ] || after_release
	[ "$(got one)" -ge 1 ] || wrong 'one is lost'
	[ "$(got two)" -ge 1 ] || wrong 'two is lost for bob'
	[ "$(($(got one) + $(got two)))" -le 3 ] || wrong 'came too often'
	[ "$(waiting)" -eq 1 ] || wrong "$(waiting) are waiting, not one"
	[ "$(states "$id")" = 'D P F' ] || wrong "$(states "$id")"
}

# every TLS [KIND=DEED]...
every()
{
	conf "$1"
	once none 1 EIO
	is "tls = $1: without a fault each comes once" \
	    "$(got one) $(got two) $(waiting)" '1 1 1'
	shift
	faults_of once create open mkdir write sync rename unlink utime link \
	    close read opendir random send recv socket connect fork pipe \
	    memory=ENOMEM "$@"
}

every none write=short disk=EINTR

# The states of a message, and then all that follows.
for error in EIO ENOSPC EDQUOT EROFS EMFILE ENFILE ENOMEM EINTR EACCES; do
	for row in 'write 1' 'sync 1' 'open 3' 'disk 1+' 'disk 5+'; do
		# shellcheck disable=SC2086 # two words
		once $row "$error"
		faults=$((faults + 1))
	done
done >"$tmp/wrong"
is 'every error' "$(cat "$tmp/wrong")" ''
faults_enough 200

# With TLS, and what is learned of recipients is kept: most calls are the same.
faults_sample 9
every verify disk=kill-before disk=kill-after
primary_check
done_testing
