#!/bin/sh
# A primary that speaks LMTP (RFC 2033), over TCP and over a Unix socket: a reply
# to the content for each recipient.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/fake/primary.sh"
. "$top_srcdir/tests/fake/sender.sh"
. "$top_srcdir/tests/fake/flush.sh"
primary_make
sender_make
sender_start
to_three="to=a@example.com to=b@example.com to=c@example.com"

# stories PEER REMOTE-MTA [OPTION...]
stories()
{
	peer=$1
	remote=$2
	shift 2
	make_conf "notices = 127.0.0.1:$sender_port" '[example.com]' \
	    "primary = $peer" 'on-5xx = bounce'
	rm -rf "$spool/example.com"

	primary_renew --lmtp "$@"
	put one
	exits "$peer: a message: 0" 0 bmx-flush example.com
	is "$peer: it is there, byte for byte" "$(primary_count) $(waiting)" "1 0"
	same "$peer: the content" "$primary/1.msg" "$tmp/one.in"
	is "$peer: greeted by LHLO" "$(primary_said 'C: LHLO backup.example.net')" 1

	primary_renew --lmtp "$@" \
	    'dot<b@example.com> 550 5.1.1 no mailbox' \
	    'dot<c@example.com>#1 452 4.2.2 mailbox full'
	# shellcheck disable=SC2086 # words
	put three $to_three
	exits "$peer: taken, refused, deferred: 75" 75 bmx-flush example.com
	is "$peer: each has its own reply, and the refused one is bounced" \
	    "$(states "$id")" "D B P"
	like "$peer: the notice has that reply" \
	    "$(sender_notice "$(sender_count)")" \
	    '^Diagnostic-Code: smtp; 550 5\.1\.1 no mailbox$'
	like "$peer: of this server" "$(sender_notice "$(sender_count)")" \
	    "^Remote-MTA: dns; $remote\$"
	exits "$peer: the last one: 0" 0 bmx-flush --now example.com
	is "$peer: nobody got it twice" \
	    "$(cat "$primary"/*.env | grep RCPT | sort | uniq -c |
		awk '{ print $1 }' | tr '\n' ' ')$(waiting)" "1 1 0"

	# who has had a reply has had it
	primary_renew --lmtp "$@" 'dot<b@example.com>#1 hangup'
	# shellcheck disable=SC2086 # words
	put lost $to_three
	exits "$peer: it goes away between two replies: 75" 75 \
	    bmx-flush example.com
	is "$peer: who had a reply has it" "$(states "$id")" "D P P"
	is "$peer: of the others nobody knows" \
	    "$(grep -c state=unknown "$spool/example.com/log/$id")" 2
	exits "$peer: they are asked again: 0" 0 bmx-flush --now example.com
	is "$peer: alone" "$(cat "$primary"/*.env | grep RCPT | sort |
	    uniq -c | awk '{ print $1 $3 }' | tr '\n' ' ')" \
	    "1TO:<a@example.com> 1TO:<b@example.com> 1TO:<c@example.com> "

	primary_renew --lmtp "$@" 'dot<b@example.com>#1 421 4.3.2 shutting down'
	# shellcheck disable=SC2086 # words
	put closing $to_three
	exits "$peer: it shuts down between two replies: 75" 75 \
	    bmx-flush example.com
	is "$peer: who had a reply has it, the others know they wait" \
	    "$(states "$id") $(grep -c state=unknown "$spool/example.com/log/$id")" \
	    "D P P 0"
	exits "$peer: they are asked again: 0" 0 bmx-flush --now example.com
	is "$peer: and nobody got it twice" "$(cat "$primary"/*.env |
	    grep RCPT | sort | uniq -d)$(waiting)" 0

	stop primary
	put down
	exits "$peer: it is down: 75" 75 bmx-flush example.com
	is "$peer: the message is as it was" "$(ls "$spool/example.com/cur")" ""
}

primary_start --lmtp
stories "lmtp:127.0.0.1:$primary_port" '\[127\.0\.0\.1]'
stories "lmtp:$tmp/socket" localhost -a "$tmp/socket"
done_testing
