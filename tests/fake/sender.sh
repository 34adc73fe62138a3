# shellcheck shell=sh
# The server of the senders' domains, where notices go, after primary.sh: the
# same scripted one, another time.
#
#	sender_make			$sender_port, $sender
#	sender_start [OPTION...] [ROW...]
#	sender_renew [OPTION...] [ROW...]
#	sender_count			notices it has stored
#	sender_notice N			what the N-th says: see readdsn.py

sender_make()
{
	need python3
	sender_port=$(free_port)
	sender=$tmp/sender
}

sender_start()
{
	rm -f "$tmp/sender.log"
	start_bg sender python3 "$top_srcdir/tests/fake/primary.py" \
	    -p "$sender_port" "$sender" "$@"
	wait_up sender
}

sender_renew()
{
	stop sender
	[ ! -e "$sender/broken" ] ||
	    fail "notices are well formed" "$(cat "$sender/broken")"
	rm -rf "$sender"
	sender_start "$@"
}

sender_count()
{
	find "$sender" -name '*.env' 2>/dev/null | wc -l | tr -d ' '
}

sender_notice()
{
	python3 "$top_srcdir/tests/lib/readdsn.py" "$sender/$1.msg" 2>&1
}
