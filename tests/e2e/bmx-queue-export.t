#!/bin/sh
# bmx-queue gives copies of messages to mail readers and to other spools, whole
# or not at all.
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need python3 tar

mk()
{
	"$top_builddir/tests/lib/mkmsg" "$tmp/spool" "$@"
}

make_conf '[example.com]' '[example.net]'
spool=$tmp/spool
printf 'Subject: one\r\n\r\nFrom here\r\n>From there\r\n>>Fro\r\nFrom\r\n\r\nlast line' \
    >"$tmp/one"
one=$(mk example.com file="$tmp/one" from= to=bob@example.com to=carol@example.com)
two=$(mk example.net size=200000)
held=$(mk example.com)
bmx-queue hold "$held" >/dev/null

# What Python's mailbox finds, read as mboxrd: subject, sender, recipients, body.
cat >"$tmp/read.py" <<'ENDPY'
import mailbox, re, sys
box = (mailbox.mbox if sys.argv[1] == "mbox" else mailbox.Maildir)(
    sys.argv[2], create=False)
for message in sorted(box, key=lambda m: m["Subject"] or ""):
    if message["Subject"] != "one":
        continue
    body = message.get_payload()
    if sys.argv[1] == "mbox":
        body = re.sub(r"^>(>*From )", r"\1", body, flags=re.M)
    print(message["Return-Path"], message.get_all("X-Envelope-To"), repr(body))
print(len(box))
ENDPY
want="<> ['<bob@example.com>', '<carol@example.com>'] 'From here\\n>From there\\n>>Fro\\nFrom\\n\\nlast line"

exits "an mbox" 0 bmx-queue export --domain '*' -o "$tmp/box"
is "says what is in it" "$(cut -f 1,3 "$tmp/out")" "$one	exported
$two	exported
$held	exported"
is "and can be read by others" "$(python3 "$tmp/read.py" mbox "$tmp/box")" \
    "$want\\n'
3"
is "nobody else may" "$(stat -c %a "$tmp/box")" 600
exits "a name that is taken is refused" 69 bmx-queue export "$one" -o "$tmp/box"
is "and what is there stays" \
    "$(python3 "$tmp/read.py" mbox "$tmp/box" | tail -n 1)" 3
(cd "$tmp" && bmx-queue export "$one" -o here) >/dev/null
is "a name in the directory one is in" \
    "$(python3 "$tmp/read.py" mbox "$tmp/here" | tail -n 1)" 1
if command -v script >/dev/null; then
	is "a terminal is no place for mail" "$(script -qec \
	    "bmx-queue export $one; echo \$?" /dev/null </dev/null | tr -d '\r')" \
	    "bmx-queue: mail is not for a terminal: --output FILE, or > FILE
64"
else
	skip "a terminal is no place for mail" "script is not installed"
fi
exits "nor do objects tell of mail among which they would be" 64 \
    bmx-queue export --json "$one"
is "so there is none" "$(cat "$tmp/out")" ""
exits "standard output will do" 0 bmx-queue export "$one" "$two"
python3 "$tmp/read.py" mbox "$tmp/out" >"$tmp/got"
is "for an mbox" "$(tail -n 1 "$tmp/got")" 2

exits "a Maildir" 0 bmx-queue export --format maildir example.com -o "$tmp/dir"
is "can be read by others" "$(python3 "$tmp/read.py" maildir "$tmp/dir")" \
    "$want'
2"

exits "wire" 0 bmx-queue export --format wire -o "$tmp/wire" "$one"
same "is the file as it is" "$spool/example.com/new/$one"* \
    "$tmp/wire/example.com,$one"*

bmx-queue export --format tar --domain '*' >"$tmp/all.tar"
mkdir -m 700 "$tmp/other"
ok "an archive" tar -xf "$tmp/all.tar" -C "$tmp/other"
is "has the files of the spool" \
    "$(cd "$tmp/other" && find . -type f | sort)" \
    "$(cd "$spool" && find . -path './ledger*' -prune -o -path '*/log/*' -prune \
	-o -type f -print | sort)"
same "byte for byte" "$spool/example.net/new/$two"* \
    "$tmp/other/example.net/new/$two"*
sed "s#^spool = .*#spool = $tmp/other#" "$BMX_CONF" >"$tmp/other.conf"
chmod 700 "$tmp"/other/* "$tmp"/other/*/*
is "and is a spool again" "$(bmx-queue -c "$tmp/other.conf" | cut -f 1,5)" \
    "$one	new
$two	new
$held	held"
exits "that is sound" 0 bmx-queue -c "$tmp/other.conf" fsck

