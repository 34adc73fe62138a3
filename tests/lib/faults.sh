# shellcheck shell=sh
# Calls that fail, after tap.sh: faulty.c has the kinds and the deeds.
#
#	faults_need				or skip the test
#	faulty KINDS N DEED COMMAND...		one run, at most 20 seconds
#						status in $tmp/status too
#	was_hit					it came to that call
#	faults_each KINDS DEED FUNCTION		FUNCTION KINDS N DEED, for N from
#						1 until there is no such call
#
#
# FUNCTION prepares, calls faulty, and prints what is wrong afterwards. $faults
# counts the runs that were hit. wrong WHAT... is for it to say: which run, and
# what.

faults=0

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
	timeout -s KILL 10 env $fault_set FAULTY_FILE="$fault" \
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

faults_each()
{
	fault_n=1
	while
		"$3" "$1" "$fault_n" "$2"
		was_hit
	do
		faults=$((faults + 1))
		fault_n=$((fault_n + 1))
		[ "$fault_n" -lt 1000 ] || bail "$1 has no end"
	done
}
