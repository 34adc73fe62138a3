#!/bin/sh
# C3: what EHLO offers is what the primaries last offered, so that nothing is
# taken now that they could not take later.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/fake/primary.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make

mkdir -m 700 "$tmp/state"
make_conf 'min-free = 1M' 'max-size = 1000000' "state = $tmp/state" \
    '[example.com]' "primary = 127.0.0.1:$primary_port" 'admit = through' \
    'reply-timeout = 2s' 'tls = none' '[example.net]'

# offers: the keywords, one a line, sorted.
offers()
{
	say 'EHLO c' QUIT | bmx-receive | tr -d '\r' |
	    sed -n 's/^250[ -]//p' | sed 1d | sort
}

# mirrored: of those that depend on the primary, on one line.
mirrored()
{
	offers | grep -E '^(SIZE|8BITMIME|SMTPUTF8|DSN|REQUIRETLS)' | tr '\n' ' '
}

# learn KEYWORD...: a primary that offers these is seen in a session.
learn()
{
	[ ! -f "$tmp/primary.pid" ] || stop primary
	rm -rf "$primary"
	for learn_keyword; do
		set -- "$@" -e "$learn_keyword"
		shift
	done
	primary_start "$@"
	say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<bob@example.com>' QUIT |
	    bmx-receive >"$tmp/out"
	primary_check
}

is 'no primary was ever seen: ours' "$(mirrored)" '8BITMIME DSN SIZE 1000000 SMTPUTF8 '
learn PIPELINING 'SIZE 0' 8BITMIME SMTPUTF8 DSN
is 'it takes all: ours' "$(mirrored)" '8BITMIME DSN SIZE 1000000 SMTPUTF8 '
learn PIPELINING 'SIZE 50000' 8BITMIME
is 'it lacks SMTPUTF8 and DSN, and takes less' "$(mirrored)" '8BITMIME SIZE 47952 '
like 'what is ours alone is offered all the same' "$(offers)" '^CHUNKING$'
like 'PIPELINING too' "$(offers)" '^PIPELINING$'

# ---- held to it ----

# mail PARAMETERS: the code of the reply to MAIL.
mail()
{
	say 'EHLO c' "MAIL FROM:<a@s.example> $1" QUIT | bmx-receive >"$tmp/out"
	codes "$tmp/out" | sed -n 3p
}
is 'D30 SMTPUTF8 is refused' "$(mail SMTPUTF8)" '555 5.5.4'
is 'D39 so is a parameter of DSN' "$(mail RET=HDRS)" '555 5.5.4'
is 'D23 a size it would not take' "$(mail SIZE=47953)" '552 5.3.4'
is 'D23 one it would' "$(mail SIZE=47952)" '250 2.1.0'
is '8BITMIME is taken' "$(mail BODY=8BITMIME)" '250 2.1.0'
learn 'SIZE 0'
is 'not from a primary without it' "$(mail BODY=8BITMIME)" '555 5.5.4'

# ---- it lasts ----

learn PIPELINING 'SIZE 50000' 8BITMIME
stop primary
say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<bob@example.com>' QUIT |
    bmx-receive >"$tmp/out"
is 'it is down: as it was' "$(mirrored)" '8BITMIME SIZE 47952 '

# seen DOMAIN TIME KEYWORD...: last seen good then.
seen()
{
	seen_dir=$tmp/spool/$1
	for seen_part in tmp new cur log; do
		mkdir -p "$seen_dir/$seen_part"
	done
	{
		printf 'verdict up\nsince %s\nprobed %s\ngood %s\nlast up\nrun 1\n' \
		    "$2" "$2" "$2"
		shift 2
		printf '%s\n' "$@"
	} >"$seen_dir/primary"
}
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
seen example.net "$now" 'plain SIZE 40000' 'plain SMTPUTF8'
is 'two domains: the least of both' "$(mirrored)" 'SIZE 37952 '
seen example.net "$now" 'plain SIZE 1' 'secured SIZE 60000' \
    'secured 8BITMIME' 'secured REQUIRETLS'
is 'what was offered inside TLS counts, where there was TLS' "$(mirrored)" \
    '8BITMIME SIZE 47952 '
seen example.net 2020-01-01T00:00:00Z 'plain SIZE 1'
is 'what was long ago does not count' "$(mirrored)" '8BITMIME SIZE 47952 '
echo nonsense >"$tmp/spool/example.net/primary"
is 'nor what cannot be read' "$(mirrored)" '8BITMIME SIZE 47952 '

# ---- it is written down when it changes, and only then ----

rm "$tmp/spool/example.com/primary"
learn PIPELINING XFORWARD 'XCLIENT NAME ADDR' 'LIMITS RCPTMAX=500' 'SIZE 0' 8BITMIME
touch -d @1000000000 "$tmp/spool/example.com/primary"
say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<bob@example.com>' QUIT |
    bmx-receive >"$tmp/out"
is 'a primary that is as it was: nothing is written' \
    "$(stat -c %Y "$tmp/spool/example.com/primary")" 1000000000
learn PIPELINING 'SIZE 0'
is 'one that offers less: at once' "$(mirrored)" 'SIZE 1000000 '
done_testing