long=$(printf '%063d' 1)
mk "$long.$long.$long.example.com" >/dev/null
bmx-queue export --format tar --recipient '*' >"$tmp/long.tar"
like "a long name has room" "$(tar -tf "$tmp/long.tar" | sed 's#/.*##')" \
    "^$long\\.$long\\.$long\\.example\\.com\$"
bmx-queue remove "$long.$long.$long.example.com" --yes >/dev/null

# ---- nothing half ----

# A file may not grow beyond 64 KiB: like a full disk.
full()
{
	(
		trap '' XFSZ
		ulimit -f 128
		exec bmx-queue export "$@"
	)
}
for format in mbox tar maildir wire; do
	exits "a full disk, $format" 75 full --format "$format" "$two" \
	    -o "$tmp/full"
	like "is told" "$(cat "$tmp/err")" "cannot write $tmp/full: File too large"
	is "and nothing is there" "$(find "$tmp" -maxdepth 1 -name '*full*')" ""
done
exits "nor can a pipe that is full lie" 74 sh -c \
    "bmx-queue export $one >/dev/full"
exits "a directory that is not there" 75 bmx-queue export "$one" -o "$tmp/no/box"
set -- "$spool/example.com/new/$one"*
truncate -s 100 "$1"
exits "what is damaged is told" 65 bmx-queue export example.com -o "$tmp/rest"
is "and left out" "$(cut -f 1 "$tmp/out")" "$held"

for words in "" "--format zip $two" "--format wire $two" "$two -o x/" \
    "--yes $two"; do
	# shellcheck disable=SC2086
	exits "bmx-queue export $words is a usage error" 64 bmx-queue export $words
done

# ---- beside others ----

mk example.net n=300 >/dev/null
start_bg remove bmx-queue remove --yes example.net
exits "mail that goes meanwhile" 0 bmx-queue export example.net -o "$tmp/going"
wait_gone "$(pid_of remove)"
is "is in it as a whole or not" \
    "$(python3 "$tmp/read.py" mbox "$tmp/going" | tail -n 1)" \
    "$(wc -l <"$tmp/out" | tr -d ' ')"

# ---- the move to another host, as the manual has it ----

# recipe FROM TO: these lines of it, where ssh is a shell in the other spool
recipe()
{
	sed -n '/^Move what waits/,/^\.Ed/{/^\./d;s/\\e$/\\/;p;}' \
	    "$top_srcdir/man/bmx-queue.1" | sed -n "/^$1/,/$2\$/p" |
	    sed "s#/tmp/moved#$tmp/moved#; s#/var/spool/bmx#$tmp/other#" >"$tmp/recipe"
	(cd "$tmp" && PATH=$tmp/ssh:$PATH sh ./recipe) >"$tmp/out" 2>"$tmp/err"
}
mkdir "$tmp/ssh"
cat >"$tmp/ssh/ssh" <<E
#!/bin/sh
shift
[ ! -e "$tmp/cut" ] || exit 255
BMX_CONF=$tmp/other.conf exec sh -c "\$*"
E
chmod +x "$tmp/ssh/ssh"
rm -r "$tmp/other"
mkdir -m 700 "$tmp/other"
plain=$(mk example.com)
copy=$(mk example.com)
mk example.org id="$copy" >/dev/null
damaged=$(mk example.com)
truncate -s 100 "$spool/example.com/new/$damaged"*
recipe 'bmx-queue hold' 'example.com'
later=$(mk example.com)
: >"$tmp/cut"
before=$(bmx-queue --summary | cut -f 1-6)
recipe 'bmx-queue export' 'example.com'
is "where the way there is cut, all stays" "$(bmx-queue --summary | cut -f 1-6)" \
    "$before"
rm "$tmp/cut" "$tmp/moved.tar" "$tmp/moved"
recipe 'bmx-queue export' 'example.com'
is "what was held is there, and not held" \
    "$(bmx-queue -c "$tmp/other.conf" "$plain" "$copy" | cut -f 1,5,7)" \
    "$plain	deferred	example.com
$copy	deferred	example.com"
is "and here no more" "$(bmx-queue count example.com/"$plain" 2>/dev/null)" 0
is "nor is what has a copy for another domain, which stays" \
    "$(bmx-queue "$copy" | cut -f 1,7)" "$copy	example.org"
is "what came meanwhile is here alone" \
    "$(bmx-queue -c "$tmp/other.conf" count "$later" 2>/dev/null; bmx-queue count "$later")" \
    "0
1"
is "and so is what is damaged" "$(bmx-queue count "$damaged")" 1
bmx-queue remove "$damaged" "$later" "$copy" >/dev/null

done_testing
