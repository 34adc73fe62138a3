#!/bin/sh
# What is in the spool and is not bmx's: links, FIFOs, sockets, devices,
# directories, files of others, huge ones and names that are none, among messages
# and in the place of each file of state. Each program ends at once, delivers
# what is good, follows nothing, changes nothing elsewhere; fsck tells of each.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/fake/primary.sh source=tests/fake/flush.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
make_conf 'min-free = 0' "$(for domain in example.com example.net link.example; do
	printf '%s\n' "[$domain]" "primary = 127.0.0.1:$primary_port" 'tls = none' \
	    'admit = spool'
done)"
primary_start
bad=1jqvl3vhe60abcdefghi # of an ID, with a digit
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    'RCPT TO:<1@example.net>' DATA 'Subject: came' '' text . QUIT >"$tmp/in"

# Elsewhere: a message as good as any, a directory, a file.
mkdir -m 700 "$tmp/elsewhere" "$tmp/elsewhere/directory"
put secret
mv "$spool/example.com/new/$id"* "$tmp/elsewhere/message"
echo precious >"$tmp/elsewhere/file"
chmod 600 "$tmp/elsewhere/file"

# elsewhere: what is to stay as it is; of a hard link all but the time, which is
# when a message is tried next
elsewhere()
{
	case $kind in hard_link) time= ;; *) time=%Y ;; esac
	(cd "$tmp/elsewhere" && stat -c "%n %s %a %U $time" ./* ./*/* 2>/dev/null
	    cat message file)
}

# ---- the kinds: each makes the file $1 ----

size=$(wc -c <"$tmp/elsewhere/message")
link_to_message() { ln -s "$tmp/elsewhere/message" "$1"; }
link_to_directory() { ln -s "$tmp/elsewhere/directory" "$1"; }
link_to_file() { ln -s "$tmp/elsewhere/file" "$1"; }
link_to_nothing() { ln -s "$tmp/elsewhere/nothing" "$1"; }
link_to_itself() { ln -s "${1##*/}" "$1"; }
hard_link() { ln "$tmp/elsewhere/file" "$1"; }
fifo() { mkfifo -m 600 "$1"; }
directory() { mkdir -m 700 "$1"; }
socket() { python3 -c 'import os, socket, sys
directory, name = os.path.split(sys.argv[1])
os.chdir(directory)
socket.socket(socket.AF_UNIX).bind(name)' "$1"; }
full_directory() { mkdir -m 700 "$1" && cp -p "$tmp/elsewhere/message" "$1/in"; }
file_of_others() { cp "$tmp/elsewhere/message" "$1" && chown 4711 "$1"; }
device_zero() { mknod -m 600 "$1" c 1 5; }
device_null() { mknod -m 600 "$1" c 1 3; }
block_device() { mknod -m 600 "$1" b 7 4711; }
terabyte() { (umask 077 && truncate -s 1T "$1"); }
empty() { (umask 077 && : >"$1"); }

# name DIGIT: of a message, as large as the one elsewhere
name()
{
	case $kind in
	terabyte) echo "${bad}$1,S=1099511627776,R=1" ;;
	*) echo "${bad}$1,S=$size,R=1" ;;
	esac
}

