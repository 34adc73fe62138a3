#!/bin/sh
# bmx-queue holds, releases and removes, says so, and leaves a trace.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

count()
{
	find "$tmp/spool/$1/new" "$tmp/spool/$1/cur" -type f | wc -l | tr -d ' '
}

make_conf '[example.com]' '[example.net]'
spool=$tmp/spool
log=$tmp/bmx.log
: >"$log"

# ---- hold and release ----

id=$(mk example.com)
name=$(basename "$spool/example.com/new/$id"*)
exits "hold" 0 bmx-queue hold "$id" --reason "the $(printf 'boss\nsays so')"
is "says what it did" "$(cat "$tmp/out")" "$id	example.com	held"
ok "in the name of the file" test -f "$spool/example.com/cur/$name:2,F"
like "in the log, id first, in one line" "$(cat "$log")" \
    "bmx-queue\\[[0-9]+\\]: id=$id domain=example\\.com size=[0-9]+ nrcpt=1 action=held uid=$(id -u) reason=the boss\\\\x0asays so\$"
like "in the log of the message" "$(cat "$spool/example.com/log/$id")" \
    'Z action=held uid=[0-9]+ reason=the boss'
exits "hold again" 0 bmx-queue hold "$id"
is "changes nothing" "$(cat "$tmp/out")" "$id	example.com	unchanged"
exits "release" 0 bmx-queue release "$id"
is "says so" "$(cat "$tmp/out")" "$id	example.com	released"
like "and the flag is gone, but for how long it was held" \
    "$(ls "$spool/example.com/cur")" "^$name(,H=[0-9]+)?:2,\$"
is "release again changes nothing" "$(bmx-queue release "$id")" \
    "$id	example.com	unchanged"
is "four orders, two events" "$(grep -c "id=$id" "$log")" 2

mk example.com n=3 >/dev/null
exits "a domain is held without --yes, for it can be released" 0 \
    bmx-queue hold example.com
is "all of it" "$(cut -f 3 "$tmp/out" | sort | uniq -c | awk '{ print $1 $2 }')" \
    "4held"
is "--json" "$(bmx-queue release --json "$id")" \
    '{"id":"'"$id"'","domain":"example.com","result":"released"}'

# ---- remove one ----

exits "remove by ID acts at once" 0 bmx-queue remove "$id" --reason 'spam = bad'
is "says so" "$(cat "$tmp/out")" "$id	example.com	removed"
is "the file is gone" "$(find "$spool/example.com" -name "$id*")" ""
like "it is logged" "$(cat "$log")" "id=$id .* action=removed .* reason=spam = bad\$"
like "and in the ledger" "$(cat "$spool"/ledger/*)" \
    "^[0-9TZ:.-]+ id=$id domain=example\\.com what=removed size=[0-9]+ from=<alice@example\\.org> nrcpt=1 peer= arrival=[0-9TZ:.-]+ reply=spam = bad\$"
exits "what is not there cannot be removed" 69 bmx-queue remove "$id"
is "and nothing is said to be" "$(cat "$tmp/out")" ""

# ---- remove a domain ----

before=$(count example.com)
exits "remove by domain does nothing" 64 bmx-queue remove example.com
is "but print what it would do" "$(cut -f 2- "$tmp/out" | sort -u)" \
    "example.com	remove"
like "and how to do it" "$(cat "$tmp/err")" '--yes'
is "all is still there" "$(count example.com)" "$before"
one=$(mk example.net)
exits "nor does it with an ID beside" 64 bmx-queue remove "$one" example.com
is "that message is still there" "$(count example.net)" 1
exits "remove --yes" 0 bmx-queue remove --yes example.com
is "removes all of it" "$(count example.com)" 0
is "and of no other domain" "$(count example.net)" 1
is "each is in the ledger" "$(grep -c what=removed "$spool"/ledger/*)" \
    "$((before + 1))"

# ---- copies in two domains ----

both=$(mk example.com)
mk example.net id="$both" >/dev/null
exits "DOMAIN/ID" 0 bmx-queue remove example.net/"$both"
is "removes the copy of that domain" "$(count example.com) $(count example.net)" \
    "1 1"
mk example.net id="$both" >/dev/null
is "an ID removes all copies" "$(bmx-queue remove "$both" | cut -f 2)" \
    "example.com
