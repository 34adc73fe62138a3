#!/bin/sh
# A primary that stalls, lies, truncates, floods and resets at the steps where
# bmx-flush-session.t does not look (D31, D32): the message waits, and a later
# run delivers it.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make

# conf [LINE...]
conf()
{
	make_conf '[example.com]' "primary = 127.0.0.1:$primary_port" \
	    'reply-timeout = 1' 'connect-timeout = 5' "$@"
}

# ---- stage x misbehaviour ----

# broken "how" STAGE ACTION [OPTION...]: the message waits, or was sent on
# another way; nothing is lost, and only a lost reply to all of it makes two.
broken()
{
	what="$2: $1"
	stage=$2
	action=$3
	shift 3
	primary_renew "$@" "$stage#1 $action"
	put broken
	timeout 20 bmx-flush >/dev/null 2>&1
	status=$?
	case $status in
	0) is "$what: it went all the same, once" \
	    "$(primary_count) $(waiting)" "1 0" ;;
	75) is "$what: it waits" "$(states "$id") $(held)" "P 0"
		exits "$what: the next run: 0" 0 timeout 20 bmx-flush --now
		is "$what: it is there" "$(waiting)" 0
		ok "$what: at most twice" test "$(primary_count)" -le "$most" ;;
	*) fail "$what: status $status" "$(cat "$tmp/bmx.log")" ;;
	esac
	same "$what: byte for byte" "$primary/1.msg" "$tmp/broken.in"
	rm -rf "$spool/example.com"
}

# ways STAGE MOST [OPTION...]: MOST times it may come
ways()
{
	stage=$1
	most=$2
	shift 2
	broken "hangs up" "$stage" hangup "$@"
	broken "resets" "$stage" reset "$@"
	broken "floods" "$stage" flood "$@"
	broken "cuts its reply, and stalls" "$stage" 'raw 25' "$@"
	broken "sends what is no reply" "$stage" 'raw \x00\xff\r\n' "$@"
	broken "mixes two replies" "$stage" 'raw 250-a\r\n550 b\r\n' "$@"
	broken "says 199" "$stage" 'raw 199 what\r\n' "$@"
	broken "says 354" "$stage" 'raw 354 go on\r\n' "$@"
	broken "sends a line of 70,000 bytes" "$stage" \
	    "raw 250 $long\\r\\n" "$@"
}

long=$(head -c 70000 /dev/zero | tr '\0' x)
conf
primary_start
ways dot 2
broken 'ends no reply' dot 'raw 250-a\r\n250-b\r\n'
ways bdat 2 -x CHUNKING
ways xforward 1 -x 'XFORWARD NAME ADDR'
primary_renew
put data
primary_renew 'data#1 250 go on'
bmx-flush
is "D32: 250 to DATA is no 354: nothing is sent" \
    "$(primary_said 'bytes\]') $(states "$id") $(held)" "0 P 0"
rm -rf "$spool/example.com"

conf 'xclient = yes'
ways xclient 1 -x 'XCLIENT NAME ADDR'
primary_renew -x 'XCLIENT HELO' 'ehlo#2 250 primary.test' 'ehlo#4 250 primary.test'
put one helo=one.example
put two helo=two.example
bmx-flush
is "D47: it hears of one client in a session: the next has its own" \
    "$(sed -n 's/ C: XCLIENT / /p; s/ C: MAIL .*/ MAIL/p' "$primary/log" | sort | tr '\n' ,)$(waiting)" \
    '1 HELO=one.example,1 MAIL,2 HELO=two.example,2 MAIL,0'

# ---- STARTTLS, where TLS is a must: nothing goes in the clear ----

conf 'tls = encrypt'
certs_make
cert primary ca 'cn = primary.test' tls_www_server
ways starttls 1 --tls "$certs/primary.chain" "$certs/primary.key"
is "nothing went in the clear" "$(primary_said 'C: MAIL')" \
    "$(primary_said 'T: sni')"

# ---- a 250 ahead of the end of the content is none ----

# early NAME BYTES STATE RULE... [-x CHUNKING]: of so many bytes of content the
# last ones go out behind that 250; STATE is what the log says then.
early()
{
	stage=$1
	size=$2
	state=$3
	shift 3
	rm -rf "$spool/example.com"
	primary_renew "$@"
	id=$("$mkmsg" "$spool" example.com size="$size")
	exits "D32: a 250 before the $stage: 75" 75 timeout 20 bmx-flush
	is "the message waits" "$(states "$id") $(primary_count) $(held)" "P 0 0"
	like "what the log says of that" "$(logged "id=$id ")" \
	    " deferred ${state}peer="
	primary_renew
	exits "the next run: 0" 0 timeout 20 bmx-flush --now
	is "it is there, once" "$(waiting) $(primary_count)" "0 1"
}

make_conf '[example.com]' "primary = 127.0.0.1:$primary_port"
early content 100 '' 'data raw 354 go on\r\n250 2.0.0 early\r\n'
early dot 9000000 'state=unknown ' 'dot hangup' \
    'data parts 300 354 go on\r\n|250 2.0.0 early\r\n'
early chunk 100 '' -x CHUNKING 'rcpt raw 250 2.1.5 ok\r\n250 2.0.0 early\r\n'
early "end of the chunk" 9000000 'state=unknown ' -x CHUNKING 'dot hangup' \
    'rcpt parts 300 250 2.1.5 ok\r\n|250 2.0.0 early\r\n'

# ---- content that is refused before its end ----

rm -rf "$spool/example.com"
primary_renew 'rcpt<b@example.com> 450 4.2.1 later' 'content 554 5.7.1 that is enough'
id=$("$mkmsg" "$spool" example.com size=9000000 to=a@example.com to=b@example.com)
exits "a primary that refuses content and leaves: 75" 75 timeout 20 bmx-flush
is "that is its verdict on who was accepted" "$(states "$id")" "F P"
like "as the log says" "$(logged "id=$id ")" \
    'a@example.com.* refused .*554 5\.7\.1 that is enough'
primary_renew 'content 451 4.7.1 not now'
rm -rf "$spool/example.com"
id=$("$mkmsg" "$spool" example.com size=9000000)
exits "one that says later: 75" 75 timeout 20 bmx-flush
is "the message waits" "$(states "$id") $(primary_count) $(held)" "P 0 0"

primary_check
done_testing
