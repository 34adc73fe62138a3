# shellcheck shell=sh
# TAP for tests in POSIX sh. The first lines of a test are
#
#	#!/bin/sh
#	. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
#	plan 3
#
# make check sets top_srcdir and top_builddir. By hand, from a build directory
# after "make && make tests/lib/await":  sh ../tests/e2e/bmx-receive-pipe.t
#
# What a test gets:
#	$tmp		a directory of its own, removed at the end
#	bmx-queue ...	the programs that were built, first in PATH
#	make_conf	$BMX_CONF (below), so that no -c is needed
#
# Everything started with start_bg is stopped at the end, by its process id,
# however the test ends. KEEP=1 in the environment keeps $tmp for a look.

set -u
umask 022
unset BMX_CONF NO_COLOR
LC_ALL=C
TZ=UTC
export LC_ALL TZ

top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd)
top_builddir=$(cd "${top_builddir:-.}" && pwd)
BMX_TLS_MODULE=${BMX_TLS_MODULE:-$top_builddir/bmx-tls.so}
PATH=$top_builddir:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export top_srcdir top_builddir BMX_TLS_MODULE PATH

tap_count=0
tap_failed=0
tap_plan=
tap_bg=

# ---- the end ----

# at_exit COMMAND: run by the shell at the end, the last one first.
tap_exit=
at_exit()
{
	tap_exit="$1
$tap_exit"
}

tap_end()
{
	tap_status=$?
	trap '' INT TERM HUP
	trap - EXIT
	eval "$tap_exit"
	for tap_name in $tap_bg; do
		stop "$tap_name"
	done
	if [ -n "${KEEP:-}" ]; then
		diag "kept $tmp"
	else
		rm -rf "$tmp"
	fi
	if [ "$tap_plan" = '' ]; then
		echo "Bail out! no plan: the test ended early (status $tap_status)"
	elif [ "$tap_plan" -ne "$tap_count" ]; then
		diag "planned $tap_plan tests, ran $tap_count (status $tap_status)"
		tap_failed=1
	fi
	[ "$tap_failed" -eq 0 ] || exit 1
	exit "$tap_status"
}

# ---- TAP ----

plan()
{
	tap_plan=$1
	echo "1..$1"
}

# Instead of plan, at the end, when the number is not known before.
done_testing()
{
	plan "$tap_count"
}

diag()
{
	printf '%s\n' "$*" | sed 's/^/# /'
}

bail()
{
	echo "Bail out! $*"
	tap_plan=$tap_count
	tap_failed=1
	exit 1
}

# skip_all WHY: nothing of this test can run here. Only before plan.
skip_all()
{
	echo "1..0 # SKIP $*"
	tap_plan=0
	exit 0
}

# skip "test" "why"
skip()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

pass()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

