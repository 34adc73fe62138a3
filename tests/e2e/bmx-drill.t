#!/bin/sh
# bmx-drill on a live pair: bmx-receive on a port, Postfix as the primary. It
# sees mail wait and go home, says so when it does not, and leaves nothing
# behind, however it ends.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh source=tests/lib/listen.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/listen.sh"
. "$top_srcdir/tests/fake/primary.sh"
need curl python3
PATH=$top_srcdir/scripts:$PATH
port=$(free_port)
primary_make

# pair PRIMARY-PORT [SETTING OF THE HOST]
pair()
{
	make_conf 'min-free = 1M' "${2-}" '[example.com]' "primary = 127.0.0.1:$1" 'tls = may' \
	    'rise = 1' 'fall = 1'
}
# listen_again [SETTING OF THE HOST]
listen_again()
{
	stop systemd
	pair "$primary_port" "$@"
	listen_start systemd "$port" "$top_builddir/bmx-receive"
}
drill()
{
	timeout 60 bmx-drill -m "127.0.0.1:$port" "$@"
}
# all is as before, but for the message that was handed over
is_put_back()
{
	ok "$1: nothing is paused" test ! -e "$tmp/spool/example.com/paused"
	is "$1: nothing waits" "$(bmx-queue count)" 0
	is "$1: no file is left" "$(find "$tmp/work" -mindepth 1)" ''
}
mkdir "$tmp/work"
export TMPDIR="$tmp/work"

# ---- a primary that can be told to misbehave ----

pair "$primary_port"
listen_start systemd "$port" "$top_builddir/bmx-receive"
primary_start
exits "a drill: 0" 0 drill postmaster@example.com
id=$(sed -n 's/^spooled  *\([^,]*\),.*/\1/p' "$tmp/out")
is "it tells each step" "$(cut -d ' ' -f 1 "$tmp/out" | tr '\n' ' ')" \
    'paused spooled waits resumed arrived replied PASSED '
like "when it arrived, by the ledger" "$(cat "$tmp/out")" \
    "^arrived +at 127\.0\.0\.1:$primary_port, [0-9.]+ s after it was resumed, [0-9.]+ s after"
is "the primary has it" "$(primary_count)" 1
like "with its tag" "$(cat "$primary/1.msg")" '^Subject: bmx drill [0-9]+-[0-9]+'
like "the log tells of the pause" "$(cat "$tmp/bmx.log")" 'action=paused .*reason="?drill '
is_put_back "passed"

primary_renew 'dot 451 4.3.0 not today'
exits "a primary that defers it: 1" 1 drill -t 2 postmaster@example.com
like "is not passed, with the reason" "$(cat "$tmp/err")" '451 4\.3\.0 not today'
like "and the message is removed" "$(cat "$tmp/out")" '^removed '
is_put_back "deferred"

primary_renew 'data stall'
start_bg drill bmx-drill -m "127.0.0.1:$port" postmaster@example.com
ok "a drill is going on" wait_for 20 grep -q ' C: DATA' "$primary/log"
stop drill
like "one that is ended" "$(cat "$tmp/drill.log")" '^resumed'
is_put_back "ended in the middle"

listen_again 'greet-delay = 1'
start_bg drill bmx-drill -m "127.0.0.1:$port" postmaster@example.com
ok "its message is on its way" wait_for 20 sh -c "grep -q 'Connected to' '$tmp'/work/*/said"
stop drill
like "ended then, the message does not stay" "$(cat "$tmp/drill.log")" '^removed '
is_put_back "ended while it is sent"
listen_again

primary_renew
# meanwhile PROGRAM COMMAND...: one of that name, which does this first
meanwhile()
{
	mkdir -p "$tmp/meanwhile"
	real=$(command -v "$1")
	printf '#!/bin/sh\n%s\nexec %s "$@"\n' "$2" "$real" >"$tmp/meanwhile/$1"
	chmod 755 "$tmp/meanwhile/$1"
}
meanwhile bmx-flush "bmx-queue pause -r 'new disk' example.com"
PATH=$tmp/meanwhile:$PATH exits "paused by somebody meanwhile: 69" 69 drill postmaster@example.com
like "which is left to them" "$(cat "$tmp/spool/example.com/paused")" '^reason new disk$'
like "the message is not" "$(cat "$tmp/out")" '^removed '
bmx-queue resume example.com >/dev/null
is_put_back "paused meanwhile"

rm "$tmp/meanwhile/bmx-flush"
meanwhile date "case \$1 in +%Y-%m) [ -e '$tmp/asked' ] && echo 2099-01 && exit; : >'$tmp/asked' ;; esac"
PATH=$tmp/meanwhile:$PATH exits "the month ends in the middle: 0" 0 drill postmaster@example.com
is_put_back "into another month"

exits "nobody takes the message: 1" 1 timeout 60 bmx-drill -m "127.0.0.1:$(free_port)" \
    postmaster@example.com
like "it says why" "$(cat "$tmp/err")" 'did not take the message'
is_put_back "not taken"
exits "a recipient of another domain: 69" 69 drill postmaster@other.example
like "it says that" "$(cat "$tmp/err")" 'not in bmx.conf'
bmx-queue pause -r 'new disk' example.com >/dev/null
exits "paused by somebody: 69" 69 drill postmaster@example.com
like "it says how to end that" "$(cat "$tmp/err")" 'bmx-queue resume example.com'
ok "which it leaves to them" test -e "$tmp/spool/example.com/paused"
bmx-queue resume example.com >/dev/null
stop primary
exits "the primary is down: 69" 69 drill postmaster@example.com
like "it is no time for a drill" "$(cat "$tmp/err")" 'no time for a drill'
is_put_back "no drill"
for wrong in '' 'nobody' 'a@b@c' 'a@b c@d' 'a@example.com.' '-t 0 a@b.example' '-x a@b.example'; do
	# shellcheck disable=SC2086 # words
	exits "wrong: $wrong: 64" 64 drill $wrong
done
exits "-h: 0" 0 bmx-drill -h
is "fits a terminal" "$(awk 'length > 79 { print } END { if (NR > 24) print NR }' \
    "$tmp/out")" ''

# ---- Postfix ----

if command -v postconf >/dev/null && [ "$(id -u)" -eq 0 ]; then
	postfix_make
	postfix_start
	pair "$postfix_port"
	exits "with Postfix as the primary: 0" 0 drill -f alice@example.org bob@example.com
	ok "Postfix delivers it" postfix_wait 1
	is "to whom it was sent" "$(cat "$postfix"/mail/*.env)" 'from alice@example.org
to bob@example.com'
	like "its reply is told" "$(cat "$tmp/out")" '^replied +250 2\.0\.0 Ok: .*queued as'
	is_put_back "with Postfix"
else
	for what in 'with Postfix as the primary: 0' 'Postfix delivers it' \
	    'to whom it was sent' 'its reply is told' \
	    'with Postfix: nothing is paused' 'with Postfix: nothing waits' \
	    'with Postfix: no file is left'; do
		skip "$what" 'postfix is not installed, or we are not root'
	done
fi
primary_check
done_testing
