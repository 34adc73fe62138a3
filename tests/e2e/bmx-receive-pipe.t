#!/bin/sh
# One session over plain pipes: what goes in is in the spool byte for byte, and
# nothing else is.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
need python3
plan 37
make_conf 'min-free = 1M' 'max-size = 100M' \
    '[example.com]' '[example.net]' '[xn--bcher-kva.example]'

# ---- one message ----

say 'EHLO client.example' 'MAIL FROM:<a@sender.example> BODY=8BITMIME' \
    'RCPT TO:<User@Example.COM>' DATA 'Subject: x' '' '..text' . QUIT \
    >"$tmp/in"
exits 'a session ends with status 0' 0 bmx-receive <"$tmp/in"
is 'D10 each command gets its reply, in order' \
    "$(codes "$tmp/out")" '220
250
250 2.1.0
250 2.1.5
354
250 2.0.0
221 2.0.0'
file=$(queued example.com)
id=${file##*/}
id=${id%%,*}
like '250 names the id' "$(tr -d '\r' <"$tmp/out")" "^250 2.0.0 Queued as $id\$"
is 'the content is what was sent' "$(content_of "$file" | od -c)" \
    "$(say 'Subject: x' '' '.text' | od -c)"
ok 'the name says the size' is_whole "$file"
like 'the envelope keeps the sender and its parameters' "$(tr -d '\r' <"$file")" \
    '^Bmx-From: <a@sender.example> BODY=8BITMIME$'
like 'D15 the recipient keeps its case' "$(tr -d '\r' <"$file")" \
    '^Bmx-To: U <User@Example.COM>$'
is 'D19 one Received field stands in front, with for' \
    "$(grep -v '^Bmx-' "$file" | tr -d '\r' | head -n 3 |
	sed 's/; .* [-+][0-9][0-9][0-9][0-9]$/; DATE/')" \
    "Received: from client.example
	by backup.example.net with ESMTP id $id
	for <User@Example.COM>; DATE"
like 'the log follows the message by its id' "$(cat "$tmp/bmx.log")" \
    "id=$id domain=example.com from=<a@sender.example> nrcpt=1 size=21 peer=pipe .* queued"

# ---- every byte ----

python3 - "$tmp" <<'E'
import random, sys
random.seed(25)
tmp = sys.argv[1]
safe = [b for b in range(1, 256) if b not in (10, 13)]
lines = [b"Subject: bytes", b"", b".", b"..", b".x", b"x" * 998, b"y" * 5000, b""]
lines += [bytes(random.choices(safe, k=random.randrange(200))) for _ in range(20000)]
lines += [b"." * random.randrange(5) for _ in range(100)]
content = b"".join(l + b"\r\n" for l in lines)
open(tmp + "/content", "wb").write(content)
stuffed = b"".join((b"." if l.startswith(b".") else b"") + l + b"\r\n" for l in lines)
head = b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n"
open(tmp + "/data", "wb").write(head + b"DATA\r\n" + stuffed + b".\r\nQUIT\r\n")
chunks, at = b"", 0
while at < len(content):
    n = min(random.randrange(100000), len(content) - at)
    chunks += b"BDAT %d\r\n" % n + content[at:at + n]
    at += n
open(tmp + "/bdat", "wb").write(head + chunks + b"BDAT 0 LAST\r\nQUIT\r\n")
E
for way in data bdat; do
	empty_spool
	bmx-receive <"$tmp/$way" >"$tmp/out"
	is "$way: accepted" "$(last_code "$tmp/out")" '250 2.0.0'
	file=$(queued example.com)
	content_of "$file" >"$tmp/got"
	same "D12 D25 D28 $way: every byte is there" "$tmp/content" "$tmp/got"
done
like 'D37 the null sender is kept' "$(tr -d '\r' <"$file" | grep -a '^Bmx-')" \
    '^Bmx-From: <>$'

# ---- several domains ----

empty_spool
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    'RCPT TO:<2@example.net>' 'RCPT TO:<3@example.com>' \
    'RCPT TO:<4@elsewhere.example>' 'RCPT TO:<5@sub.example.com>' \
    'RCPT TO:<6%example.com@elsewhere.example>' 'RCPT TO:<7@[127.0.0.1]>' \
    DATA 'text' . QUIT | bmx-receive >"$tmp/out"
is 'only listed domains are relayed' "$(codes "$tmp/out" | sed -n '4,10p')" \
    '250 2.1.5
250 2.1.5
250 2.1.5
550 5.7.1
550 5.7.1
550 5.7.1
550 5.7.1'
is 'one copy for each domain' "$(queued example.com | wc -l) $(queued example.net | wc -l)" '1 1'
is 'with its own recipients' \
    "$(cat "$(queued example.com)" "$(queued example.net)" | tr -d '\r' | grep '^Bmx-To')" \
    'Bmx-To: U <1@example.com>
Bmx-To: U <3@example.com>
Bmx-To: U <2@example.net>'
unlike 'D19 no for where two recipients are written' \
    "$(cat "$(queued example.com)")" '^	for '
