# shellcheck shell=sh
# A spool with mail in it and a look at what became of it, for tests of
# bmx-flush, after tap.sh.

spool=$tmp/spool
mkmsg=$top_builddir/tests/lib/mkmsg

# put_file FILE [KEY=VALUE]...: FILE into the spool of example.com, with the keys
# of mkmsg. $ids are the IDs, a line each; $id is the last one.
put_file()
{
	put_file=$1
	shift
	ids=$("$mkmsg" "$spool" example.com file="$put_file" "$@") || bail "mkmsg"
	id=${ids##*
}
}

# put SUBJECT [KEY=VALUE]...: the same with a small message, $tmp/SUBJECT.in.
put()
{
	put_subject=$1
	shift
	printf 'Subject: %s\r\n\r\nHello\r\n' "$put_subject" \
	    >"$tmp/$put_subject.in"
	put_file "$tmp/$put_subject.in" "$@"
}

# flush_again [OPTION...]: run bmx-flush, as soon as nobody has the domain any
# more: a worker outlives its flusher for a moment.
flush_again()
{
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c 'bmx-flush "$@"
	    ! grep -a " end=" "$0" | tail -n 1 | grep -q end=busy' \
	    "$tmp/bmx.log" "$@"
}

# waiting: messages in new/ and cur/, held ones too.
waiting()
{
	find "$spool/example.com/new" "$spool/example.com/cur" -type f | wc -l |
	    tr -d ' '
}

# held: messages with flag F.
held()
{
	find "$spool/example.com/cur" -name '*:2,*F*' | wc -l | tr -d ' '
}

# states ID: its recipients' states, "D P F".
states()
{
	cat "$spool"/example.com/*/"$1"*,S=* |
	    sed -n 's/^Bmx-To: \(.\).*/\1/p' | tr '\n' ' ' | sed 's/ $//'
}

# wait_of ID: seconds from its deferral to its next try.
wait_of()
{
	find "$spool/example.com/cur" -name "$1*" -printf '%Ts %Cs\n' |
	    awk '{ print $1 - $2 }'
}

# between "test" N LEAST MOST
between()
{
	ok "$1" test "$2" -ge "$3" -a "$2" -le "$4"
}

# logged REGEX: the matching lines of the log.
logged()
{
	grep -aE -e "$1" "$tmp/bmx.log"
}
