#!/bin/sh
# bmx-queue as a plug-in for Nagios, and metrics for Prometheus.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

make_conf '[example.com]' '[example.net]' '[example.org]'
spool=$tmp/spool
room='free=0%'

# ---- Nagios ----

exits "an empty queue is OK" 0 bmx-queue --nagios --warn "$room" --crit "$room"
like "in the form of the guidelines" "$(cat "$tmp/out")" \
    '^QUEUE OK - 0 messages, 0 bytes, oldest -, [0-9]+% of the disk free \| age=0s;;;0 count=0;;;0 bytes=0B;;;0 free=[0-9]+B;;;0 free_percent=[0-9]+%;0:;0:;0$'
mk example.com n=3 age=7200 size=1000 >/dev/null
held=$(mk example.net age=90000)
bmx-queue hold "$held" >/dev/null

# state "test" STATUS WORD OPTION...
state()
{
	what=$1 status=$2 word=$3
	shift 3
	exits "$what" "$status" bmx-queue --nagios "$@"
	like "$what: $word" "$(cat "$tmp/out")" "^QUEUE $word - "
}
state "age, a warning" 1 WARNING --warn age=1d --crit age=3d
like "with its limits" "$(cat "$tmp/out")" 'age=9[0-9]{4}s;86400;259200;0 '
state "age, critical" 2 CRITICAL --warn age=1h --crit age=1d
state "age of what is not held" 0 OK --warn age=1d --crit age=3d --not-held
state "count" 2 CRITICAL --warn count=2 --crit count=4
state "count of a domain" 1 WARNING --warn count=2 --crit count=4 example.com
state "bytes" 1 WARNING --warn bytes=3000 --crit bytes=1M
state "free room" 2 CRITICAL --warn "$room" --crit free=900T
state "free room in percent" 0 OK --warn "$room" --crit free=0%
state "several" 1 WARNING --warn count=9,age=1h --crit count=100
state "a limit that is none" 3 UNKNOWN --warn weight=3
state "nor this" 3 UNKNOWN --crit free=101%
chmod 777 "$spool"
state "a spool that is not safe" 3 UNKNOWN
chmod 700 "$spool"
mkdir -m 700 "$spool/example.org"
: >"$spool/example.org/cur"
state "a domain that cannot be read" 3 UNKNOWN --warn count=1
like "where the others alone are no answer" "$(cat "$tmp/out")" \
    'not all of it could be read'
rm -r "$spool/example.org"
state "a domain that nobody knows" 3 UNKNOWN example.edu
state "nor an ID" 3 UNKNOWN 00000000000aaaaaaaaaa "$held"
like "is named" "$(cat "$tmp/err")" ' 00000000000aaaaaaaaaa: no such message$'
state "a domain of bmx.conf without mail is known" 0 OK --warn "$room" \
    --crit "$room" example.org
if [ -c /dev/full ]; then
	bmx-queue --nagios >/dev/full 2>"$tmp/err"
	is "a line that could not be written is none" $? 3
else
	skip "a line that could not be written is none" 'no /dev/full'
fi
exits "--json does not go with it" 3 bmx-queue --nagios --json
exits "--warn alone is a mistake" 64 bmx-queue --warn age=1h

# ---- Prometheus ----

exits "metrics" 0 bmx-queue --prometheus
cp "$tmp/out" "$tmp/metrics"
like "messages by domain and state" "$(cat "$tmp/metrics")" \
    '^bmx_queue_messages\{domain="example\.com",state="new"\} 3$'
like "held ones" "$(cat "$tmp/metrics")" \
    '^bmx_queue_messages\{domain="example\.net",state="held"\} 1$'
like "the oldest" "$(cat "$tmp/metrics")" \
    '^bmx_queue_oldest_timestamp_seconds\{domain="example\.net"\} [0-9]{10}'
like "the room on the disk" "$(cat "$tmp/metrics")" '^bmx_spool_free_bytes [0-9]+$'
is "each name has its type once" \
    "$(grep -c '^# TYPE' "$tmp/metrics")" \
    "$(grep -v '^#' "$tmp/metrics" | sed 's/[{ ].*//' | sort -u | wc -l | tr -d ' ')"
is "nothing else is in there" \
    "$(grep -Ev '^#|^[a-z_]+(\{[a-z]+="[a-z0-9.]+"(,[a-z]+="[a-z]+")?\})? [-0-9.e+]+$' \
	"$tmp/metrics")" ""
bmx-queue --prometheus --domain '*.net' >"$tmp/out"
is "of the domains that the filter leaves" \
    "$(sed -n 's/^bmx_queue_bytes{domain="\(.*\)"}.*/\1/p' "$tmp/out")" example.net
exits "of domains, not of messages" 64 bmx-queue --prometheus "$held"
mkdir -m 700 "$spool/example.org"
: >"$spool/example.org/cur"
exits "a domain that cannot be read: 75" 75 bmx-queue --prometheus
is "has no metrics, for nobody knows them" \
    "$(grep -c 'example\.org' "$tmp/out")" 0
like "and hides no others" "$(cat "$tmp/out")" \
    '^bmx_queue_messages\{domain="example\.com",state="new"\} 3$'
rm -r "$spool/example.org"
bmx-queue pause example.net >/dev/null
bmx-queue remove --yes example.com >/dev/null
rm -rf "$spool/example.com"
exits "--output" 0 bmx-queue --prometheus --output "$tmp/bmx.prom"
is "writes nothing else" "$(cat "$tmp/out")" ""
like "a pause" "$(cat "$tmp/bmx.prom")" \
    '^bmx_queue_paused\{domain="example\.net"\} 1$'
like "a domain of bmx.conf without mail" "$(cat "$tmp/bmx.prom")" \
    '^bmx_queue_messages\{domain="example\.com",state="new"\} 0$'
is "readable by the exporter" "$(stat -c %a "$tmp/bmx.prom")" 644
exits "a file that cannot be written" 75 bmx-queue --prometheus \
    --output "$tmp/no/bmx.prom"
exits "--output with a list is a mistake" 64 bmx-queue --output "$tmp/x"

done_testing
