#!/bin/sh
# bmx-flush, bmx-probe and bmx-mxcheck when they talk to a stranger: what must
# fail is tried, in the process itself. bmx-receive-sandbox.t has bmx-receive.
# shellcheck source=tests/lib/tap.sh source=tests/lib/faults.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
faults_need
primary_make
make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" 'tls = none'
primary_start
mkdir "$tmp/home"
echo secret >"$tmp/home/file"
sandbox=$(bmx-receive --check-config | grep '^# sandbox:')
diag "$sandbox"

# escape PROGRAM...: what it says of its attempts, a word each.
escape()
{
	LD_PRELOAD=$top_builddir/tests/lib/escape.so ESCAPE_FILE=$tmp/home/file \
	    timeout 20 "$@" 2>"$tmp/err" >"$tmp/out"
	sed -n 's/^escape: //p' "$tmp/err" | head -n 6
}

calls='listen: EPERM
program: EPERM
privileges: EPERM'
files='read: EACCES
write: EACCES
passwords: EACCES'

# contained "who" SAID WANT PATTERN: where this kernel and build have PATTERN.
contained()
{
	if echo "$sandbox" | grep -q "$4"; then
		is "$1" "$2" "$3"
	else
		skip "$1" "not here: $sandbox"
	fi
}

put one
said=$(escape bmx-flush --now)
contained 'bmx-flush starts nothing, listens to nobody' \
    "$(echo "$said" | head -n 3)" "$calls" 'seccomp=yes'
contained 'bmx-flush has no files of others' \
    "$(echo "$said" | tail -n 3)" "$files" 'landlock=[1-9]'
is 'and the mail went through' "$(primary_count) $(waiting)" '1 0'

for options in '' '--no-state' "--prometheus --output $tmp/metrics"; do
	# shellcheck disable=SC2086 # a list of words
	said=$(escape bmx-probe $options)
	contained "bmx-probe $options starts nothing, listens to nobody" \
	    "$(echo "$said" | head -n 3)" "$calls" 'seccomp=yes'
done
contained 'nor has it the files of others' \
    "$(escape bmx-probe | tail -n 3)" "$files" 'landlock=[1-9]'
ok 'its --output is there' grep -q bmx_ "$tmp/metrics"
like 'with --on-change it can start what it was told to' \
    "$(escape bmx-probe --on-change true)" '^program: ok'

dns_port=$(free_port)
if command -v python3 >/dev/null; then
	start_bg dns python3 "$top_srcdir/tests/fake/dns.py" "$dns_port"
	wait_up dns ready
	echo "[bmx]
hostname = backup.example.net
resolver = 127.0.0.1:$dns_port" >"$tmp/dns.conf"
	said=$(escape bmx-mxcheck -c "$tmp/dns.conf" some.test)
	contained 'bmx-mxcheck starts nothing, listens to nobody' \
	    "$(echo "$said" | head -n 3)" "$calls" 'seccomp=yes'
else
	skip 'bmx-mxcheck' 'python3 is not installed'
fi
done_testing
