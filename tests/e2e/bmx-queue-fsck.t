#!/bin/sh
# bmx-queue fsck finds what bmx would not believe, follows nothing, and mends
# what can be mended without a loss.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

make_conf '[example.com]' '[example.net]'
spool=$tmp/spool
dir=$spool/example.com

exits "an empty spool is sound" 0 bmx-queue fsck
good=$(mk example.com n=20)
bmx-queue hold "$(echo "$good" | head -n 1)" >/dev/null
mk example.net >/dev/null
exits "and so is one with mail" 0 bmx-queue fsck
is "nothing is said" "$(cat "$tmp/out" "$tmp/err")" ""

# ---- one of each ----

# finding PATH PROBLEM: a line of the report.
finding()
{
	printf 'example.com\t%s\t%s\treported\n' "$1" "$2" >>"$tmp/wanted"
}

bad=1jqvl3vhe60abcdefghi
cd "$dir" || bail cd
mkfifo "new/${bad}0,S=1,R=1"
finding "new/${bad}0,S=1,R=1" "a FIFO"
ln -s /etc/passwd "new/${bad}1,S=1,R=1"
finding "new/${bad}1,S=1,R=1" "a symbolic link, which is not followed"
mkdir "new/${bad}2,S=1,R=1"
finding "new/${bad}2,S=1,R=1" "a directory"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \
    "new/${bad}8,S=1,R=1"
finding "new/${bad}8,S=1,R=1" "a socket"
(umask 077 && printf 'x\n' >"new/${bad}3,S=1,R=1")
finding "new/${bad}3,S=1,R=1" "has 2 bytes, not as named"
(umask 077 && printf 'Subject: no envelope\r\n\r\n' >"cur/${bad}4,S=24,R=1:2,")
finding "cur/${bad}4,S=24,R=1:2," "no envelope of ours"
one=$(mk example.com)
set -- "new/$one"*
chmod 644 "$1"
finding "$1" "mode 0644, not 0600"
two=$(mk example.com)
set -- "new/$two"*
cp -p "$1" "cur/${1#new/}:2,"
finding "$two" "is there twice"
(umask 077 && : >new/README)
finding new/README "not a name of bmx's"
esc=$(printf '\033')
(umask 077 && : >"cur/$esc]0;owned")
finding 'cur/\x1b]0;owned' "not a name of bmx's"
(umask 077 && : >note)
finding note "not a name of bmx's"
chmod 755 log
finding log "mode 0755, not 0700"
(umask 077 && : >"tmp/${bad}5" && : >"tmp/${bad}6")
touch -d '3 days ago' "tmp/${bad}5"
(umask 077 && echo x >"log/${bad}7" && echo damaged >paused)
finding paused "paused: damaged"
cd "$tmp" || bail cd
: >"$spool/stray"
ln -s /tmp "$spool/example.org"

exits "problems are 65" 65 timeout 20 bmx-queue fsck
grep '^example\.com' "$tmp/out" | sort >"$tmp/got"
sort "$tmp/wanted" >"$tmp/want"
same "each is told, and nothing else" "$tmp/want" "$tmp/got"
like "what lies beside the domains" "$(cat "$tmp/out")" \
    "^\\.	stray	not a directory	reported\$"
like "a link where a domain should be" "$(cat "$tmp/out")" \
    "^example\\.org	example\\.org	a symbolic link"
like "and how many" "$(cat "$tmp/err")" \
    '^bmx-queue: [0-9]+ messages, 15 problems, 0 repaired$'
is "of one domain" "$(bmx-queue fsck example.net 2>&1)" ""
like "--json" "$(bmx-queue fsck --json example.com 2>/dev/null)" \
    '^\{"domain":"example\.com","path":"new/README","problem":"not a name of bmx'"'"'s","done":"reported"\}$'

# ---- repair ----

before=$(find "$dir/new" "$dir/cur" -type f | sed 's/.*\///; s/:.*//' | sort)
exits "--repair" 65 timeout 20 bmx-queue fsck --repair example.com
out=$(grep 'repaired$' "$tmp/out" | cut -f 2 | sort)
is "mends what can be mended" "$out" "$(printf '%s\n' \
    "cur/${bad}4,S=24,R=1:2," log "new/$one"* "new/${bad}3,S=1,R=1" |
    sed "s#new/$one.*#$(cd "$dir" && echo "new/$one"*)#" | sort)"
is "a mode" "$(stat -c %a "$dir/new/$one"*) $(stat -c %a "$dir/log")" "600 700"
ok "what cannot be delivered is held" test -f "$dir/cur/${bad}3,S=1,R=1:2,F"
is "no message is lost" \
    "$(find "$dir/new" "$dir/cur" -type f | sed 's/.*\///; s/:.*//' | sort)" \
    "$before"
