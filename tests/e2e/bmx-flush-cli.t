#!/bin/sh
# Options, names, exit status, what a person sees, damaged files.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'max-connections = 1' '[example.net]' "primary = 127.0.0.1:$primary_port"
primary_start

clear_spool()
{
	rm -rf "$spool"/example.com/new/* "$spool"/example.com/cur/*
}

# ---- options ----

exits "--help: 0" 0 bmx-flush --help
like "it tells of the options" "$(cat "$tmp/out")" '--dry-run'
exits "--version: 0" 0 bmx-flush --version
exits "an unknown option: 64" 64 bmx-flush --no-such-option
like "and says which" "$(cat "$tmp/err")" '--no-such-option'
exits "--max -1: 64" 64 bmx-flush --max -1
exits "--check-config: 0" 0 bmx-flush --check-config
exits "no configuration: 78" 78 bmx-flush -c "$tmp/no-such-file"
echo 'colour = red' >"$tmp/bad.conf"
exits "a bad configuration: 78" 78 bmx-flush -c "$tmp/bad.conf"
like "with file and line" "$(cat "$tmp/err")" "bad.conf:1: "
sed "s,^spool = .*,spool = $tmp/no-spool," "$BMX_CONF" >"$tmp/bad.conf"
exits "no spool: 78" 78 bmx-flush -c "$tmp/bad.conf"
like "with its name" "$(cat "$tmp/err")" "$tmp/no-spool"
exits "an empty spool: 0" 0 bmx-flush
exits "a domain that never got mail: 0" 0 bmx-flush example.net

# ---- names ----

put one
exits "a domain that is not in bmx.conf, and one that is: 65" 65 \
    bmx-flush example.org Example.COM.
is "the other one was flushed" "$(primary_count) $(waiting)" "1 0"
exits "no domain name at all: 65" 65 bmx-flush ../example.com
put one
printf '# comment\n\n example.net \r\nexample.com rest\n' >"$tmp/names"
# shellcheck disable=SC2016 # for the inner shell
exits "names from stdin: 0" 0 sh -c 'bmx-flush - <"$0"' "$tmp/names"
is "were flushed" "$(primary_count) $(waiting)" "2 0"

"$mkmsg" "$spool" example.org >"$tmp/id"
exits "mail for a domain that is not in bmx.conf any more: 65" 65 bmx-flush
like "is an alarm" "$(logged alarm=yes)" 'domain=example.org mail waits'
rm -rf "$spool/example.org"
mkdir -m 700 "$spool/example.org"
: >"$spool/example.org/cur"
exits "a directory beside the domains that cannot be read: 75" 75 bmx-flush
like "is an alarm" "$(logged alarm=yes)" 'domain=example.org open example.org/cur: '
rm -rf "$spool/example.org"

# ---- --dry-run, --max ----

primary_renew
put one
first=$id
put two n=2 to=bob@example.com to=carol@example.com
find "$spool" -type f -printf '%p %T@\n' | sort >"$tmp/before"
exits "--dry-run: 0" 0 bmx-flush --dry-run
find "$spool" -type f -printf '%p %T@\n' | sort >"$tmp/after"
like "it tells the route" "$(sed -n 1p "$tmp/out")" \
    "^route example.com 127.0.0.1:$primary_port "
like "and the messages, the oldest first" "$(sed -n 2p "$tmp/out")" \
    "^send example.com $first [0-9]* 1$"
is "all of them" "$(grep -c '^send ' "$tmp/out")" 3
same "nothing is changed" "$tmp/before" "$tmp/after"
is "no connection is made" "$(primary_said .)" 0
exits "--max 2: 0" 0 bmx-flush --max 2
is "two are sent, one waits" "$(primary_count) $(waiting)" "2 1"
exits "the rest: 0" 0 bmx-flush --max 2
is "is sent" "$(primary_count) $(waiting)" "3 0"

# ---- damaged files ----

primary_renew
put one
put bad n=6
set --
for i in $ids; do
	set -- "$@" "$(basename "$spool/example.com/new/$i"*)"
done
put last
cd "$spool/example.com/new" || exit 1
truncate -s 20 "$1"
truncate -s -1 "$2"
: >"$3"
rm "$4" && ln -s "$tmp/one.in" "$4"
rm "$5" && mkfifo "$5"
tr 'B' 'X' <"$6" >"$tmp/x" && cat "$tmp/x" >"$6"
touch "not-a-message" "$id"
cd "$tmp" || exit 1
exits "six damaged files between two good messages: 69" 69 timeout 20 bmx-flush
is "the good ones are delivered" "$(primary_count)" 2
is "the damaged ones are held" "$(find "$spool/example.com/cur" -name '*F' | wc -l)" 6
is "each with an alarm" "$(logged 'alarm=yes id=.* set aside: ' | wc -l)" 6
like "what is no message is reported" "$(logged 'foreign=')" 'foreign=2'
ok "and left alone" test -f "$spool/example.com/new/not-a-message"
exits "then nothing is due: 0" 0 bmx-flush
clear_spool

printf 'Subject: bare\r\n\r\na\nb\r\n' >"$tmp/bare"
put_file "$tmp/bare"
put good
primary_renew
exits "D27: a bare LF in the spool is not sent: 69" 69 bmx-flush
is "it is held, the next message is delivered" "$(held) $(primary_count)" "1 1"
clear_spool

# ---- signals ----

# flush: with its pid where the primary finds it
flush()
{
	# shellcheck disable=SC2016 # for the inner shell
	sh -c 'echo $$ >"$0"; exec bmx-flush' "$tmp/pid"
}

primary_renew "dot#2 run kill -TERM \$(cat $tmp/pid)"
put many n=5
exits "SIGTERM with mail left: 75" 75 flush
left=$(find "$spool/example.com/new" -type f | wc -l)
# a signal that is late finds the next one under way
between "SIGTERM: the transaction is finished" "$(primary_count)" 2 4
is "the rest is as it was" "$(($(primary_count) + left))" 5
like "and the run has its summary" "$(logged 'end=stopped')" \
    "delivered=$((5 - left)) .*left=$left"
clear_spool

python3 -c 'print("Subject: big\r\n\r\n" + ("x" * 70 + "\r\n") * 300000, end="")' \
    >"$tmp/big"
primary_renew "data#1 run kill -INT \$(cat $tmp/pid)"
put_file "$tmp/big"
exits "SIGINT in the content: 75" 75 flush
is "SIGINT in the content: the primary has nothing, the message is as it was" \
    "$(primary_count) $(find "$spool/example.com/new" -type f | wc -l)" "0 1"
exits "the next run delivers it: 0" 0 bmx-flush
same "whole" "$primary/1.msg" "$tmp/big"
# not that to the final dot, which is waited for
primary_renew "mail#1 run kill -TERM \$(cat $tmp/pid)" "rcpt stall"
put one
exits "SIGTERM while a reply is awaited: 75" 75 flush
is "the message is as it was" \
    "$(find "$spool/example.com/new" -type f | wc -l)" 1
clear_spool

# ---- a person looks on ----

# on_terminal COMMAND...: with stderr and stdout a terminal
on_terminal()
{
	python3 -c '
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@"
}

primary_renew 'dot slow 100'
put many n=5
exits "on a terminal: 0" 0 on_terminal bmx-flush
like "there is a bar" "$(tr '\r' '\n' <"$tmp/out")" \
    '^example.com \[#+\.*\] [1-5]/5 '
like "and a summary" "$(tr '\r' '\n' <"$tmp/out")" 'delivered=5 .*end=done'
put many n=2
exits "with NO_COLOR: 0" 0 on_terminal env NO_COLOR=1 bmx-flush
unlike "no bar" "$(cat "$tmp/out")" '\['
put many
exits "--verbose: 0" 0 bmx-flush --verbose
like "repeats the log" "$(cat "$tmp/err")" "id=$id to=<bob@example.com> delivered"
is "and stdout stays empty" "$(cat "$tmp/out")" ""

# ---- no route ----

make_conf "resolver = 127.0.0.1:$(free_port)" '[example.com]' 'primary = mx'
put one
exits "C7: DNS does not answer: 75" 75 bmx-flush
like "which is in the log" "$(logged route)" 'domain=example.com .*status=4.4.3 '
is "the mail is as it was" "$(find "$spool/example.com/new" -type f | wc -l)" 1

primary_check
done_testing
