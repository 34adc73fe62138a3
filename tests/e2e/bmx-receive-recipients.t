#!/bin/sh
# Who is a recipient, and how much may wait for a domain.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"

# rcpt RECIPIENT...: the reply to each RCPT; $tmp/out has them all.
rcpt()
{
	{
		say 'EHLO c' 'MAIL FROM:<a@s.example>'
		for to; do
			say "RCPT TO:<$to>"
		done
		say QUIT
	} | bmx-receive >"$tmp/out"
	codes "$tmp/out" | sed '1,3d; $d'
}

# ---- the list ----

cat >"$tmp/list" <<-E
	# people
	bob
	Carol@example.com
	dave@elsewhere.example
	sales-*
	#sorted
	anna
	xavier@example.com
	zoe
E
make_conf 'min-free = 1M' '[example.com]' "recipients = $tmp/list" \
    '[example.org]' "recipients = $tmp/list" 'recipient-delimiter = none' \
    '[open.example]'
is 'those of the list are known, in any case' \
    "$(rcpt bob@example.com BOB@Example.COM carol@example.com sales-eu@example.com \
	anna@example.com xavier@example.com Zoe@example.com | sort -u)" '250 2.1.5'
is 'others are told 550 5.1.1' \
    "$(rcpt dave@example.com bobby@example.com zo@example.com carol@example.org | sort -u)" \
    '550 5.1.1'
is 'a tag does not count' "$(rcpt bob+x@example.com anna+x+y@example.com)" '250 2.1.5
250 2.1.5'
is 'unless the delimiter is none' "$(rcpt bob+x@example.org)" '550 5.1.1'
is 'a domain without a list takes everybody' "$(rcpt any@open.example)" '250 2.1.5'
is 'D13 postmaster is always known, in any case, with and without domain' \
    "$(rcpt postmaster@example.com PostMaster@example.org postmaster Postmaster | sort -u)" \
    '250 2.1.5'

printf 'new\n' >"$tmp/list.new"
mkfifo "$tmp/fifo"
bmx-receive <"$tmp/fifo" >"$tmp/out" &
exec 9>"$tmp/fifo"
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<bob@example.com>' >&9
wait_for 20 grep -q '^250 2.1.5' "$tmp/out"
mv "$tmp/list.new" "$tmp/list"
say 'RCPT TO:<bob@example.com>' 'RCPT TO:<new@example.com>' QUIT >&9
exec 9>&-
wait
is 'a list is replaced in the middle of a session' \
    "$(codes "$tmp/out" | sed '1,3d; $d')" '250 2.1.5
550 5.1.1
250 2.1.5'

: >"$tmp/bmx.log"
rm "$tmp/list"
is 'a list that is not there: 451 4.3.0, but postmaster is known' \
    "$(rcpt new@example.com postmaster@example.com)" '451 4.3.0
250 2.1.5'
like 'and an alarm' "$(cat "$tmp/bmx.log")" \
    "alarm=yes domain=example\.com error=\"recipients $tmp/list: No such file.* mail deferred"

# ---- a list of a million costs nothing ----

awk 'BEGIN { print "#sorted"; for (i = 1000000; i < 2000000; i++) print "user" i }' \
    >"$tmp/list"
is 'a list of a million' "$(rcpt user1000000@example.com user1999999@example.com \
    user1234567@example.com user2000000@example.com)" '250 2.1.5
250 2.1.5
250 2.1.5
550 5.1.1'
if strace -o "$tmp/trace" true 2>/dev/null; then
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<user1234567@example.com>' |
	    ASAN_OPTIONS=detect_leaks=0 strace -o "$tmp/trace" -e trace=pread64 \
		bmx-receive >"$tmp/out"
	ok 'is asked in a few short reads' \
	    test "$(grep -c pread64 "$tmp/trace")" -lt 60
else
	skip 'is asked in a few short reads' 'strace cannot trace here'
fi

