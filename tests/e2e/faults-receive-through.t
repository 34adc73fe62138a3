#!/bin/sh
# D17, D49 in live relay, with a recipient memory: bmx-receive when the nth call
# fails, those of LMDB too. What is acknowledged is at the primary or whole in
# the spool, and the next session is served, whatever became of the memory.
# shellcheck source=tests/lib/tap.sh source=tests/lib/receive.sh
# shellcheck source=tests/lib/faults.sh source=tests/lib/certs.sh
# shellcheck source=tests/fake/primary.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/faults.sh"
. "$top_srcdir/tests/fake/primary.sh"
faults_need
primary_make
certs_make
cert good ca 'cn = primary' 'dns_name = primary.example.com' tls_www_server
state=$tmp/state

# conf TLS [LINE...]
conf()
{
	make_conf 'min-free = 0' "state = $state" '[example.com]' \
	    "primary = 127.0.0.1:$primary_port" "tls-ca = $certs/ca.pem" \
	    'tls-name = primary.example.com' 'admit = through' 'reply-timeout = 5s' \
	    "$@"
}
say 'EHLO c' 'MAIL FROM:<a@s.example>' 'RCPT TO:<1@example.com>' \
    'RCPT TO:<bad@example.com>' DATA 'Subject: x' '' 'text' . QUIT >"$tmp/in"
say 'Subject: x' '' 'text' >"$tmp/content"

# session COMMAND...: bmx-receive, as COMMAND runs it.
session()
{
	# shellcheck disable=SC2002 # a file would count as one of the disk's
	cat "$tmp/in" 2>/dev/null | "$@" bmx-receive 2>/dev/null | cat >"$tmp/out"
}

# once KINDS N DEED: one session with the fault, one without.
once()
{
	empty_spool
	rm -rf "$state" "$primary"/*.msg "$primary"/*.env
	cp -a "$tmp/known" "$state"
	session faulty "$@"
	fault_common "$(cat "$tmp/status")"
	arrived=$(primary_count)
	cat "$primary"/*.msg >"$tmp/arrived" 2>/dev/null
	if grep -q '^250 2.0.0 stored' "$tmp/out"; then
		content_of "$tmp/arrived" | cmp -s - "$tmp/content" ||
		    wrong "not at the primary as it was sent"
		grep -q '^550' "$tmp/out" || wrong 'bad is not refused'
		codes "$tmp/out" | grep -v '^550' | grep '^5' && wrong 'for ever'
	else
		sed 's/^550 .*/450 0.0.0 known to be bad/' "$tmp/out" >"$tmp/judged"
		mv "$tmp/judged" "$tmp/out"
		receive_judge "$tmp/content" 1
	fi
	case "$1 $3" in *kill-* | send* | recv* | memory*) ;; *)
		codes "$tmp/out" | grep -q '^421\|^451\|^452\|^250 2.0.0' ||
		    wrong "no answer: $(cat "$tmp/out")"
		;;
	esac
	session env
	grep -q '^250 2.0.0 stored\|^250 2.0.0 Queued' "$tmp/out" ||
	    wrong "then: $(cat "$tmp/out")"
}

for tls in none verify; do
	conf "tls = $tls"
	if [ $tls = none ]; then
		primary_start 'rcpt<bad@example.com> 550 5.1.1 unknown'
	else
		primary_renew --tls "$certs/good.chain" "$certs/good.key" \
		    'rcpt<bad@example.com> 550 5.1.1 unknown'
	fi
	# one recipient is known, and others to be learned
	rm -rf "$state" "$tmp/known"
	mkdir -m 700 "$state"
	echo other@example.com | bmx-queue recipients import example.com - >/dev/null
	cp -a "$state" "$tmp/known"
	once none 1 EIO
	is "tls = $tls: without a fault it is relayed" \
	    "$arrived $(last_code "$tmp/out")" '1 250 2.0.0'
	is "tls = $tls: and its recipients are known" \
	    "$(bmx-queue recipients list | cut -f 1,2 | tr '\t\n' '  ')" \
	    '1@example.com good bad@example.com bad other@example.com good '
	faults_sample 7
	faults_of once create open mkdir chmod write sync truncate link close random \
	    opendir read recv send socket connect \
	    memory=ENOMEM disk=kill-before disk=kill-after
done

# ---- a memory that is damaged ----

# damaged "how" ASIDE COMMAND: the memory's files are there when COMMAND damages
# them. Mail goes on, live and to the spool; when ASIDE is yes the damaged one
# is told of and set aside, once, and the next one learns again.
damaged()
{
	for primary_is in up down; do
		rm -rf "$state"
		empty_spool
		cp -a "$tmp/known" "$state"
		(cd "$state/recipients" && sh -c "$3") || bail "$3"
		: >"$tmp/bmx.log"
		if [ $primary_is = down ]; then
			stop primary
			bmx-probe >/dev/null 2>&1
			bmx-probe >/dev/null 2>&1
		fi
		session timeout 10 env
		is "$1, primary $primary_is: mail is taken" \
		    "$(last_code "$tmp/out")" '250 2.0.0'
		session timeout 10 env
		is "$1, primary $primary_is: and that after it" \
		    "$(last_code "$tmp/out")" '250 2.0.0'
		set -- "$1" "$2" "$3" "$(find "$state" -name 'recipients.damaged-*' | wc -l)"
		is "$1, primary $primary_is: set aside, and told of" \
		    "$4 $(grep -c 'alarm=yes.*recipient memory.*was damaged' "$tmp/bmx.log")" \
		    "$2 $2"
		[ $primary_is = up ] || primary_start
	done
}

primary_renew
conf 'tls = none' 'rise = 1' 'fall = 1' 'unknown = accept'
damaged 'cut after a page' 1 'truncate -s 4096 data.mdb'
damaged 'its pages cut off' 1 'truncate -s 8192 data.mdb'
# shellcheck disable=SC2016 # for the inner shell
damaged 'zeros' 1 'n=$(wc -c <data.mdb); truncate -s 0 data.mdb; truncate -s $n data.mdb'
damaged 'its head overwritten' 1 'yes damaged | dd of=data.mdb bs=8192 count=1 iflag=fullblock conv=notrunc 2>/dev/null'
damaged 'not a database' 1 'echo damaged >data.mdb'
damaged 'empty' 0 ': >data.mdb'
damaged 'a FIFO' 0 'rm data.mdb; mkfifo data.mdb'
damaged 'a directory' 0 'rm data.mdb; mkdir data.mdb'
damaged 'locks that are none' 0 'yes damaged | head -c 8192 >lock.mdb'
damaged 'a list of the busy that is a FIFO' 0 'rm busy; mkfifo busy'
done_testing
