#!/bin/sh
# D17, D49: bmx-receive when the nth call fails, for every n: a message is whole
# in the spool or was not acknowledged; the answer is 4yz, and comes at once.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/faults.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/faults.sh"
faults_need
make_conf 'min-free = 0' '[example.com]' '[example.net]'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    'RCPT TO:<1@example.net>' DATA 'Subject: x' '' 'text' . QUIT >"$tmp/in"
say 'Subject: x' '' 'text' >"$tmp/content"

# once KINDS N DEED: one session.
once()
{
	empty_spool
	# pipes: a file would count as one of the disk's
	# shellcheck disable=SC2002
	cat "$tmp/in" 2>/dev/null | faulty "$@" bmx-receive 2>/dev/null | cat >"$tmp/out"
	fault_common "$(cat "$tmp/status")"
	receive_judge "$tmp/content"
	case "$1 $3" in *kill-*) return ;; send* | recv* | memory*) ;; *)
		codes "$tmp/out" | grep -q '^4\|^250 2.0.0' || wrong "no answer, status $(cat "$tmp/status"): $(cat "$tmp/out" "$tmp/err"; tail -n 3 "$tmp/bmx.log")"
		;;
	esac
	[ -z "$(cd "$tmp/spool" && find . -path '*/tmp/*')" ] || wrong "left in tmp/"
}

once none 1 EIO
is 'without a fault it is stored' "$(last_code "$tmp/out") $kept" '250 2.0.0 2'

# ---- every call of each kind ----

faults_of once create open mkdir chmod write sync link close random opendir \
    read recv send \
    memory=ENOMEM write=short disk=EINTR disk=kill-before disk=kill-after

# ---- another message behind one that a sync refused ----

{
	sed '$d' "$tmp/in"
	sed 1d "$tmp/in"
} >"$tmp/twice"

# twice KINDS N DEED: what is kept is what was acknowledged.
twice()
{
	empty_spool
	# shellcheck disable=SC2002
	cat "$tmp/twice" | faulty "$@" bmx-receive 2>/dev/null | cat >"$tmp/out"
	fault_common "$(cat "$tmp/status")"
	queued_n=$(codes "$tmp/out" | grep -c '^250 2.0.0')
	kept_n=$(find "$tmp"/spool/example.*/new -type f | wc -l)
	[ "$kept_n" -ge "$((2 * queued_n))" ] || wrong 'acknowledged and lost'
	# who is killed may have kept what it had not yet said
	case $3 in kill-*) return ;; esac
	[ "$kept_n" -eq "$((2 * queued_n))" ] ||
	    wrong "$kept_n kept, and $queued_n replies"
}

faults_of twice sync

# ---- every error ----

# refusals KINDS N: "ERROR REPLY" for each error, of the message's last reply.
refusals()
{
	for error in EIO ENOSPC EDQUOT EROFS EMFILE ENFILE ENOMEM EINTR EACCES; do
		once "$1" "$2" "$error"
		was_hit || wrong 'was not hit'
		echo "$error $(codes "$tmp/out" | grep '^4' | sort -u | tr '\n' ' ')"
		faults=$((faults + 1))
	done
}

said='EIO 451 4.3.0 
ENOSPC 452 4.3.1 
EDQUOT 452 4.3.1 
EROFS 451 4.3.0 
EMFILE 451 4.3.0 
ENFILE 451 4.3.0 
ENOMEM 451 4.3.0 
EINTR 451 4.3.0 
EACCES 451 4.3.0 '
for kind in mkdir sync link; do
	is "every error of $kind has its code" "$(refusals "$kind" 1)" "$said"
	is "every error of $kind from then on" "$(refusals "$kind" 1+)" "$said"
done

faults_enough 200
done_testing
