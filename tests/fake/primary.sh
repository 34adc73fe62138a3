# shellcheck shell=sh
# The scripted primary for tests in sh, after tap.sh. fake/primary.py has the
# rows.
#
#	primary_make			$primary_port, $primary
#	primary_start [OPTION...] [ROW...]	(on another host: primary_where=$there,
#				see lib/hosts.sh)
#	stop primary; primary_start
#	primary_count			messages it has stored
#	$primary/N.msg, $primary/N.env, $primary/log, $primary/broken

primary_make()
{
	need python3
	primary_port=$(free_port)
	primary=$tmp/primary
}

primary_start()
{
	rm -f "$tmp/primary.log" # its port is the sign that it listens
	# shellcheck disable=SC2086 # words
	start_bg primary ${primary_where:-} python3 "$top_srcdir/tests/fake/primary.py" \
	    -p "$primary_port" "$primary" "$@"
	wait_up primary
}

# primary_renew [OPTION...] [ROW...]: another one with nothing stored.
primary_renew()
{
	stop primary
	primary_check
	rm -rf "$primary"
	primary_start "$@"
}

primary_count()
{
	find "$primary" -name '*.env' 2>/dev/null | wc -l | tr -d ' '
}

# primary_check: bmx never did what a client must not do.
primary_check()
{
	[ ! -e "$primary/broken" ] ||
	    fail "what it was sent is well formed" "$(cat "$primary/broken")"
}

# primary_find TEXT: the number of the message that has this text.
primary_find()
{
	for primary_file in "$primary"/*.msg; do
		grep -aqF -e "$1" "$primary_file" || continue
		basename "$primary_file" .msg
		return 0
	done
	return 1
}

# primary_said REGEX: lines of its log that match.
primary_said()
{
	grep -aEc -e "$1" "$primary/log"
}