# fail "test" [lines to show]
fail()
{
	tap_count=$((tap_count + 1))
	tap_failed=1
	echo "not ok $tap_count - $1"
	shift
	[ $# -eq 0 ] || diag "$@"
}

# ok "test" COMMAND...: the command succeeds. Its output is shown when not.
ok()
{
	tap_what=$1
	shift
	if "$@" >"$tmp/.ok" 2>&1; then
		pass "$tap_what"
	else
		fail "$tap_what" "failed ($?): $*"
		sed 's/^/# /' "$tmp/.ok"
	fi
}

# exits "test" STATUS COMMAND...: the command ends with this exit status. What
# it wrote is in $tmp/out and $tmp/err.
exits()
{
	tap_what=$1
	tap_want=$2
	shift 2
	tap_got=0
	"$@" >"$tmp/out" 2>"$tmp/err" || tap_got=$?
	if [ "$tap_got" -eq "$tap_want" ]; then
		pass "$tap_what"
	else
		fail "$tap_what" "status $tap_got, not $tap_want: $*"
		sed 's/^/# /' "$tmp/out" "$tmp/err"
	fi
}

# is "test" GOT EXPECTED
is()
{
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "     got: $2" "
expected: $3"
	fi
}

# like "test" TEXT REGEX (grep -E, any line)
like()
{
	if printf '%s\n' "$2" | grep -Eq -e "$3"; then
		pass "$1"
	else
		fail "$1" "no line of this matches $3:
$2"
	fi
}

unlike()
{
	if printf '%s\n' "$2" | grep -Eq -e "$3"; then
		fail "$1" "a line of this matches $3:
$2"
	else
		pass "$1"
	fi
}

# same "test" FILE FILE: byte for byte.
same()
{
	ok "$1" cmp "$2" "$3"
}

# ---- waiting: bounded, for an event ----

# wait_for SECONDS COMMAND...: until the (external) command succeeds.
wait_for()
{
	tap_seconds=$1
	shift
	"$tap_await" true "$tap_seconds" "$@" >/dev/null 2>&1
}

# wait_port PORT: until somebody listens on 127.0.0.1.
wait_port()
{
	"$tap_await" listen 20 127.0.0.1 "$1"
}

# wait_gone PID: until the process has ended.
wait_gone()
{
	"$tap_await" gone 20 "$1"
}

# wait_up NAME [LINE]: until this server of start_bg's has printed that it
# listens: its port, or LINE. Anything else that it says is trouble.
wait_up()
{
	tap_line=${2:-[0-9]+}
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c 'grep -qxE -e "$1" "$2" || "$3" gone 0 "$4"' sh \
	    "$tap_line" "$tmp/$1.log" "$tap_await" "$(pid_of "$1")"
	grep -qxE -e "$tap_line" "$tmp/$1.log" ||
	    bail "$1 does not start: $(tail -n 1 "$tmp/$1.log")"
}

# free_port: print a port that nobody has, TCP or UDP.
free_port()
{
	"$tap_await" port 1
}

# ---- processes ----

# start_bg NAME COMMAND...: in the background, output in $tmp/NAME.log, leader
# of its process group. NAME is one word.
start_bg()
{
	tap_name=$1
	shift
	"$tap_await" group "$@" </dev/null >"$tmp/$tap_name.log" 2>&1 &
	echo $! >"$tmp/$tap_name.pid"
	tap_bg="$tap_name $tap_bg"
}

# adopt NAME PIDFILE: a daemon that put itself into the background is stopped at
# the end like the others.
adopt()
{
	wait_for 20 test -s "$2" || bail "$1 wrote no $2"
	tr -cd '0-9' <"$2" >"$tmp/$1.pid"
	tap_bg="$1 $tap_bg"
}

# pid_of NAME
pid_of()
{
	cat "$tmp/$1.pid"
}

# stop NAME: ask it to end, wait, insist; then what it left in its group.
stop()
{
	[ -f "$tmp/$1.pid" ] || return 0
	tap_pid=$(pid_of "$1")
	kill -s CONT -- "$tap_pid" 2>/dev/null
	kill -s TERM -- "$tap_pid" 2>/dev/null
	"$tap_await" gone 10 "$tap_pid" || kill -s KILL -- "$tap_pid" 2>/dev/null
	kill -s KILL -- "-$tap_pid" 2>/dev/null
	wait "$tap_pid" 2>/dev/null
	rm -f "$tmp/$1.pid"
}

# crash NAME: kill -9 it with its group, as a power cut would.
crash()
{
	tap_pid=$(pid_of "$1")
	kill -s KILL -- "-$tap_pid" "$tap_pid" 2>/dev/null
	wait "$tap_pid" 2>/dev/null
	rm -f "$tmp/$1.pid"
}

# freeze NAME, thaw NAME: it hangs; it goes on.
freeze()
{
	kill -s STOP -- "-$(pid_of "$1")"
}

thaw()
{
	kill -s CONT -- "-$(pid_of "$1")"
}

# ---- what a test needs of the system ----

# need PROGRAM...: skip the whole test when one is not installed.
need()
{
	for tap_program; do
		command -v "$tap_program" >/dev/null ||
		    skip_all "$tap_program is not installed"
	done
}

need_root()
{
	[ "$(id -u)" -eq 0 ] || skip_all "needs root${1:+: $1}"
}

# ---- bmx ----

# make_conf LINE...: write $BMX_CONF with an empty spool $tmp/spool and the log
# in $tmp/bmx.log. The lines are added to section [bmx]; domains follow as
# lines of their own: make_conf 'max-size = 1000' '[example.com]' 'primary = ...'
# A domain that does not say admit has "admit = spool": no test relays live, or
# asks DNS where to, without wanting it.
make_conf()
{
	[ -d "$tmp/spool" ] || mkdir -m 700 "$tmp/spool" || bail "mkdir $tmp/spool"
	BMX_CONF=$tmp/bmx.conf
	export BMX_CONF
	cat >"$BMX_CONF" <<-E
		[bmx]
		hostname = backup.example.net
		spool = $tmp/spool
		log = $tmp/bmx.log
	E
	[ "$(id -u)" -ne 0 ] || echo 'user = root' >>"$BMX_CONF"
	[ $# -eq 0 ] || printf '%s\n' "$@" | awk '
		function end() { if (is_domain) print "admit = spool" }
		/^\[/ { end(); is_domain = 1 }
		/^admit/ { is_domain = 0 }
		{ print }
		END { end() }' >>"$BMX_CONF"
}

# faketime_works, or $faketime_why says why not. It replaces calls: not with ASan,
# and not the ones for 64 bits of time on machines of 32, up to 0.9.10.
faketime_why='libfaketime does not reach the clock of these programs'
faketime_works()
(
	mkdir "$tmp/faketime" && tmp=$tmp/faketime && make_conf '[example.com]' || exit 1
	printf 'QUIT\r\n' | FAKETIME_DONT_FAKE_MONOTONIC=1 \
	    faketime -f '@2001-01-01 00:00:00' bmx-receive >/dev/null 2>&1
	grep -q '^2001-' "$tmp/bmx.log" 2>/dev/null
)

# crlf: stdin with LF line ends to stdout with CRLF.
crlf()
{
	awk '{ printf "%s\r\n", $0 }'
}

# ---- begin ----

tap_await=$top_builddir/tests/lib/await
if [ ! -x "$tap_await" ]; then
	echo "Bail out! $tap_await is missing: make tests/lib/await"
	exit 1
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/bmx-test.XXXXXX") || exit 1
chmod 755 "$tmp"
export tmp
trap tap_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
