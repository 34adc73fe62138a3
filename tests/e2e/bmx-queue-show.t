#!/bin/sh
# bmx-queue explains one message, and gives it back byte for byte.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

make_conf '[example.com]'
spool=$tmp/spool/example.com
id=$(mk example.com to=bob@example.com to=carol@example.com age=600)
file=$(echo "$spool/new/$id"*)

# The second recipient has got it; the first waits for its next try.
LC_ALL=C sed -i 's/^Bmx-To: P <carol/Bmx-To: D <carol/' "$file"
mv "$file" "$spool/cur/${file##*/}:2,"
file=$spool/cur/${file##*/}:2,
touch -d '2100-01-01T00:00:00Z' "$file"
printf '%s\n' '2026-11-24T03:11:14Z reply=450 4.2.1 try \x5b later' >"$spool/log/$id"

exits "show" 0 bmx-queue show "$id"
out=$(cat "$tmp/out")
like "names the message" "$out" "^ID:        $id\$"
like "its domain" "$out" '^Domain:    example\.com$'
like "its state and next try" "$out" \
    '^State:     deferred, next try in [0-9.]+ d, at 2100-01-01T00:00:00Z$'
like "its age" "$out" '^Age:       10 min$'
like "its size" "$out" "^Size:      $(wc -c <"$file" | tr -d ' ') bytes\$"
like "its file" "$out" "^File:      $file\$"
like "the client" "$out" \
    '^Client:    addr=192\.0\.2\.1 helo=mx\.example\.org proto=ESMTP$'
like "the sender" "$out" '^From:      <alice@example\.org>$'
like "a recipient who waits" "$out" '^To:        <bob@example\.com> pending$'
like "one who has it" "$out" '^To:        <carol@example\.com> delivered$'
like "the log" "$out" \
    '^    2026-11-24T03:11:14Z reply=450 4\.2\.1 try \\x5b later$'

bmx-queue show --json "$id" >"$tmp/out"
is "show --json is one line" "$(wc -l <"$tmp/out" | tr -d ' ')" 1
like "with the recipients' states" "$(cat "$tmp/out")" \
    '"to":\[\{"address":"bob@example.com","state":"pending"\},\{"address":"carol@example.com","state":"delivered"\}\]'
like "the file, the envelope and the log" "$(cat "$tmp/out")" \
    '"file":"[^"]*:2,","envelope":\["Bmx-Envelope: 1",.*"log":\["2026-11-24T03:11:14Z reply='

other=$(mk example.com from=)
is "messages are apart by an empty line" \
    "$(bmx-queue show "$id" "$other" | grep -c '^$')" 1
like "the null sender" "$(bmx-queue show "$other")" '^From:      <>$'
bmx-queue hold "$other" >/dev/null
like "a held message" "$(bmx-queue show "$other")" \
    '^State:     held, not tried until released$'
printf '%s\r\n' 'EHLO c' 'MAIL FROM:<a@s.example>' \
    'RCPT TO:<bob@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@s.example' \
    'RCPT TO:<eve@example.com> NOTIFY=NEVER' 'RCPT TO:<joe@example.com>' \
    DATA x . QUIT | TCPREMOTEIP=192.0.2.7 TCPREMOTEPORT=4711 bmx-receive \
    >"$tmp/replies"
dsn=$(sed -n 's/^250 2.0.0 Queued as \([^ ]*\).*/\1/p' "$tmp/replies" | tr -d '\r')
like "what its sender wants to be told" "$(bmx-queue show --json "$dsn")" \
    '"to":\[\{"address":"bob@example\.com","state":"unverified","notify":\["success","delay"\],"orcpt":"rfc822;b@s\.example"\},\{"address":"eve@example\.com","state":"unverified","notify":\["never"\]\},\{"address":"joe@example\.com","state":"unverified"\}\]'
like "and whose client it was" "$(bmx-queue show --json "$dsn")" \
    '"client":\{"address":"192\.0\.2\.7","port":4711,'
like "a recipient whom nobody knows" "$(bmx-queue show "$dsn")" \
    '^To: +<joe@example\.com> unverified$'
LC_ALL=C sed -i 's/^Bmx-To: U <joe/Bmx-To: X <joe/; s/^Bmx-To: U <eve/Bmx-To: B <eve/' \
    "$spool/new/$dsn"*
like "one who does not exist" "$(bmx-queue show "$dsn")" \
    '^To: +<joe@example\.com> unwanted$'
like "and one of whom the sender was told" "$(bmx-queue show "$dsn")" \
    '^To: +<eve@example\.com> NOTIFY=NEVER bounced$'
bmx-queue remove "$dsn" >/dev/null
exits "a message that is not there" 69 bmx-queue show 00000000000aaaaaaaaaa

# ---- cat ----

LC_ALL=C sed '/^Bmx-/d' "$file" >"$tmp/content"
bmx-queue cat "$id" >"$tmp/got"
same "cat is the message without the envelope" "$tmp/content" "$tmp/got"

large=$(mk example.com size=3000000)
LC_ALL=C sed '/^Bmx-/d' "$spool/new/$large"* >"$tmp/content"
bmx-queue cat example.com/"$large" >"$tmp/got"
same "also of a large one" "$tmp/content" "$tmp/got"

set -- "$spool/new/$large"*
truncate -s 1000 "$1"
exits "a file that was cut short is not believed" 65 bmx-queue cat "$large"
is "and not printed" "$(cat "$tmp/out")" ""

if command -v script >/dev/null; then
	printf 'X: \033[2J\r\n\ttab\r\n' >"$tmp/evil"
	set -- "$spool/cur/$other"*
	{
		LC_ALL=C grep '^Bmx-' "$1"
		cat "$tmp/evil"
	} >"$tmp/new"
	evil="$spool/new/1jqvl3vhe60abcdefghij,S=$(wc -c <"$tmp/new" |
	    tr -d ' '),R=1"
	cp "$tmp/new" "$evil"
	is "a terminal is told nothing" "$(script -qec \
	    'bmx-queue cat 1jqvl3vhe60abcdefghij' /dev/null </dev/null |
	    tr -d '\r')" 'X: \x1b[2J
	tab'
	bmx-queue cat 1jqvl3vhe60abcdefghij >"$tmp/got"
	same "a file gets it all" "$tmp/evil" "$tmp/got"
else
	skip "a terminal is told nothing" "script is not installed"
	skip "a file gets it all" "script is not installed"
fi

done_testing
