# shellcheck shell=sh
# Calls that fail, after tap.sh: faulty.c has the kinds and the deeds.
#
#	faults_need				or skip the test
#	faulty KINDS N DEED COMMAND...		one run, at most 10 seconds
#						status in $tmp/status too
#	was_hit					it came to that call
#	faults_each KINDS DEED FUNCTION		FUNCTION KINDS N DEED, for N from
#						1 until there is no such call
#	faults_of FUNCTION KIND[=DEED]...	a test for each, of the deed (or
#						$fault_error) at each such call
#	faults_sample STEP			every STEPth call will do
#	faults_enough N				a test: there were more than N
#	flush_faulty START KINDS N DEED		bmx-flush on a copy of the spool
#						START with the fault, and again
#						without, after fake/flush.sh
#						and fake/primary.sh
#
# scripts/faults runs these tests for each error and kill, and samples nothing: it
# sets FAULTS_ERROR. $fault_via, when it is set, gets what faulty runs as its arguments.
#
# FUNCTION prepares, calls faulty, and prints what is wrong afterwards. $faults
# counts the runs that were hit. wrong WHAT... is for it to say: which run, and
# what.

faults=0
fault_error=${FAULTS_ERROR:-EIO}
fault_step=1
fault_via=

faults_need()
{
	faulty=$top_builddir/tests/lib/faulty.so
	[ -e "$faulty" ] || bail "$faulty is missing: make tests/lib/faulty.so"
	! grep -q __asan_init "$top_builddir/bmx-queue" ||
	    skip_all 'a preloaded library and the address sanitizer exclude each other'
	fault=$tmp/fault
}

faulty()
{
	echo "$1 $2 $3" >"$tmp/fault-run"
	rm -f "$fault"
	fault_set="FAULTY_CALLS=$1 FAULTY_AT=$2 FAULTY_DO=$3"
	shift 3
	# shellcheck disable=SC2086 # a list of words
	timeout -s KILL "${FAULTS_SECONDS:-10}" $fault_via env $fault_set FAULTY_FILE="$fault" \
	    LD_PRELOAD="$faulty" "$@"
	echo $? >"$tmp/status"
	return "$(cat "$tmp/status")"
}

was_hit()
{
	grep -aq '^hit' "$fault" 2>/dev/null
}

wrong()
{
	echo "$(cat "$tmp/fault-run"): $*"
}

# fault_common STATUS: what no fault excuses: a crash, a hang, a second try at a
# sync that failed.
fault_common()
{
	! grep -aq again "$fault" || wrong 'synced again after that had failed'
	case $(cat "$tmp/fault-run") in *kill-*) return ;; esac
	[ "$1" -lt 124 ] || wrong "ended with status $1"
}

flush_faulty()
{
	rm -rf "$spool" "$primary"/*.msg "$primary"/*.env
	cp -a "$1" "$spool"
	shift
	status=0
	faulty "$@" bmx-flush --now 2>/dev/null >"$tmp/out" || status=$?
	fault_common "$status"
	flush_again --now 2>/dev/null
}

faults_sample()
{
	[ -n "${FAULTS_ERROR:-}" ] || fault_step=$1
}

faults_enough()
{
	[ "$fault_error" = EIO ] || set -- 0
	ok "there were calls to fail" test "$faults" -gt "$1"
}

faults_each()
{
	fault_n=1
	while
		"$3" "$1" "$fault_n" "$2"
		was_hit
	do
		faults=$((faults + 1))
		fault_n=$((fault_n + fault_step))
		[ "$fault_n" -lt 2000 ] || bail "$1 has no end"
	done
}

faults_of()
{
	fault_function=$1
	shift
	case $fault_error in kill-*) set -- disk ;; esac
	for fault_kind; do
		fault_deed=$fault_error
		case "${FAULTS_ERROR:-EIO} $fault_kind" in
		'EIO '*=*) fault_deed=${fault_kind#*=} ;;
		*=*) continue ;; # once will do
		esac
		fault_count=$faults
		faults_each "${fault_kind%=*}" "$fault_deed" "$fault_function" >"$tmp/wrong"
		is "$((faults - fault_count)) times ${fault_kind%=*}: $fault_deed" \
		    "$(cat "$tmp/wrong")" ''
	done
}

# receive_judge CONTENT [N]: after a session of bmx-receive with one message,
# replies in $tmp/out: what is wrong. $kept: how many domains have it; N, or one
# for each recipient, have to.
receive_judge()
{
	kept=0
	for fault_file in "$tmp"/spool/example.*/new/*; do
		[ -e "$fault_file" ] || continue
		kept=$((kept + 1))
		is_whole "$fault_file" || wrong "$fault_file is not whole"
		content_of "$fault_file" | cmp -s - "$1" ||
		    wrong "$fault_file has not the content"
	done
	codes "$tmp/out" | grep -v '^50' | grep '^5' && wrong 'for ever'
	if grep -q '^250 2.0.0 Queued' "$tmp/out"; then
		[ "$kept" -eq "${2:-$(grep -c '^250 2.1.5' "$tmp/out")}" ] ||
		    wrong 'acknowledged and lost'
	elif [ "$kept" -gt 0 ] && codes "$tmp/out" | grep -q '^4'; then
		wrong 'refused and kept'
	fi
}
