# shellcheck shell=sh
# The matrix of admission with a real Postfix as the primary, after tap.sh,
# receive.sh and peers.sh: its state, what is known of the recipient, the mode,
# and where in the session it is stopped (kill -9), frozen (SIGSTOP) or
# restarted. tests/lib/matrix.py has what is expected of each cell.
#
#	matrix_make
#	echo 'up stop rcpt' >"$tmp/phases"; matrix_play

matrix_configs='through-limited through-defer through-accept spool-accept defer-limited'

matrix_postfix()
{
	postfix_make 'smtpd_authorized_xclient_hosts = 127.0.0.1' \
	    'smtpd_recipient_restrictions = check_recipient_access inline:{{known@example.com = OK},{new@example.com = OK},{example.com = 550 5.1.1 nobody of that name}}' \
	    'smtpd_error_sleep_time = 0' 'smtpd_hard_error_limit = 1000' \
	    'smtpd_client_connection_rate_limit = 0' 'maximal_queue_lifetime = 1d' \
	    'keep_destination_concurrency_limit = 20'
	sed -i 's/^keep \(.*\) 1 pipe$/keep \1 20 pipe/' "$postfix/etc/master.cf"
	postfix_start
}

# matrix_config NAME: ADMIT-UNKNOWN
matrix_config()
{
	mkdir -m 700 "$matrix/$1" "$matrix/$1/spool" "$matrix/$1/state"
	: >"$matrix/$1/log"
	case ${1#*-} in
	limited) matrix_unknown=accept-limited ;;
	*) matrix_unknown=${1#*-} ;;
	esac
	make_conf 'min-free = 1M' "state = $matrix/$1/state" '[example.com]' \
	    "primary = 127.0.0.1:$postfix_port" "admit = ${1%-*}" \
	    "unknown = $matrix_unknown" 'connect-timeout = 20s' 'reply-timeout = 20s' \
	    'tls = none' 'xclient = yes' 'rise = 1'
	sed "s#^spool = .*#spool = $matrix/$1/spool#
	    s#^log = .*#log = $matrix/$1/log#" "$BMX_CONF" \
	    >"$matrix/$1/bmx.conf"
	sed 's/^reply-timeout = .*/reply-timeout = 3s/' "$matrix/$1/bmx.conf" \
	    >"$matrix/$1/freeze.conf"
}

# What is known of recipients is learned from the primary.
matrix_memory()
{
	{
		say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<known@example.com>' \
		    'RCPT TO:<bad@example.com>' QUIT
	} | bmx-receive -c "$matrix/through-limited/bmx.conf" >"$tmp/out"
	is 'what is known was learned from the primary' \
	    "$(bmx-queue -c "$matrix/through-limited/bmx.conf" recipients list |
		awk '/@/ { print $1, $2 }' | xargs)" \
	    'bad@example.com bad known@example.com good'
	cp -R "$matrix/through-limited/state" "$matrix/memory"
}

# fault COMMAND
matrix_faults()
{
	cat >"$matrix/fault" <<E2
pid=\$(cat "$tmp/postfix.pid")
case \$1 in
freeze) kill -s STOP -- "-\$pid" ;;
thaw) kill -s CONT -- "-\$pid" ;;
stop | restart) kill -s KILL -- "-\$pid" "\$pid" 2>/dev/null ;;
esac
[ "\$1" = restart ] || exit 0
"$tap_await" gone 20 "\$pid"
# a child that dies later holds the port until then
"$tap_await" true 20 sh -c '! "\$0" listen 0 127.0.0.1 "\$1"' "$tap_await" $postfix_port
"$tap_await" group "$postfix_daemons/master" -c "$postfix/etc" -d \\
    </dev/null >>"$tmp/postfix.log" 2>&1 &
echo \$! >"$tmp/postfix.pid"
"$tap_await" listen 20 127.0.0.1 $postfix_port
E2
}

matrix_make()
{
	need python3
	need_postfix
	matrix_postfix
	matrix=$tmp/matrix
	mkdir "$matrix"
	ln -s "$postfix/mail" "$matrix/mail"
	for matrix_config in $matrix_configs; do
		matrix_config "$matrix_config"
	done
	matrix_memory
	matrix_faults
}

matrix_play()
{
	# shellcheck disable=SC2086 # a list of words
	python3 "$top_srcdir/tests/lib/matrix.py" "$matrix" $matrix_configs \
	    <"$tmp/phases" >"$tmp/cells" 2>"$tmp/err" || fail 'the matrix ends' "$(cat "$tmp/err")"
	while read -r matrix_verdict matrix_words; do
		case $matrix_verdict in
		ok) pass "$matrix_words" ;;
		*) fail "${matrix_words#ok }" ;;
		esac
	done <"$tmp/cells"
	is 'every cell was there' "$(wc -l <"$tmp/cells")" \
	    "$(($(wc -l <"$tmp/phases") * 5 * 4 + 4))"
	is 'not one bounce was made' \
	    "$(grep -c 'sender non-delivery notification\|from=<>.*nrcpt' "$postfix/log/mail.log")" 0
}