# begin: two domains with a good message each
begin()
{
	rm -rf "$spool"
	mkdir -m 700 "$spool"
	rm -f "$primary"/*.msg "$primary"/*.env
	put good
	"$mkmsg" "$spool" example.net file="$tmp/good.in" >/dev/null
	: >"$tmp/bmx.log"
	: >"$tmp/paths"
}

# place PATH: one is there, below the spool
place()
{
	"$kind" "$spool/$1" && echo "$1" >>"$tmp/paths"
}

among_messages()
{
	(cd "$spool/example.com" && mkdir -p -m 700 new cur tmp log)
	place "example.com/new/$(name 1)"
	place "example.com/cur/$(name 2):2,"
	place "example.com/tmp/${bad}3"
	place "example.com/tmp/${bad}4.failed"
	place "example.com/log/${bad}1"
	place "example.com/log/$id"
	case $kind in *directory) ;; *) # that is what has to be there
		place link.example
		;;
	esac
}

as_state()
{
	for state in primary history paused unverified lock etrn; do
		rm -f "$spool/example.net/$state"
		place "example.net/$state"
	done
	mkdir -m 700 "$spool/ledger"
	# one of that size is read, to its end
	[ $kind = terabyte ] || place "ledger/$(date -u +%Y-%m)"
}

# runs COMMAND...: it ends by itself
runs()
{
	timeout -s KILL 10 "$@" >"$tmp/out" 2>&1 </dev/null
	status=$?
	[ $status -lt 124 ] || echo "$*: status $status"
	! grep -q 'secret\|precious' "$tmp/out" || echo "$*: has followed a link"
}

# all_programs: what is wrong
all_programs()
{
	elsewhere >"$tmp/before"
	case $kind in
	hard_link) # one that is new may be a message that just came
		runs faketime '1 hour' bmx-queue fsck ;;
	*) runs bmx-queue fsck ;;
	esac
	cp "$tmp/out" "$tmp/fsck"
	runs bmx-queue --json
	for verb in show cat; do
		runs bmx-queue $verb "$(name 1 | cut -c 1-21)"
	done
	rm -f "$tmp/exported"
	runs bmx-queue export example.com -o "$tmp/exported"
	runs bmx-queue fsck --repair
	runs python3 "$top_srcdir/scripts/bmx-report"
	runs bmx-queue reconcile "$tmp/in"
	timeout -s KILL 10 bmx-receive <"$tmp/in" >"$tmp/out" 2>&1
	codes "$tmp/out" | grep -q '^250 2.0.0\|^45' || echo "bmx-receive: $(cat "$tmp/out")"
	runs bmx-probe
	runs bmx-flush --now
	runs bmx-queue remove --yes example.com
	elsewhere | cmp -s - "$tmp/before" || echo 'changed elsewhere'
	! grep -q secret "$primary"/*.msg || echo 'delivered what was linked to'
}

# told: which of them fsck does not tell of. It does not know how large what is
# being written will be.
told()
{
	while read -r path; do
		case $kind,$path in
		terabyte,*/tmp/*) continue ;;
		*,ledger/*) path=./$path ;;
		esac
		grep -qF "	${path#*/}	" "$tmp/fsck" || echo "not told of: $path"
	done <"$tmp/paths"
}

# good: how many of the good messages are at the primary, or wait
good()
{
	cat "$primary"/*.msg "$spool"/example.net/new/* "$spool"/example.net/cur/* \
	    2>/dev/null | grep -c '^Subject: good'
}

kinds='link_to_message link_to_directory link_to_file link_to_nothing link_to_itself
    fifo directory socket full_directory terabyte'
if [ "$(id -u)" -eq 0 ]; then
	kinds="$kinds file_of_others device_zero device_null block_device"
else
	skip 'devices, and files of others' 'needs root'
fi
if faketime_works; then
	kinds="$kinds hard_link"
else
	skip 'hard links' "$faketime_why"
fi
for kind in $kinds; do
	begin
	{
		among_messages
		as_state
	} 2>"$tmp/not-made"
	if [ ! -s "$tmp/paths" ]; then
		skip "$kind" "$(head -n 1 "$tmp/not-made")"
		continue
	fi
	is "$kind: followed by nobody" "$(all_programs)" ''
	is "$kind: fsck tells of all $(wc -l <"$tmp/paths")" "$(told)" ''
	is "$kind: what is good is not stopped, or waits" "$(good)" 2
	while read -r path; do
		case $path in example.net/*) [ -e "$spool/$path" ] || [ -L "$spool/$path" ] ;; esac ||
		    echo "$path"
	done <"$tmp/paths" >"$tmp/gone"
	is "$kind: nothing of it was removed" "$(cat "$tmp/gone")" ''
done

# ---- names that are none, and many ----

kind=empty
begin
(cd "$spool/example.com" && mkdir -p -m 700 new cur tmp log)
long=$(printf '%0255d' 0)
for name in "$long" "$(printf '\033]0;owned\007')" "$(printf 'a\nb\t\177')" \
    "$(printf '\200\377')" ' ' '-rf' '..x' "$(name 1):2,FFFF" "${bad}1,S=99999999999999999999,R=1"; do
	for directory in new cur tmp log; do
		empty "$spool/example.com/$directory/$name"
	done
	empty "$spool/$name"
	empty "$spool/example.com/$name"
done
is 'odd names: nothing stops' "$(all_programs)" ''
unlike 'odd names: no control character is shown' \
    "$(cat "$tmp/fsck" "$tmp/bmx.log" | tr -d '\n\t' | LC_ALL=C tr '\000-\037\177' '!' | grep -o '!')" '!'
# those in tmp/ and log/ only when they are old
is 'odd names: fsck tells of each' \
    "$(grep -c "$long" "$tmp/fsck") $(grep -c 'x1b.0;owned' "$tmp/fsck")" '4 4'

begin
many=20000
python3 -c 'import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    os.mknod("%021d" % i)' "$spool/example.com/new" "$many"
is 'many names: nothing stops' "$(all_programs)" ''
is 'many names: fsck tells of each' "$(grep -c '^example.com' "$tmp/fsck")" "$many"
primary_check
done_testing
