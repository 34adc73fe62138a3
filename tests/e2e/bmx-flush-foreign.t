#!/bin/sh
# DNS that fails in every way, and files in the spool that nobody may read: mail
# waits, what is not ours is set aside and told, and the rest goes on.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
need setpriv
primary_make

# ---- DNS ----

start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "${dns_port:=$(free_port)}"
ok "a name server that misbehaves" wait_port "$dns_port"
kinds="servfail refused silent junk wrongq otherid short pointers tc"
make_conf "resolver = 127.0.0.1:$dns_port" "$(for kind in $kinds; do
	echo "[$kind.test]"
done)"
for kind in $kinds; do
	"$mkmsg" "$spool" "$kind.test" >/dev/null
	start_bg "flush-$kind" bmx-flush "$kind.test"
done
for kind in $kinds; do
	wait_gone "$(pid_of "flush-$kind")" || fail "DNS is $kind: it hangs"
	like "DNS is $kind: the log says so" "$(logged "domain=$kind.test ")" \
	    'waiting=1 status=4\.4\.[34] route: '
	is "DNS is $kind: the mail is as it was" \
	    "$(find "$spool/$kind.test/new" -type f | wc -l | tr -d ' ')" 1
done
stop dns

# ---- files that are not ours ----

rm -rf "$spool"
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port"
chmod 711 "$tmp"
primary_start
user=$(id -u)
if [ "$user" -eq 0 ]; then
	user=65534
	sed -i '/^user = /d' "$BMX_CONF"
	: >"$tmp/bmx.log"
	chown "$user" "$spool" "$tmp/bmx.log"
	# where that user can read them: we may have been built in root's home
	mkdir "$tmp/bin"
	cp "$mkmsg" "$top_builddir"/bmx-*.so "$(command -v bmx-flush)" "$tmp/bin"
	mkmsg=$tmp/bin/${mkmsg##*/}
	BMX_TLS_MODULE=$tmp/bin/bmx-tls.so
	PATH=$tmp/bin:$PATH
fi

# as COMMAND...: as a user who may not everything
as()
{
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
	else
		"$@"
	fi
}

as "$mkmsg" "$spool" example.com n=6 >"$tmp/ids"
# shellcheck disable=SC2046 # words
set -- $(cat "$tmp/ids")
cd "$spool/example.com/new" || exit 1
chmod 0 "$2"*
name=$(echo "$3"*)
rm "$name" && as mkdir "$name"
cd "$tmp" || exit 1
exits "a file that may not be read, a directory: 69" 69 as timeout 20 bmx-flush
is "the others are delivered" "$(primary_count)" 4
is "these are set aside" "$(held)" 2
is "each with an alarm" "$(logged 'alarm=yes id=.* set aside: ' | wc -l |
    tr -d ' ')" 2
exits "then nothing is due: 0" 0 as bmx-flush

if [ "$(id -u)" -eq 0 ]; then
	as "$mkmsg" "$spool" example.com n=4 >"$tmp/ids"
	# shellcheck disable=SC2046 # words
	set -- $(cat "$tmp/ids")
	cd "$spool/example.com/new" || exit 1
	chown 0 "$1"*
	name=$(echo "$2"*)
	rm "$name" && mkdir "$name"
	cd "$tmp" || exit 1
	exits "a file and a directory of root's: 69" 69 as timeout 20 bmx-flush
	is "the others are delivered" "$(primary_count)" 6
	is "what can be moved is set aside" "$(held)" 3
	like "an alarm says what to do with the rest" \
	    "$(logged "alarm=yes id=$2")" 'is in the way, remove it: '
	exits "the next run: still 69" 69 as bmx-flush
else
	skip "files of root's" "needs root"
fi
primary_check
done_testing
