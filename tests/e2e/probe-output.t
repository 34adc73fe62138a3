#!/bin/sh
# What monitoring systems get of bmx-probe: a Nagios plug-in with performance
# data, and metrics for Prometheus, each read by a strict reader.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
closed=$(free_port)

# data: what the strict reader finds in the output
data()
{
	python3 "$top_srcdir/tests/lib/perfdata.py" <"$tmp/out" >"$tmp/data" 2>&1 ||
	    echo "cannot be read: $(cat "$tmp/data")"
}
# nagios "test" STATUS STATE OPTION...: by the guidelines
nagios()
{
	nagios_what=$1
	nagios_status=$2
	nagios_state=$3
	shift 3
	exits "$nagios_what: $nagios_status" "$nagios_status" bmx-probe --nagios "$@"
	is "$nagios_what: can be read" "$(data)" ''
	is "$nagios_what: $nagios_state" "$(head -n 1 "$tmp/data")" "$nagios_state"
}

# ---- a plug-in ----

make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    'rise = 2' 'fall = 3'
primary_start
nagios "up" 0 OK
is "one line" "$(wc -l <"$tmp/out" | tr -d ' ')" 1
is "with data" "$(sed 1d "$tmp/data" | cut -d ' ' -f 1 | tr '\n' ' ')" \
    'up time dns connect banner ehlo quit '
like "times are seconds, with the timeout as the maximum" "$(cat "$tmp/data")" \
    '^time [0-9]+\.[0-9]{3} s - - 0 10$'
nagios "verbose" 0 OK -v
like "has long text" "$(sed 1d "$tmp/out")" "^  127\\.0\\.0\\.1:$primary_port .* up ok\$"
stop primary
nagios "a first bad probe" 1 WARNING
like "says how many it takes" "$(cat "$tmp/out")" 'up for .*, fails \(1 of 3\), last good '
nagios "a second" 1 WARNING
nagios "a third: down" 2 CRITICAL
like "says since when, and when it was good" "$(cat "$tmp/out")" \
    'example.com down for [0-9]+ s, last good [0-9]+ s ago: no connection: '
primary_start 'connect raw 554 a|b | c=1\r\n'
nagios "bars in a reply" 2 CRITICAL
like "are none of ours" "$(cat "$tmp/out")" '554 a/b / c=1'
primary_renew 'connect 450 4.7.1 later'
nagios "deferring" 1 WARNING
make_conf '[example.com]' 'primary = nowhere.invalid' 'tls = none'
sed -i '/^\[bmx\]/a resolver = 127.0.0.1:1' "$BMX_CONF"
nagios "a name that DNS does not know is the service's fault" 2 CRITICAL -n -t 2
nagios "a name that is not ours is unknown" 3 UNKNOWN -n foreign.example
exits "a bad option: 3" 3 bmx-probe --nagios --until x
like "is said on the first line" "$(cat "$tmp/out")" '^PRIMARY UNKNOWN - --until'
exits "--help: 3" 3 bmx-probe --nagios --help

primary_renew
make_conf '[a.example]' "primary = 127.0.0.1:$primary_port" 'tls = none' \
    '[b.example]' "primary = 127.0.0.1:$closed" \
    '[c.example]' "primary = 127.0.0.1:$primary_port" 'tls = none'
nagios "several" 2 CRITICAL -n
like "names the worst" "$(cat "$tmp/out")" '2 of 3 ok; b.example down'
like "and counts" "$(cat "$tmp/data")" '^up 2 - - - 0 3$'

# ---- metrics ----

exits "--prometheus: 69" 69 bmx-probe -n --prometheus
cp "$tmp/out" "$tmp/metrics"
like "success of each" "$(cat "$tmp/metrics")" '^bmx_probe_success\{domain="a\.example"\} 1$'
like "one state of four" "$(cat "$tmp/metrics")" \
    '^bmx_probe_verdict\{domain="b\.example",verdict="down"\} 1$'
like "seconds of a phase" "$(cat "$tmp/metrics")" \
    '^bmx_probe_duration_seconds\{domain="c\.example",phase="ehlo"\} [0-9]+\.[0-9]{3}$'
like "when it ran" "$(cat "$tmp/metrics")" '^bmx_probe_last_run_timestamp_seconds [0-9]+$'
is "each family is in one piece, and told once" "$(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' \
    "$tmp/metrics")" "$(sed 's/^# [A-Z]* //; s/[ {].*//' "$tmp/metrics" | uniq)"
is "no sample has a timestamp" "$(sed '/^#/d; s/{[^}]*}//' "$tmp/metrics" |
    awk 'NF != 2')" ''
unlike "what a system or server says is no label" "$(cat "$tmp/metrics")" 'Connection refused'
if command -v promtool >/dev/null; then
	exits "promtool has nothing to say: 0" 0 promtool check metrics <"$tmp/metrics"
	is "at all" "$(cat "$tmp/out" "$tmp/err")" ''
else
	skip "promtool has nothing to say: 0" 'promtool is not installed (Debian: prometheus)'
	skip "at all" 'promtool is not installed (Debian: prometheus)'
fi
exits "a name given twice: 0" 0 bmx-probe -n --prometheus a.example A.example.
is "is there once" "$(grep -c '^bmx_probe_success' "$tmp/out")" 1

mkdir "$tmp/textfile"
exits "--output: 69" 69 bmx-probe -n --prometheus --output "$tmp/textfile/bmx.prom"
is "nothing goes to stdout" "$(cat "$tmp/out")" ''
is "the file is there, and no other" "$(ls -A "$tmp/textfile")" bmx.prom
is "for the exporter to read" "$(stat -c %a "$tmp/textfile/bmx.prom")" 644
is "it is whole" "$(tail -n 1 "$tmp/textfile/bmx.prom" | cut -d ' ' -f 1)" \
    bmx_probe_last_run_timestamp_seconds
cp "$tmp/textfile/bmx.prom" "$tmp/before"
exits "a run that fails: 64" 64 bmx-probe -n --prometheus --output \
    "$tmp/textfile/bmx.prom" --until x
same "leaves the old file" "$tmp/textfile/bmx.prom" "$tmp/before"
exits "a file that cannot be written: not 0" 75 bmx-probe -n --prometheus \
    --output "$tmp/none/bmx.prom" a.example
exits "--brief: 0" 0 bmx-probe -n --brief a.example
is "is one line" "$(cut -f 1,2 "$tmp/out")" 'a.example	up'
exits "two formats: 64" 64 bmx-probe --json --prometheus
primary_check
done_testing