example.net"

# ---- from a pipe ----

spam=$(mk example.com from=win@spammer.example n=3)
good=$(mk example.com)
is "bmx-queue | grep | bmx-queue remove -" \
    "$(bmx-queue | grep spammer.example | bmx-queue remove - | cut -f 1 | sort)" \
    "$(echo "$spam" | sort)"
is "leaves the rest" "$(bmx-queue example.com | cut -f 1)" "$good"
exits "an empty pipe removes nothing" 0 sh -c 'bmx-queue remove --yes - </dev/null'
is "at all" "$(bmx-queue example.com | cut -f 1)" "$good"

# ---- messages that cannot be read ----

bad=1jqvl3vhe60abcdefghij
printf 'x' >"$spool/example.com/new/$bad,S=7,R=1"
exits "what is damaged can be removed too" 0 bmx-queue remove "$bad"
like "its sender unknown" "$(cat "$spool"/ledger/*)" "id=$bad .* from=<\\?> "

# ---- flags of a mail reader ----

seen=$(mk example.com)
set -- "$spool/example.com/new/$seen"*
mv "$1" "$spool/example.com/cur/${1##*/}:2,RS"
bmx-queue hold "$seen" >/dev/null
ok "a mail reader's flags stay" test -f "$spool/example.com/cur/${1##*/}:2,FRS"
bmx-queue remove "$seen" >/dev/null

# ---- many at once share a sync, and each is in the ledger before it is gone ----

mk example.com n=300 >/dev/null
if strace -qq -o /dev/null true 2>/dev/null; then
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -s 300 \
	    -o "$tmp/calls" -e trace=write,fdatasync,fsync,unlinkat \
	    bmx-queue remove --yes example.com >"$tmp/out"
	is "what is removed has a line that is synced" "$(awk '
	    /what=removed/ { sub(/.* id=/, ""); written[$1] = 1 }
	    / f(data)?sync\(/ { for (id in written) synced[id] = 1 }
	    / unlinkat\(.*,S=/ { sub(/.*unlinkat\([0-9]+, "/, ""); sub(/,.*/, "")
		n++
		if (!($0 in synced)) early++ }
	    END { print n, early + 0 }' "$tmp/calls")" "$(wc -l <"$tmp/out" | tr -d ' ') 0"
	ok "and not a sync of its own" test "$(grep -c 'fdatasync(' "$tmp/calls")" -lt 5
else
	skip "what is removed has a line that is synced" "strace is not there, or may not"
	skip "and not a sync of its own" "strace is not there, or may not"
fi
bmx-queue remove --yes example.com >/dev/null

# ---- what cannot be done ----

month=$(date -u +%Y-%m)
mv "$spool/ledger" "$tmp/ledger"
mkdir -m 700 "$spool/ledger"
mkdir -m 700 "$spool/ledger/$month" "$spool/ledger/$(date -u -d @$(($(date +%s) + 3600)) +%Y-%m)" \
    2>/dev/null
here=$(mk example.com)
for order in remove bounce; do
	case $order in
	remove) done=removed ;;
	bounce) done=bounced ;;
	esac
	exits "$order without a ledger" 75 bmx-queue "$order" "$here"
	like "says of what, and where to look" "$(cat "$tmp/err")" \
	    "^bmx-queue: example\\.com/$here is not $done: ledger: open $month: Is a directory\$"
done
is "so it is there" "$(bmx-queue count "$here")" 1
rm -r "$spool/ledger"
mv "$tmp/ledger" "$spool/ledger"
bmx-queue remove "$here" >/dev/null

# ---- root acts as the owner ----

if [ "$(id -u)" -eq 0 ]; then
	mine=$(mk example.com)
	: >"$log"
	chown -R 4711:4711 "$spool" "$log"
	exits "root" 0 bmx-queue remove "$mine"
	is "leaves nothing of root's in the spool" \
	    "$(find "$spool" -not -user 4711)" ""
	like "and is named in the log" "$(cat "$log")" "id=$mine .* uid=0 "
else
	skip "root" "needs root"
	skip "leaves nothing of root's in the spool" "needs root"
	skip "and is named in the log" "needs root"
fi

done_testing