ok "the link points where it did" test -L "$dir/new/${bad}1,S=1,R=1"
is "and that was not touched" "$(stat -c %a /etc/passwd)" 644

# What a crash leaves is old by its ctime, too, which nobody can set: only a
# clock that is ahead shows it.
linked=$(cd "$dir" && ls new/"$(echo "$good" | tail -n 1)"*)
ln "$dir/$linked" "$tmp/other-name"
(cd "$dir" && umask 077 && : >log/odd && : >.primary.1.0000 && : >tmp/odd)
if faketime_works; then
	faketime '3 days' bmx-queue fsck --repair example.com >"$tmp/out" 2>&1
	ok "what was left in tmp/ goes" test ! -e "$dir/tmp/${bad}5"
	ok "and the log of no message" test ! -e "$dir/log/${bad}7"
	ok "and a file of state that was never in its place" \
	    test ! -e "$dir/.primary.1.0000"
	like "which is told" "$(cat "$tmp/out")" \
	    '	\.primary\.1\.0000	left behind, older than 36 hours	repaired$'
	like "a notice that nobody finished is bmx-flush's" "$(cat "$tmp/out")" \
	    '	tmp/odd	older than 36 hours: does bmx-flush run\?	reported$'
	like "a log of nothing is told" "$(cat "$tmp/out")" \
	    "	log/odd	not a name of bmx's	reported\$"
	is "a hard link is told, and of no other file" \
	    "$(grep 'has another name' "$tmp/out" | cut -f 2-)" \
	    "$linked	has another name (a hard link)	reported"
	same "and both names are left" "$dir/$linked" "$tmp/other-name"
	ok "as is what nobody knows" test -e "$dir/log/odd" -a -e "$dir/tmp/odd"
else
	for what in "what was left in tmp/ goes" "and the log of no message" \
	    "and a file of state" "which is told" "a notice that nobody finished" \
	    "a log of nothing" "a hard link" "both names" "what nobody knows"; do
		skip "$what" "$faketime_why"
	done
fi
rm "$tmp/other-name"

if [ "$(id -u)" -eq 0 ]; then
	three=$(mk example.net)
	chown 4711 "$spool/example.net/new/$three"*
	like "another owner" "$(bmx-queue fsck example.net 2>&1)" \
	    'belongs to user 4711	reported$'
	rm "$spool/example.net/new/$three"*
	mknod "$spool/example.net/new/null" c 1 3 2>/dev/null
else
	skip "another owner" "needs root"
fi

# ---- beside everything else ----

ln "$dir/new/$one"* "$dir/tmp/$one"
unlike "a message on its way from tmp/ to new/ is none" \
    "$(bmx-queue fsck example.com 2>/dev/null)" "$one"
rm -rf "$spool"
make_conf '[example.com]'
mk example.com n=500 >/dev/null
start_bg remove bmx-queue remove --yes example.com
start_bg writer "$top_builddir/tests/lib/mkmsg" "$spool" example.com n=200
exits "fsck while mail comes and goes" 0 timeout 20 bmx-queue fsck --repair
is "finds nothing" "$(cat "$tmp/out" "$tmp/err")" ""
wait_gone "$(pid_of remove)"
wait_gone "$(pid_of writer)"

# ---- the ledger ----

rm -rf "$spool/ledger"
mkdir -m 700 "$spool/ledger"
(cd "$spool/ledger" && umask 077 && : >2026-01 && : >2025-12.gz && : >2026-1 && : >README)
exits "names in the ledger" 65 bmx-queue fsck
is "that are none are told, and no other" "$(sort "$tmp/out")" \
    ".	ledger/2026-1	not a name of bmx's	reported
.	ledger/README	not a name of bmx's	reported"
rm -r "$spool/ledger"
(umask 077 && : >"$spool/ledger")
exits "a file where the ledger should be" 65 bmx-queue fsck
is "is told" "$(cut -f 2,3 "$tmp/out")" "ledger	a file, not a directory"
rm "$spool/ledger"

# ---- a domain that cannot be opened ----

mkdir -m 700 "$spool/example.org"
: >"$spool/example.org/cur"
exits "a domain without directories" 65 bmx-queue fsck example.org
is "is told, and why" "$(cut -f 1-3 "$tmp/out")" \
    "example.org	.	open example.org/cur: Not a directory"

exits "it takes domains" 64 bmx-queue fsck "$one"
exits "and no filter" 64 bmx-queue fsck --held

chmod 755 "$spool"
is "the spool itself" "$(bmx-queue fsck 2>/dev/null | grep 0755)" \
    ".	.	mode 0755, not 0700	reported"
is "is not looked at for one of its domains" \
    "$(bmx-queue fsck example.com 2>/dev/null | grep 0755)" ""
bmx-queue fsck --repair >/dev/null 2>&1
is "gets its mode, too" "$(stat -c %a "$spool")" 700

done_testing
