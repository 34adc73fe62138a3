#!/bin/sh
# bmx-queue puts mail of other spools into its own: exports, and plain messages
# with an envelope beside them, such as Postfix has.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

make_conf '[example.com]' '[example.net]'
spool=$tmp/spool

# ---- plain messages ----

printf 'Subject: plain\n\nHello\n\nworld' >"$tmp/plain"
exits "import" 0 bmx-queue import --from alice@example.org --to bob@example.com \
    --to carol@EXAMPLE.net --to dave@example.com -r 'the old spool' "$tmp/plain"
is "a copy for each domain" "$(cut -f 2,3 "$tmp/out")" "example.com	imported
example.net	imported"
id=$(cut -f 1 "$tmp/out" | sort -u)
is "under one ID" "$(bmx-queue "$id" | cut -f 1,7-)" \
    "$id	example.com	alice@example.org	bob@example.com,dave@example.com
$id	example.net	alice@example.org	carol@EXAMPLE.net"
bmx-queue cat example.com/"$id" >"$tmp/got"
ok "each line ends in CRLF" test "$(grep -c "$(printf '\r')\$" "$tmp/got")" \
    -eq "$(wc -l <"$tmp/got")"
like "our Received field is in front" "$(sed 1q "$tmp/got")" '^Received: '
is "then the message" "$(tail -n 5 "$tmp/got" | tr -d '\r')" 'Subject: plain

Hello

world'
like "it is logged" "$(cat "$tmp/bmx.log")" \
    "id=$id domain=example\\.net action=imported uid=[0-9]+ reason=the old spool\$"
is "from standard input, with the null sender" \
    "$(bmx-queue import --from '' --to bob@example.com - <"$tmp/plain" |
	cut -f 2,3)" "example.com	imported"
printf 'Subject: \303\266\n\n' >"$tmp/8bit"
like "8-bit content is known" "$(bmx-queue show "$(bmx-queue import \
    --from a@example.org --to bob@example.com "$tmp/8bit" | cut -f 1)")" \
    '^From: .* BODY=8BITMIME$'
exits "the spool is sound" 0 bmx-queue fsck
before=$(bmx-queue count)

# bad "test" STATUS REASON ARGUMENT...
bad()
{
	what=$1 status=$2 reason=$3
	shift 3
	exits "$what" "$status" bmx-queue import "$@"
	like "$what: why" "$(cat "$tmp/err")" "$reason"
}
bad "no envelope" 64 'give --from and --to' "$tmp/plain"
bad "a recipient of somebody else" 69 'not of a domain of' \
    --from a@example.org --to bob@example.com --to x@example.edu "$tmp/plain"
bad "a recipient that is no address" 64 '^bmx-queue: .*: --to x y: bad local part' \
    --from a@example.org --to 'x y' "$tmp/plain"
bad "a sender that is no address" 64 '^bmx-queue: .*: --from x y: bad local part' \
    --from 'x y' --to b@example.com "$tmp/plain"
printf 'Subject: x\n\ra\n' >"$tmp/cr"
bad "a CR alone, with which mail is smuggled" 65 'no line end' \
    --from a@example.org --to bob@example.com "$tmp/cr"
: >"$tmp/empty"
bad "an empty file" 65 'empty' --from a@example.org --to b@example.com "$tmp/empty"
bad "no such file" 75 'No such file' "$tmp/none"
mkfifo "$tmp/fifo"
bad "a FIFO" 65 'fifo: not a regular file; - is standard input$' "$tmp/fifo"
bad "a directory" 65 'not a regular file' "$tmp"
is "nothing of these is there" "$(bmx-queue count)" "$before"
exits "no file" 64 bmx-queue import

# ---- exports ----

two=$(mk example.com to=bob@example.com to=carol@example.com age=7200)
LC_ALL=C sed -i 's/^Bmx-To: P <carol/Bmx-To: D <carol/' \
    "$spool/example.com/new/$two"*
