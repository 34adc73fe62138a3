#!/bin/sh
# Live relay in random dialogues (tests/lib/dialogues.py): how a client cuts what
# it says changes nothing, and each message is where its reply says. DIALOGUES=N
# is for more of them than the usual 40.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need python3
plan 1

"$tap_await" port 2 >"$tmp/ports"
com=$(sed -n 1p "$tmp/ports")
net=$(sed -n 2p "$tmp/ports")
mkdir -m 700 "$tmp/state"
make_conf 'min-free = 1M' "state = $tmp/state" 'max-errors = 1000' \
    '[example.com]' "primary = 127.0.0.1:$com" 'admit = through' 'tls = none' \
    'unknown = accept' \
    '[example.net]' "primary = 127.0.0.1:$net" 'admit = through' 'tls = none' \
    'unknown = accept' '[example.org]'
is 'D21 D33 one command at a time, in groups, cut anywhere: the same' \
    "$(timeout "$((60 + 4 * ${DIALOGUES:-40}))" python3 "$top_srcdir/tests/lib/dialogues.py" \
	"$tmp/spool" "$com" "$net" 1 "${DIALOGUES:-40}" 2>&1)" ''
