#!/bin/sh
# D17: 250 only after file and directory are on disk; killed at any step, or
# with any step failing, a message is whole in the spool or was not
# acknowledged.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
# shellcheck source=tests/fake/primary.sh
. "$top_srcdir/tests/fake/primary.sh"
need strace
primary_make
ASAN_OPTIONS=detect_leaks=0 # it cannot trace what is traced
export ASAN_OPTIONS
strace -o "$tmp/trace" true 2>/dev/null || skip_all 'strace cannot trace here'
plan 21
make_conf 'min-free = 0' '[example.com]' '[example.net]'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    'RCPT TO:<1@example.net>' DATA 'Subject: x' '' 'text' . QUIT >"$tmp/in"
say 'Subject: x' '' 'text' >"$tmp/content"

# ---- the order ----

# line REGEX: where the last such call stands in the trace.
line()
{
	grep -nE "$1" "$tmp/trace" | tail -n 1 | cut -d: -f1
}

# ordered DOMAIN NAME: all of it in the right order, up to the reply.
ordered()
{
	file=$(line "^fsync\\([0-9]+<[^>]*/$1/(new/#|tmp/).*\\) += 0")
	link=$(line "^linkat?\\(.*/$1/.*= 0")
	dir=$(line "^fsync\\([0-9]+<[^>]*/$1/new>\\) += 0")
	ok "$2: the bytes are synced before they get their name" test "${file:-99}" -lt "${link:-0}"
	ok "$2: the name is synced after it is made" test "${link:-99}" -lt "${dir:-0}"
	ok "$2: 250 comes after all of it" test "${dir:-99}" -lt "${reply:-0}"
}

# traced: a session whose calls are in $tmp/trace.
traced()
{
	strace -y -s 9999 -o "$tmp/trace" \
	    -e trace=fsync,fdatasync,openat,linkat,link,write \
	    bmx-receive <"$tmp/in" >"$tmp/out"
	reply=$(line '^write\(1.*250 2\.0\.0 ')
}

traced
is 'accepted' "$(last_code "$tmp/out")" '250 2.0.0'
for domain in example.com example.net; do
	ordered $domain $domain
done
ok 'the new domain directories are synced too' \
    grep -qE "^fsync\\([0-9]+<$tmp/spool>\\) += 0" "$tmp/trace"

# ---- live relay: a file only when the primary fails ----

cp "$BMX_CONF" "$tmp/spool.conf"
cp "$tmp/in" "$tmp/both"
make_conf 'min-free = 0' '[example.com]' "primary = 127.0.0.1:$primary_port" \
    'admit = through'
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA \
    'Subject: x' '' 'text' . QUIT >"$tmp/in"
primary_start
traced
is 'relayed: the primary has it, and no file was made' \
    "$(last_code "$tmp/out") $(primary_count) $(grep -c 'O_TMPFILE\|/tmp/[0-9a-v]*"' "$tmp/trace")" \
    '250 2.0.0 1 0'
primary_renew 'dot hangup'
traced
is 'the primary fails: accepted' "$(last_code "$tmp/out")" '250 2.0.0'
ordered example.com 'the primary fails'
stop primary
cp "$tmp/spool.conf" "$BMX_CONF"
cp "$tmp/both" "$tmp/in"

# ---- killed, or failing ----

# Both domains have the message, or neither, or (not acknowledged) one.
judge()
{
	com=$(queued example.com)
	net=$(queued example.net)
	for judge_file in $com $net; do
		is_whole "$judge_file" || echo "$1: $judge_file is not whole"
		content_of "$judge_file" | cmp -s - "$tmp/content" ||
		    echo "$1: $judge_file has not the content"
	done
	if grep -q '^250 2.0.0 Queued' "$tmp/out"; then
		[ -n "$com" ] && [ -n "$net" ] || echo "$1: acknowledged and lost"
	else
		[ -z "$2" ] || [ -z "$com$net" ] || echo "$1: refused and kept"
	fi
}

# each CALL WHAT REFUSED: run with WHAT done to the nth CALL, for n from 1 until
# there is no such call. Prints what is wrong; counts runs in $tmp/runs.
each()
{
	n=0
	while
		n=$((n + 1))
		empty_spool
		strace -o "$tmp/trace" -e "trace=$1" -e "inject=$1:$2:when=$n" \
		    bmx-receive <"$tmp/in" >"$tmp/out" 2>/dev/null
		grep -qE 'INJECTED|killed by' "$tmp/trace"
	do
		judge "$1 $n $2" "$3"
		echo "$1 $n $2: $(codes "$tmp/out" | grep -m 1 '^[45]')" >>"$tmp/runs"
	done
}

: >"$tmp/runs"
for call in openat mkdirat fsync linkat write close rename renameat2 unlinkat fchmod; do
	each "$call" signal=KILL ''
done >"$tmp/wrong"
is 'D17 killed before any step: acknowledged is stored' "$(cat "$tmp/wrong")" ''
ok 'there were steps' test "$(wc -l <"$tmp/runs")" -gt 30

: >"$tmp/runs"
for error in EIO ENOSPC; do
	for call in mkdirat fsync linkat fchmod; do
		each "$call" "error=$error" refused
	done
done >"$tmp/wrong"
is 'D49 failing at any step: refused is not stored' "$(cat "$tmp/wrong")" ''
is 'D49 no space is 452, everything else is 451' \
    "$(sed -nE 's/.*(EIO|ENOSPC): /\1 /p' "$tmp/runs" | sort -u)" \
    'EIO 451 4.3.0
ENOSPC 452 4.3.1'

: >"$tmp/runs"
each write error=ENOSPC '' >"$tmp/wrong"
is 'D49 a write that fails: acknowledged is stored' "$(cat "$tmp/wrong")" ''
like 'D49 and is answered 452' "$(cat "$tmp/runs")" '452 4.3.1'

# ---- the Maildir goes away between two messages of a session ----

# next N: one more message; its last reply is the Nth.
next()
{
	tells 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA
	answers $(($1 - 1))
	tells 'Subject: x' '' 'text' .
	answers "$1"
}

empty_spool
opens
tells 'EHLO c'
next 6
mv "$tmp/spool/example.com" "$tmp/away"
next 10
tells QUIT
closes
is 'the Maildir is moved away: both are accepted' \
    "$(grep -c '^250 2\.0\.0 Queued' "$tmp/out")" 2
is 'the first went with it, the second is in the spool' \
    "$(find "$tmp/away/new" -type f | wc -l) $(queued example.com | wc -l)" '1 1'