com=$(queued example.com)
com=${com##*/}
net=$(queued example.net)
net=${net##*/}
is 'and the same id' "${com%%,*}" "${net%%,*}"

empty_spool
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<PostMaster>' \
    'RCPT TO:<POSTMASTER@example.net>' DATA 'text' . QUIT |
    bmx-receive >"$tmp/out"
is 'D13 postmaster is always welcome' "$(last_code "$tmp/out")" '250 2.0.0'
like 'D13 a bare one gets the first domain' \
    "$(tr -d '\r' <"$(queued example.com)")" '^Bmx-To: P <PostMaster@example.com>$'

empty_spool
say 'EHLO c' 'MAIL FROM:<a@s.example> SMTPUTF8 RET=HDRS ENVID=q1' \
    'RCPT TO:<j\0303\0274rgen@b\0303\0274cher.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@y.example' \
    'DATA' 'text' . QUIT | bmx-receive >"$tmp/out"
is 'D30 an internationalised recipient is found' "$(last_code "$tmp/out")" '250 2.0.0'
like 'DSN parameters are kept' \
    "$(tr -d '\r' <"$(queued xn--bcher-kva.example)")" \
    'NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@y.example$'
like 'and those of the sender' "$(tr -d '\r' <"$(queued xn--bcher-kva.example)")" \
    '^Bmx-From: <a@s.example> SMTPUTF8 RET=HDRS ENVID=q1$'

# ---- the client leaves, at every byte ----

empty_spool
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    DATA 'text' . >"$tmp/in"
left=0
i=$(wc -c <"$tmp/in")
while [ "$i" -gt 0 ]; do
	i=$((i - 1))
	head -c "$i" "$tmp/in" | bmx-receive >"$tmp/out"
	nothing_queued || left=$((left + 1))
done
is 'D17 a client that leaves early leaves nothing' "$left" 0
bmx-receive <"$tmp/in" >"$tmp/out"
is 'one that leaves without QUIT has been answered' "$(last_code "$tmp/out")" '250 2.0.0'
is 'and its message is kept' "$(queued example.com | wc -l)" 1

# ---- noise ----

empty_spool
: >"$tmp/bmx.log"
python3 - "$tmp/noise" <<'E'
import random, sys
random.seed(12)
open(sys.argv[1], "wb").write(random.randbytes(100000))
E
exits 'binary noise is survived' 0 bmx-receive <"$tmp/noise"
is 'D26 and closed out' "$(last_code "$tmp/out")" '500 5.5.2'
{
	say 'EHLO c' "NOOP $(printf '%05000d' 0)" \
	    'FOO \033]0;x\007 \0200' 'EHLO \033[2Jname' 'QUIT'
} | bmx-receive >"$tmp/out"
is 'D12 an over-long command is answered once' "$(codes "$tmp/out" | sed -n 3,4p)" \
    '500 5.5.2
500 5.5.1'
# shellcheck disable=SC2016 # for the inner shell
ok 'the log has only whole, printable lines' sh -c '
	LC_ALL=C; export LC_ALL
	! grep -qv "^[ -~]*$" "$0" && ! grep -qv "^20.*bmx-receive.*peer=" "$0"' \
    "$tmp/bmx.log"
{
	say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA
	printf 'text\n.\r\nMAIL FROM:<evil@s.example>\r\nRCPT TO:<2@example.com>\r\nDATA\r\nspam\r\n.\r\nQUIT\r\n'
} | bmx-receive >"$tmp/out"
is 'D25 a smuggled message is refused with its carrier' \
    "$(codes "$tmp/out" | tail -n +5)" '354
550 5.5.2'
ok 'and nothing is left' nothing_queued

# ---- size ----

{
	say 'EHLO c' 'MAIL FROM:<a@s.example> SIZE=104857601' \
	    'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA
	yes "$(printf '%098d\r' 0)" | head -c 105000000
	say '' . 'NOOP' QUIT
} | bmx-receive >"$tmp/out"
is 'D23 too big is refused, before and after, in step' \
    "$(codes "$tmp/out" | tail -n +3)" '552 5.3.4
250 2.1.0
250 2.1.5
354
552 5.3.4
250 2.0.0
221 2.0.0'
ok 'and leaves nothing' nothing_queued

what='memory does not grow with the message'
# shellcheck disable=SC3045 # where sh has no ulimit -v it is skipped
if (ulimit -v 30000 && bmx-receive --version) >/dev/null 2>&1; then
	{
		say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' DATA
		yes "$(printf '%098d\r' 0)" | head -c 60000000
		say '' . QUIT
	} | (ulimit -v 30000 && bmx-receive) >"$tmp/out"
	is "$what" "$(last_code "$tmp/out")" '250 2.0.0'
else
	skip "$what" 'the program does not start in 30 MB of address space'
fi

# ---- RFC 2920: one write for a group ----

say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    'RCPT TO:<2@example.com>' 'RSET' 'NOOP' QUIT >"$tmp/in"
if command -v strace >/dev/null; then
	ASAN_OPTIONS=detect_leaks=0 strace -o "$tmp/trace" -e trace=write,sendmsg \
	    -e write=1 bmx-receive <"$tmp/in" >"$tmp/out"
	is 'D21 pipelined commands are answered in one write' \
	    "$(grep -c '^write(1,' "$tmp/trace")" 2
else
	skip 'D21 pipelined commands are answered in one write' 'strace is not installed'
fi