if strace -o "$tmp/trace" true 2>/dev/null; then
	say 'EHLO c' 'MAIL FROM:<a@s.example>' QUIT |
	    ASAN_OPTIONS=detect_leaks=0 strace -o "$tmp/trace" -e trace=openat \
		bmx-receive >"$tmp/out"
	is 'who asks for nobody does not even open it' \
	    "$(grep -c "$tmp/list" "$tmp/trace")" 0
else
	skip 'who asks for nobody does not even open it' 'strace cannot trace here'
fi
exits '--check looks there too: 0' 0 \
    bmx-receive --check 192.0.2.1 c '' user1999999@example.com
exits '--check: 69' 69 bmx-receive --check 192.0.2.1 c '' user2000000@example.com
sed 1d "$tmp/list" | awk '{ line[NR % 1000] = line[NR % 1000] $0 "\n" }
	END { for (i in line) printf "%s", line[i] }' >"$tmp/list.new"
mv "$tmp/list.new" "$tmp/list"
is 'the same without order' "$(rcpt user1000000@example.com user1999999@example.com \
    user1234567@example.com user2000000@example.com)" '250 2.1.5
250 2.1.5
250 2.1.5
550 5.1.1'

# ---- quotas ----

# mail DOMAIN [PARAMETER]: the reply to RCPT and to the dot
mail()
{
	say 'EHLO c' "MAIL FROM:<a@s.example>${2:+ $2}" "RCPT TO:<1@$1>" \
	    DATA text . QUIT | bmx-receive >"$tmp/out"
	codes "$tmp/out" | sed -n '4p; 6p' | tr '\n' ' '
}
make_conf 'min-free = 1M' '[example.com]' 'max-messages = 2' \
    '[example.org]' 'max-bytes = 2000' '[free.example]'
empty_spool
: >"$tmp/bmx.log"
mail example.com >/dev/null
is 'max-messages: as many may wait' "$(mail example.com)" '250 2.1.5 250 2.0.0 '
is 'more are told 452 4.3.1 at RCPT' "$(mail example.com)" '452 4.3.1 500 5.5.1 '
is 'other domains go on' "$(mail free.example)" '250 2.1.5 250 2.0.0 '
like 'an alarm says which' "$(cat "$tmp/bmx.log")" \
    'alarm=yes domain=example\.com max-messages or max-bytes wait'
mv "$(queued example.com | head -n 1)" "$tmp/spool/example.com/cur/"
is 'what was tried waits too' "$(mail example.com)" '452 4.3.1 500 5.5.1 '
rm "$(queued example.com)"
is 'when one leaves, one may come' "$(mail example.com)" '250 2.1.5 250 2.0.0 '
is 'max-bytes: a size that would not fit' "$(mail example.org SIZE=2001)" \
    '452 4.3.1 500 5.5.1 '
is 'one that does' "$(mail example.org SIZE=2000)" '250 2.1.5 250 2.0.0 '
is 'but not on top of it' "$(mail example.org SIZE=1900)" '452 4.3.1 500 5.5.1 '

# ---- recipients of whom nobody knows ----

mkdir -m 700 "$tmp/state"
make_conf 'min-free = 1M' "state = $tmp/state" '[example.com]' 'admit = defer' \
    'unknown-messages = 2' 'unknown-messages-all = 3' \
    '[example.org]' 'admit = defer' 'unknown-bytes-all = 1500'
empty_spool
is 'C2 no more of them in one message than in many' \
    "$(rcpt a@example.com b@example.com c@example.com d@example.com | tr '\n' ,)" \
    '250 2.1.5,250 2.1.5,250 2.1.5,451 4.3.2,'
is 'C2 nor one more often, but for postmaster' \
    "$(rcpt a@example.com A@example.com a@Example.com postmaster@example.com b@example.com | tr '\n' ,)" \
    '250 2.1.5,250 2.1.5,451 4.3.2,250 2.1.5,250 2.1.5,'
say 'EHLO c' 'MAIL FROM:<> SIZE=1000' 'RCPT TO:<a@example.org>' \
    'RCPT TO:<b@example.org>' QUIT | bmx-receive >"$tmp/out"
is 'C2 the bytes of a message for many count once' "$(last_code "$tmp/out")" \
    '250 2.1.5'
done_testing
