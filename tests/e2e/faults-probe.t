#!/bin/sh
# bmx-probe when the nth call fails, or is its last, for every n: it says
# nothing false about the primary, and the state is the old one or the new one.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
# shellcheck source=tests/fake/primary.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/fake/primary.sh"
faults_need
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'rise = 1' 'fall = 1'
primary_start
state=$tmp/spool/example.com/primary

# The last state is "down", and the primary is up.
stop primary
bmx-probe >/dev/null 2>&1
cp -a "$tmp/spool" "$tmp/down"
primary_start

# once KINDS N DEED
once()
{
	rm -rf "$tmp/spool"
	cp -a "$tmp/down" "$tmp/spool"
	status=0
	faulty "$@" bmx-probe 2>"$tmp/err" | cat >"$tmp/out"
	status=$(cat "$tmp/status")
	fault_common "$status"
	verdict=$(sed -n 's/^verdict //p' "$state" 2>/dev/null)
	case $verdict in
	up | down | deferring | unknown) ;;
	*) wrong "the state says '$verdict'" ;;
	esac
	case "$1 $3" in *kill-*) ;; *)
		[ "$status" -ne 0 ] || [ "$(cut -f 2 "$tmp/out")" = up ] ||
		    wrong "0, and $(cat "$tmp/out")"
		[ "$status" -eq 0 ] || [ -s "$tmp/err" ] || [ -s "$tmp/out" ] ||
		    wrong "status $status, and no word"
		;;
	esac
	bmx-probe >"$tmp/again" 2>&1
	[ "$(cut -f 2 "$tmp/again")" = up ] || wrong "then: $(cat "$tmp/again")"
}

once none 1 EIO
is 'without a fault: up' "$(cut -f 2 "$tmp/out") $verdict" 'up up'

faults_of once create open mkdir write sync rename unlink close read opendir \
    random send recv socket connect pipe chmod \
    memory=ENOMEM write=short disk=kill-before disk=kill-after
for error in ENOSPC EDQUOT EROFS EMFILE ENFILE ENOMEM EINTR EACCES; do
	once open 2 "$error"
	once disk 1 "$error"
	once disk 1+ "$error"
	once socket 1+ "$error"
done >"$tmp/wrong"
is 'every error' "$(cat "$tmp/wrong")" ''

# What a rehearsal learns, that this primary takes mail for anybody, is in the
# state directory; what becomes of that is no word about the primary.
echo "state = $tmp/state" >"$tmp/line"
sed -i "/^spool/r $tmp/line" "$BMX_CONF"

# rehearse_once KINDS N DEED
rehearse_once()
{
	rm -rf "$tmp/state"
	mkdir -m 700 "$tmp/state"
	status=0
	faulty "$@" bmx-probe --rehearse --burst 1 >"$tmp/out" 2>"$tmp/err" ||
	    status=$?
	fault_common "$status"
	case "$1 $3" in *kill-*) ;; *)
		grep -q ': a drain would be taken$' "$tmp/out" || [ "$status" -ge 64 ] ||
		    wrong "$status, and $(cat "$tmp/out")"
		[ "$status" -eq 0 ] || [ -s "$tmp/err" ] || wrong "status $status, and no word"
		;;
	esac
	bmx-probe --rehearse --burst 1 >/dev/null 2>"$tmp/err" ||
	    wrong "then: $(cat "$tmp/err")"
	bmx-queue recipients list 2>&1 | grep -q catch-all || wrong 'then: it is not learned'
}
rehearse_once sync 1 EIO >"$tmp/wrong"
is 'what was learned cannot be synced' "$(cat "$tmp/wrong")" ''
ok 'there was such a call' was_hit
faults_of rehearse_once create mkdir write sync disk=kill-before
faults_enough 100
done_testing
