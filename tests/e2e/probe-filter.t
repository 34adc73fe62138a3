#!/bin/sh
# bmx-probe in a pipeline, and its other ways to be asked and to answer.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
primary_make
closed=$(free_port)
make_conf '[up1.example]' "primary = 127.0.0.1:$primary_port" \
    '[up2.example]' "primary = 127.0.0.1:$primary_port" \
    '[down.example]' "primary = 127.0.0.1:$closed" \
    '[busy.example]' "primary = 127.0.0.1:$primary_port" 'tls = none'
primary_start 'connect#2 421 4.3.2 busy'
# sessions: up1 and up2 share the first, busy (another TLS level) has a second
names='# a comment
up1.example

DOWN.example.
  busy.example	with more behind it
up2.example'

# ---- filters ----

printf '%s\n' "$names" >"$tmp/names"
exits "--up: 0 whatever the verdicts" 0 sh -c "bmx-probe -n --jobs 1 --up - <$tmp/names"
is "--up: the names that are up, in order" "$(cat "$tmp/out")" "up1.example
up2.example"
is "--up says nothing else" "$(cat "$tmp/err")" ''
is "two domains shared a connection" "$(primary_said ' C: EHLO')" 1
primary_renew 'connect#2 421 4.3.2 busy'
exits "--down: 0 too" 0 sh -c "bmx-probe -n --jobs 1 --down - <$tmp/names"
is "--down: the others" "$(cat "$tmp/out")" "down.example
busy.example"
exits "nothing to do: 0" 0 sh -c 'bmx-probe --up - </dev/null'
is "and nothing out" "$(cat "$tmp/out" "$tmp/err")" ''
primary_renew
is "a pipeline" "$(echo up1.example | bmx-probe -n --up - | xargs -r echo flush)" \
    'flush up1.example'
is "with nothing to flush" "$(echo down.example | bmx-probe -n --up - |
    xargs -r echo flush)" ''
exits "a name that is not ours: 65" 65 bmx-probe -n --up foreign.example up1.example
is "is not passed on" "$(cat "$tmp/out")" up1.example
like "but named" "$(cat "$tmp/err")" 'foreign.example: not in bmx.conf'
exits "nor one that is none: 65" 65 bmx-probe -n --up "$(printf 'a\033[31mb;c')"
like "and it is made printable" "$(cat "$tmp/err")" '\\x1b\[31mb'

# shellcheck disable=SC2016 # for the inner shell
exits "names that cannot be read: 75" 75 sh -c 'bmx-probe -n --up - <"$tmp"'
like "that is said" "$(cat "$tmp/err")" '^bmx-probe: read names: Is a directory$'

# up by its verdict, but not right now: not passed on
make_conf '[up1.example]' "primary = 127.0.0.1:$primary_port"
exits "up" 0 bmx-probe --up
is "passed on" "$(cat "$tmp/out")" up1.example
stop primary
exits "gone" 0 bmx-probe --up
is "not passed on" "$(cat "$tmp/out")" ''
like "though its verdict is up for now" "$(cat "$tmp/spool/up1.example/primary")" \
    '^verdict up$'

# ---- one record for each name ----

make_conf '[up1.example]' "primary = 127.0.0.1:$primary_port" \
    '[down.example]' "primary = 127.0.0.1:$closed"
primary_start -x 'SIZE 77'
exits "down and foreign: 69 comes first" 69 bmx-probe -n up1.example foreign.example \
    down.example
is "each has its line, in order" "$(cut -f 1,2,5 "$tmp/out")" \
    "up1.example	up	ok
foreign.example	unknown	not-configured
down.example	down	connection-refused"
exits "foreign alone: 65" 65 bmx-probe -n up1.example foreign.example
exits "without names: all of bmx.conf: 69" 69 bmx-probe -n
is "in the order of their names" "$(cut -f 1 "$tmp/out")" "down.example
up1.example"

exits "--json: 69" 69 bmx-probe -n --json foreign.example up1.example down.example
cat >"$tmp/check.py" <<'E'
import json, sys
rows = [json.loads(line) for line in sys.stdin]
keys = ("schema time domain verdict since was good flapping result run code "
        "reason address ipv4 ipv6 seconds dns_seconds addresses").split()
assert all(list(row) == keys for row in rows), [list(row) for row in rows]
assert [r["verdict"] for r in rows] == ["unknown", "up", "down"]
up = rows[1]["addresses"][0]
assert up["plain"]["size"] == 77, up
assert "8BITMIME" in up["plain"]["extensions"], up
assert up["seconds"]["ehlo"] >= 0 and up["seconds"]["tls"] is None, up
assert list(up["seconds"]) == ("connect banner ehlo starttls tls ehlo2 mail "
                               "rcpt quit").split(), up
assert up["tries"] == 1 and up["family"] == "ipv4", up
assert up["certificate"] is None and up["tls_result"] is None, up
assert rows[1]["ipv4"] == "up" and rows[1]["ipv6"] is None, rows[1]
assert up["reply"] is None and up["name"] == "primary.test", up
assert rows[0]["addresses"] == [] and rows[2]["reason"], rows
E
ok "--json: objects with fixed keys" python3 "$tmp/check.py" <"$tmp/out"

# ---- a person ----

if command -v script >/dev/null; then
	script -qec 'bmx-probe -n up1.example down.example' /dev/null >"$tmp/tty" \
	    </dev/null
	like "a terminal gets a table" "$(cat "$tmp/tty")" '^DOMAIN +PRIMARY +FOR'
	like "in colour" "$(cat "$tmp/tty")" "$(printf '\033')\[31mdown"
	NO_COLOR=1 script -qec 'bmx-probe -n up1.example down.example' /dev/null \
	    >"$tmp/tty" </dev/null
	unlike "but not with NO_COLOR" "$(cat "$tmp/tty")" "$(printf '\033')"
else
	for what in 'a terminal gets a table' 'in colour' 'but not with NO_COLOR'; do
		skip "$what" 'script is not installed'
	done
fi
exits "--verbose shows the steps" 0 bmx-probe -nv up1.example
like "with their times" "$(cat "$tmp/out")" \
    'ok connect=[0-9.]+ banner=[0-9.]+ ehlo=[0-9.]+ quit=[0-9.]+$'

exits "--help: 0" 0 bmx-probe --help
is "fits a terminal" "$(awk 'length > 79 { print } END { if (NR > 24) print NR }' \
    "$tmp/out")" ''
exits "--version: 0" 0 bmx-probe --version
exits "--check-config: 0" 0 bmx-probe --check-config
like "shows the values in effect" "$(cat "$tmp/out")" '^hostname = backup.example.net$'
for wrong in --nonsense '--up --down' '--up --json' '-t 0' '-t x' '-t 99999'; do
	# shellcheck disable=SC2086 # words
	exits "$wrong: 64" 64 bmx-probe -n $wrong
done
exits "no configuration: 78" 78 bmx-probe -c "$tmp/none"
make_conf
exits "no domain: 78" 78 bmx-probe -n
primary_check
done_testing
