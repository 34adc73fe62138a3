# shellcheck shell=sh
# For tests of bmx-receive, after tap.sh.

# say LINE...: each with CRLF (printf escapes work in them).
say()
{
	for receive_line; do
		printf '%b\r\n' "$receive_line"
	done
}

# A session in steps: opens; tells LINE...; answers 2; tells QUIT; closes.
# Replies are in $tmp/out.
opens()
{
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	: >"$tmp/out"
	bmx-receive <"$tmp/in" >"$tmp/out" &
	receive_pid=$!
	exec 3>"$tmp/in"
}

tells()
{
	say "$@" >&3
}

# answers N: the N-th reply is there.
answers()
{
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c 'test "$(grep -c "^[0-9][0-9][0-9] " "$0")" -ge "$1"' \
	    "$tmp/out" "$1" || fail 'the session goes on' "$(cat "$tmp/out")"
}

closes()
{
	exec 3>&-
	wait "$receive_pid"
}

# codes FILE: the replies in it, one a line: code and enhanced code.
codes()
{
	tr -d '\r' <"$1" | awk 'substr($0, 4, 1) != "-" {
		print $1 ($2 ~ /^[245]\.[0-9]+\.[0-9]+$/ ? " " $2 : "") }'
}

# last_code FILE: the last reply before that to QUIT.
last_code()
{
	codes "$1" | grep -v '^221' | tail -n 1
}

# queued DOMAIN: the files in its new/, with their path.
queued()
{
	[ ! -d "$tmp/spool/$1/new" ] ||
	    find "$tmp/spool/$1/new" -type f | sort
}

# nothing_queued: no message in any new/, and nothing left in any tmp/.
nothing_queued()
{
	[ -z "$(cd "$tmp/spool" && find . -type f -path '*/new/*' -o \
	    -type f -path '*/tmp/*')" ]
}

empty_spool()
{
	rm -rf "$tmp/spool"
	mkdir -m 700 "$tmp/spool"
}

# content_of FILE: the message as it came, without envelope and our Received.
content_of()
{
	receive_len=$(awk '
		n == 0 && /^Bmx-/ { len += length($0) + 1; next }
		n == 0 && /^Received: from / { n = 1; len += length($0) + 1; next }
		n == 1 && /^[ \t]/ { len += length($0) + 1; next }
		{ exit }
		END { print len + 0 }' "$1")
	tail -c "+$((receive_len + 1))" "$1"
}

# is_whole FILE: as long as its name says.
is_whole()
{
	receive_size=${1##*,S=}
	[ "$(wc -c <"$1")" -eq "${receive_size%%,*}" ]
}

# log_lines REGEX: of the log of make_conf.
log_lines()
{
	grep -E -e "$1" "$tmp/bmx.log"
}
