#!/bin/sh
# The tests' own tools: what they report has to be true.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
plan 20

# inner FILE: run a test of its own, as make check would.
inner()
{
	{
		# shellcheck disable=SC2016 # for the inner shell
		echo '. "$top_srcdir/tests/lib/tap.sh"'
		cat
	} >"$tmp/inner.t"
	status=0
	out=$(TMPDIR=$tmp /bin/sh "$tmp/inner.t" 2>&1) || status=$?
}

inner <<'E'
plan 3
ok "true succeeds" true
is "equal texts" "a b" "a b"
like "a text" "one
two" '^tw'
E
is "a good test exits 0" "$status" 0
like "and counts" "$out" '^ok 3 - a text$'

inner <<'E'
plan 1
ok "false fails" false
E
is "a failed test exits 1" "$status" 1
like "and says so" "$out" '^not ok 1 - false fails$'

inner <<'E'
plan 2
pass "one"
E
is "a test that ends early fails" "$status" 1

inner <<'E'
pass "one"
exit 0
E
like "a test without a plan fails" "$out" '^Bail out!'

inner <<'E'
need no-such-program
plan 1
E
is "a missing program skips the test" "$out" \
    "1..0 # SKIP no-such-program is not installed"

inner <<'E'
plan 1
touch "$tmp/keep-me"
echo "tmp $tmp"
pass "one"
E
dir=$(printf '%s\n' "$out" | sed -n 's/^tmp //p')
like "the directory is in TMPDIR" "$dir" "^$tmp/bmx-test"
ok "and removed at the end" test ! -e "$dir"

inner <<'E'
plan 1
start_bg tail tail -f /dev/null
echo "pid $(pid_of tail)"
kill -s STOP "$(pid_of tail)"
at_exit 'echo last'
at_exit 'echo first'
exit 3
E
pid=$(printf '%s\n' "$out" | sed -n 's/^pid //p')
ok "what was started is stopped at the end, even when it was frozen" \
    wait_gone "$pid"
is "what was to be done at the end is done, the last first" \
    "$(printf '%s\n' "$out" | grep -E '^(first|last)$')" "first
last"

# shellcheck disable=SC2016 # for the inner shell
start_bg child sh -c 'tail -f /dev/null & echo $! >"$tmp/grandchild"; wait'
ok "a file that appears ends the wait" wait_for 10 test -s "$tmp/grandchild"
stop child
ok "the children of what is stopped are stopped" \
    wait_gone "$(cat "$tmp/grandchild")"

start_bg crashing tail -f /dev/null
pid=$(pid_of crashing)
crash crashing
ok "a crash ends the process" wait_gone "$pid"

exits "an event that does not come ends the wait too" 1 wait_for 0 false
p=$(free_port)
like "a free port is a number" "$p" '^[0-9]{4,5}$'
exits "and free" 1 "$tap_await" listen 0 127.0.0.1 "$p"

inner <<'E'
start_bg server sh -c 'echo "Traceback (most recent call last):"; echo 25'
wait_up server
echo "up"
start_bg broken sh -c 'echo "Traceback (most recent call last):"; echo "it is 25 of them"'
wait_up broken
echo "up again"
E
like "a port is the sign that a server listens" "$out" '^up$'
like "a traceback is not" "$out" '^Bail out! broken does not start: it is 25 of them$'

make_conf '[example.com]' 'primary = 127.0.0.1:1'
is "the configuration is where the programs look" \
    "$(sed -n 's/^spool = //p' "$BMX_CONF")" "$tmp/spool"
