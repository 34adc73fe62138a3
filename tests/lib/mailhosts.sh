# shellcheck shell=sh
# Mail hosts with their faults on loopback (tests/fake/mailhosts.py), after
# tap.sh.
#
#	mailhosts_start <<E	a line each: ADDRESS KEY=VALUE...
#	127.0.1.1 name=mx.test tls=good
#	E
#	$mail_port, $visits	their port, unless it is set; what they saw
#	mail_where=$there	on another host (hosts.sh)
#
# tls=NAME and second=NAME stand for the certificate of that name (tests/lib/certs.sh).

mailhosts_start()
{
	visits=$tmp/visits
	mail_port=${mail_port:-$(free_port)}
	sed "s# \(tls\|second\)=\([^ ]*\)# \1=${certs:-}/\2.chain,${certs:-}/\2.key#g" \
	    >"$tmp/mailhosts.in"
	# shellcheck disable=SC2086 # a list of words
	"$tap_await" group ${mail_where:-} python3 \
	    "$top_srcdir/tests/fake/mailhosts.py" \
	    "$mail_port" "$visits" <"$tmp/mailhosts.in" >"$tmp/mailhosts.log" 2>&1 &
	echo $! >"$tmp/mailhosts.pid"
	tap_bg="mailhosts $tap_bg"
	wait_for 20 grep -q ready "$tmp/mailhosts.log" ||
	    bail "no mail hosts: $(cat "$tmp/mailhosts.log")"
}
