#!/bin/sh
# Many domains in one run of bmx-probe: at once, in order, and polite.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
domains=${BMX_PROBE_DOMAINS:-500}

n=0
while [ "$n" -lt "$domains" ]; do
	n=$((n + 1))
	printf '[d%04d.example]\nprimary = 127.0.0.1:%s\n' "$n" "$primary_port"
done >"$tmp/sections"
# make_conf adds a line to each section by itself
make_conf "$(cat "$tmp/sections")"
primary_start
exits "$domains domains: 0" 0 bmx-probe
is "each has its record, in order" "$(cut -f 1 "$tmp/out")" \
    "$(sed -n 's/^\[\(d.*\)\]$/\1/p' "$tmp/sections")"
is "all are up" "$(cut -f 2 "$tmp/out" | sort | uniq -c | tr -d ' ')" "${domains}up"
is "their primary had one session" "$(primary_said ' C: EHLO')" 1
is "each has its state" "$(find "$tmp/spool" -name primary | wc -l | tr -d ' ')" "$domains"
is "and its history" "$(find "$tmp/spool" -name history | wc -l | tr -d ' ')" "$domains"
exits "a second run: 0" 0 bmx-probe --jobs 64 --nagios
like "one line for all" "$(cat "$tmp/out")" "^PRIMARY OK - $domains of $domains ok \\|"

# ---- at once, but never two sessions with one address ----

primary_renew 'connect slow 150'
cat >"$tmp/list" <<-E
	d0001.example
	d0002.example
	d0003.example
E
exits "RCPT is each domain's own: 0" 0 sh -c \
    "bmx-probe -n --until rcpt --jobs 8 - <$tmp/list"
is "so each has its session" "$(primary_said ' C: RCPT')" 3
is "one after the other" "$(awk '
	/ C: EHLO/ { open++; if (open > most) most = open }
	/ C: QUIT/ { open-- }
	END { print most }' "$primary/log")" 1

# a domain that is in a hurry does not speak for one that is not
make_conf '[hasty.example]' "primary = 127.0.0.1:$primary_port" 'reply-timeout = 1s' \
    '[patient.example]' "primary = 127.0.0.1:$primary_port" \
    '[quiet.example]' "primary = 127.0.0.1:$primary_port"
primary_renew 'connect slow 2500'
exits "a primary that is slow: one domain does not wait for it: 69" 69 \
    bmx-probe -n --jobs 1
is "the others do" "$(cut -f 1,4,5 "$tmp/out" | tr '\t' ' ')" \
    'hasty.example down timeout
patient.example up ok
quiet.example up ok'
is "in one session more" "$(primary_said ' C: EHLO')" 1

# eight that are slow to fail, each of its own port, at once
n=0
while [ "$n" -lt 8 ]; do
	n=$((n + 1))
	start_bg "mute$n" python3 -c '
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(s.accept())'
done
n=0
while [ "$n" -lt 8 ]; do
	n=$((n + 1))
	wait_up "mute$n"
	printf '[m%d.example]\nprimary = 127.0.0.1:%s\n' "$n" "$(cat "$tmp/mute$n.log")"
done >"$tmp/sections"
make_conf "$(cat "$tmp/sections")"
begun=$(date +%s)
exits "eight that say nothing: 69" 69 bmx-probe -n --jobs 8 -t 2
ok "take the time of one" test $(($(date +%s) - begun)) -lt 8
is "each is told, in order" "$(cut -f 1,5 "$tmp/out" | tr '\t' ' ' | sed -n '1p;8p')" \
    'm1.example timeout
m8.example timeout'

# names that come slowly are not kept waiting for more
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" '[example.net]' \
    "primary = 127.0.0.1:$primary_port"
primary_renew
mkfifo "$tmp/names"
# shellcheck disable=SC2016 # for the inner shell
start_bg names sh -c 'exec bmx-probe -n --jobs 4 - <"$tmp/names"'
exec 9>"$tmp/names"
echo example.com >&9
ok "a record is out before the next name comes" wait_for 10 test -s "$tmp/names.log"
echo example.net >&9
exec 9>&-
ok "and the run ends with the names" wait_gone "$(pid_of names)"
is "with all of them" "$(cut -f 1 "$tmp/names.log")" 'example.com
example.net'
primary_check
done_testing