bmx-queue export --format wire -o "$tmp/wire" "$two" >/dev/null
set -- "$tmp/wire"/*
is "what is there is left alone" "$(bmx-queue import "$@")" \
    "$two	example.com	unchanged"
bmx-queue remove "$two" >/dev/null
is "what is not comes back" "$(bmx-queue import "$@")" \
    "$two	example.com	imported"
like "as old as it was, for whoever waits" "$(bmx-queue --json "$two")" \
    '"age":72[0-9][0-9],.*"to":\[\{"address":"bob@example\.com","state":"pending"\}\]'
LC_ALL=C sed '/^Bmx-/d' "$1" >"$tmp/want"
bmx-queue cat "$two" >"$tmp/got"
same "byte for byte" "$tmp/want" "$tmp/got"

# held for 30 of its 40 days before it was released, and for 3 of 4 until now;
# where the clocks of the primary stand at something else, and it was up for all
# that anybody knows but a day
old=$(mk example.com to=bob@example.com age=3456000 up=100 all=200)
(cd "$spool/example.com/new" && mv "$old"* "$(echo "$old"*),H=2592000")
held=$(mk example.com to=bob@example.com age=345600)
(cd "$spool/example.com" && mv "new/$held"* \
    "cur/$(cd new && echo "$held"*):2,FW" &&
    touch -d '3 days ago' "cur/$held"*)
bmx-queue export --format wire -o "$tmp/held" "$old" "$held" >/dev/null
bmx-queue remove "$old" "$held" >/dev/null
bmx-queue import "$tmp/held"/* >/dev/null
like "it goes on with the time that it was held" \
    "$(ls "$spool/example.com/new")" "$old,S=[0-9]+,R=1,H=2592000\$"
like "to which belongs that until now, and its sender stays told" \
    "$(ls "$spool/example.com/new")" "$held,S=[0-9]+,R=1,H=259[0-9]{3}:2,W\$"
{
	echo 'verdict up'
	echo "probed $(date -u +%Y-%m-%dT%H:%M:%SZ)"
	printf '%s\n' 'last up' 'run 9' 'up-time 99999999' 'all-time 99999999'
} >"$spool/example.com/primary"
echo "$(date -u -d '1 day ago' +%Y-%m-%dT%H:%M:%SZ) up" >"$spool/example.com/history"
chmod 600 "$spool/example.com/primary" "$spool/example.com/history"
like "clocks of elsewhere make it no older" "$(bmx-queue --json "$old")" \
    '"lifetime_left":2592000,'
(trap '' XFSZ; ulimit -f 1; exec bmx-queue import --from a@example.org \
    --to bob@example.com "$top_srcdir/Makefile.am") >"$tmp/out" 2>&1
is "a full disk takes nothing" "$?" 75
is "and leaves nothing" "$(find "$spool"/*/tmp -type f)" ""

# ---- Postfix ----

if ! command -v postcat >/dev/null || ! command -v jq >/dev/null ||
    [ "$(id -u)" -ne 0 ]; then
	skip "mail that Postfix holds" "needs root, Postfix and jq"
	skip "its envelope" "needs root, Postfix and jq"
	skip "and its content" "needs root, Postfix and jq"
	done_testing
	exit
fi
postfix_make 'smtpd_sender_restrictions = check_sender_access static:HOLD'
postfix_start
python3 - "$postfix_port" <<'E'
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as c:
    c.sendmail("alice@example.org", ["bob@example.com", "o'hara@example.net"],
               b"Subject: kept by Postfix\r\n\r\n.dot\r\nlast\r\n")
E
bmx-queue remove --yes --domain '*' >/dev/null
# The pipeline of bmx-queue(1), but for the directory.
postqueue -c "$postfix/etc" -j | jq -r '
	[.queue_id, .sender] + [.recipients[] | "--to", .address] | @sh' |
    while read -r words; do
	eval "set -- $words"
	id=$1 from=$2
	shift 2
	postcat -c "$postfix/etc" -bh -q "$id" |
	    bmx-queue import --from "$from" "$@" -
done >"$tmp/out"
is "mail that Postfix holds" "$(cut -f 2,3 "$tmp/out")" "example.com	imported
example.net	imported"
is "its envelope" "$(bmx-queue | cut -f 7-)" \
    "example.com	alice@example.org	bob@example.com
example.net	alice@example.org	o'hara@example.net"
is "and its content" "$(bmx-queue cat "example.com/$(cut -f 1 "$tmp/out" | sed 1q)" |
    tr -d '\r' | sed -n '/^Subject/,/^last/p' | sed 5q)" "Subject: kept by Postfix

.dot
last"
stop postfix

done_testing
