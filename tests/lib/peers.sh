# shellcheck shell=sh
# Real peers for tests, after tap.sh: a primary, name servers, super-servers.
# All of them listen on loopback ports chosen at run time, keep their files in
# $tmp, and are stopped by tap.sh (stop, crash, freeze, thaw NAME work too).
# need_X skips the whole test when X cannot run here.

# ---- Postfix, the primary ----
#
# It takes any recipient in example.com and example.net, and hands each message,
# once for each domain, to a program that stores it with CRLF line ends: pipe(8)
# without flags adds nothing, so that a stored message is what came over the
# wire behind one more Received field.
#
#	postfix_make; postfix_start; postfix_wait 3; stop postfix
#	$postfix/mail/N		a message (strip_received takes the fields off)
#	$postfix/mail/N.env	"from ADDRESS", then "to ADDRESS" for each recipient
#	$postfix/log/mail.log	its log
#	$postfix_port

need_postfix()
{
	need postfix postconf
	need_root "Postfix's master"
}

# postfix_make [LINE...]: its directories; the lines are added to main.cf.
postfix_make()
{
	postfix=$tmp/postfix
	postfix_port=$(free_port)
	postfix_daemons=$(postconf -dh daemon_directory)
	mkdir -p "$postfix/etc" "$postfix/queue" "$postfix/data" \
	    "$postfix/log" "$postfix/mail"
	chown postfix "$postfix/data"
	chown nobody "$postfix/mail"
	: >"$postfix/etc/dynamicmaps.cf"
	cat >"$postfix/deliver" <<-'E'
		#!/bin/sh
		# deliver DIRECTORY SENDER RECIPIENT...: message on stdin
		cd "$1" || exit 75
		echo "from $2" >"$$.env.part"
		shift 2
		printf 'to %s\n' "$@" >>"$$.env.part"
		cat >"$$.part" || exit 75
		mv "$$.env.part" "$$.env" && mv "$$.part" "$$" || exit 75
	E
	chmod 755 "$postfix/deliver"
	cat >"$postfix/etc/main.cf" <<-E
		compatibility_level = 3.6
		queue_directory = $postfix/queue
		data_directory = $postfix/data
		maillog_file = $postfix/log/mail.log
		maillog_file_prefixes = $postfix
		command_directory = $(postconf -dh command_directory)
		daemon_directory = $postfix_daemons
		shlib_directory = $(postconf -dh shlib_directory)
		mail_owner = postfix
		setgid_group = postdrop
		myhostname = primary.example.com
		mydestination =
		mynetworks =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		alias_maps =
		local_recipient_maps =
		disable_dns_lookups = yes
		smtpd_peername_lookup = no
		virtual_mailbox_domains = example.com, example.net
		virtual_mailbox_maps =
		virtual_transport = keep
		keep_destination_recipient_limit = 1000
		smtpd_relay_restrictions = reject_unauth_destination
		message_size_limit = 62914560
		virtual_mailbox_limit = 0
		mailbox_size_limit = 0
		smtpd_client_connection_count_limit = 0
		# as a stranger's mail: no header is added, completed or dropped
		local_header_rewrite_clients =
		message_drop_headers =
	E
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$postfix/etc/main.cf"
	cat >"$postfix/etc/master.cf" <<-E
		127.0.0.1:$postfix_port inet n - n - - smtpd
		cleanup   unix  n - n - 0 cleanup
		qmgr      unix  n - n 300 1 qmgr
		rewrite   unix  - - n - - trivial-rewrite
		bounce    unix  - - n - 0 bounce
		defer     unix  - - n - 0 bounce
		trace     unix  - - n - 0 bounce
		showq     unix  n - n - - showq
		error     unix  - - n - - error
		retry     unix  - - n - - error
		discard   unix  - - n - - discard
		anvil     unix  - - n - 1 anvil
		postlog   unix-dgram n - n - 1 postlogd
		keep      unix  - n n - 1 pipe
		  user=nobody eol=\\r\\n null_sender=
		  argv=$postfix/deliver $postfix/mail \${sender} \${recipient}
	E
}

postfix_start()
{
	postfix -c "$postfix/etc" check # makes the queue's directories
	start_bg postfix "$postfix_daemons/master" -c "$postfix/etc" -d
	wait_port "$postfix_port" ||
	    bail "Postfix does not start: $(cat "$tmp/postfix.log" "$postfix/log/mail.log")"
}

# postfix_wait N: until N messages are stored.
postfix_wait()
{
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 60 sh -c 'test "$(ls "$0" | grep -c "^[0-9]*$")" -ge "$1"' \
	    "$postfix/mail" "$1"
}

# postfix_find TEXT: the stored messages that have this text in their first
# lines, one name a line.
postfix_find()
{
	for postfix_file in "$postfix"/mail/*[0-9]; do
		head -c 10000 "$postfix_file" | grep -aqF -e "$1" &&
		    echo "$postfix_file"
	done
}

# strip_received N FILE: FILE to stdout without its first N header fields,
# which have to be Received.
strip_received()
{
	strip_len=$(awk -v n="$1" '
		/^Received:/ && n-- > 0 { len += length($0) + 1; next }
		/^[ \t]/ && len > 0 { len += length($0) + 1; next }
		{ exit }
		END { if (n > 0) exit 1; print len + 0 }' "$2") || return 1
	tail -c "+$((strip_len + 1))" "$2"
}

# ---- NSD, authoritative, and Unbound, a validating resolver ----
#
#	nsd_zone example.com <<E		a zone file; $TTL and SOA are given
#	@ MX 10 primary
#	E
#	nsd_start; unbound_start
#	$nsd (ADDRESS:PORT)  $unbound (ADDRESS:PORT, for "resolver =")

need_nsd()
{
	need nsd
}

need_unbound()
{
	need nsd unbound
}

nsd_zone()
{
	mkdir -p "$tmp/zones"
	{
		echo "\$ORIGIN $1."
		echo "\$TTL 300"
		echo '@ SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60'
		echo '@ NS ns.invalid.'
		cat
	} >"$tmp/zones/$1"
}

# nsd_sign ZONE: sign it; Unbound gets its key as a trust anchor. Fails where
# ldns-signzone(1) is missing.
nsd_sign()
{
	(
		cd "$tmp/zones" &&
		    key=$(ldns-keygen -a ECDSAP256SHA256 -k "$1") &&
		    ldns-signzone -f "$1.signed" "$1" "$key" &&
		    mv "$1.signed" "$1" && mv "$key.key" ../anchor."$1" &&
		    rm -f "$key".*
	)
}

nsd_start()
{
	nsd_port=$(free_port)
	nsd=127.0.0.1:$nsd_port
	{
		cat <<-E
			server:
			  ip-address: 127.0.0.1@$nsd_port
			  server-count: 1
			  rrl-ratelimit: 0
			  username: ""
			  chroot: ""
			  zonesdir: "$tmp/zones"
			  database: ""
			  zonelistfile: "$tmp/nsd.zones"
			  xfrdfile: "$tmp/nsd.xfrd"
			  xfrdir: "$tmp"
			  pidfile: ""
			  cookie-secret-file: "$tmp/nsd.cookie"
			remote-control:
			  control-enable: no
		E
		for nsd_file in "$tmp"/zones/*; do
			printf 'zone:\n  name: "%s"\n  zonefile: "%s"\n' \
			    "${nsd_file##*/}" "${nsd_file##*/}"
		done
	} >"$tmp/nsd.conf"
	start_bg nsd nsd -d -c "$tmp/nsd.conf"
	wait_port "$nsd_port" || bail "NSD does not start: $(cat "$tmp/nsd.log")"
}

# unbound_start [LINE...]: the lines are added to its server. It asks NSD for
# everything: what NSD does not have is SERVFAIL, and nothing leaves the machine.
unbound_start()
{
	unbound_port=$(free_port)
	unbound=127.0.0.1:$unbound_port
	{
		cat <<-E
			server:
			  interface: 127.0.0.1@$unbound_port
			  access-control: 127.0.0.0/8 allow
			  username: ""
			  chroot: ""
			  directory: "$tmp"
			  pidfile: ""
			  use-syslog: no
			  num-threads: 1
			  msg-cache-size: 32m
			  rrset-cache-size: 64m
			  num-queries-per-thread: 2048
			  outgoing-range: 4096
			  do-ip6: no
			  do-not-query-localhost: no
			  module-config: "validator iterator"
			  local-zone: "test." nodefault
			  local-zone: "invalid." nodefault
			  local-zone: "127.in-addr.arpa." nodefault
		E
		[ $# -eq 0 ] || printf '  %s\n' "$@"
		printf 'remote-control:\n  control-enable: no\n'
		for unbound_zone in . $(cd "$tmp/zones" && ls); do
			printf 'stub-zone:\n  name: "%s"\n  stub-addr: "%s"\n' \
			    "$unbound_zone" "127.0.0.1@$nsd_port"
		done
		for unbound_anchor in "$tmp"/anchor.*; do
			[ ! -f "$unbound_anchor" ] ||
			    printf 'server:\n  trust-anchor-file: "%s"\n' "$unbound_anchor"
		done
	} >"$tmp/unbound.conf"
	start_bg unbound unbound -d -c "$tmp/unbound.conf"
	wait_port "$unbound_port" ||
	    bail "Unbound does not start: $(cat "$tmp/unbound.log")"
}

# ---- super-servers ----
#
#	super_start KIND PORT PROGRAM ARGUMENT...	one process per connection
#
# KIND is xinetd, inetd (inetutils-inetd) or tcpserver; it is also the NAME for
# stop. PROGRAM is an absolute path. Debian's xinetd and inetutils-inetd
# exclude each other as packages; scripts/check unpacks both and sets PATH.

# super_program KIND: print the program; fail when it is not there.
super_program()
{
	case $1 in
	xinetd) command -v xinetd ;;
	inetd) command -v inetutils-inetd ;;
	tcpserver) command -v tcpserver ;;
	esac
}

need_super()
{
	super_program "$1" >/dev/null || skip_all "$1 is not installed"
}

super_start()
{
	super_kind=$1
	super_port=$2
	shift 2
	super=$(super_program "$super_kind") || bail "$super_kind is not installed"
	"super_start_$super_kind" "$@"
	wait_port "$super_port" || bail "$super_kind does not start"
}

super_start_xinetd()
{
	super_server=$1
	shift
	cat >"$tmp/xinetd.conf" <<-E
		defaults
		{
			log_type = FILE $tmp/xinetd.events
			instances = UNLIMITED
			per_source = UNLIMITED
			cps = 100000 1
		}
		service bmx-test
		{
			type = UNLISTED
			socket_type = stream
			protocol = tcp
			wait = no
			user = $(id -un)
			bind = 127.0.0.1
			port = $super_port
			server = $super_server
			server_args = $*
			disable = no
		}
	E
	start_bg xinetd "$super" -dontfork -f "$tmp/xinetd.conf" \
	    -pidfile "$tmp/xinetd.pidfile"
}

super_start_inetd()
{
	echo "127.0.0.1:$super_port stream tcp nowait.100000 $(id -un) $1 $*" \
	    >"$tmp/inetd.conf"
	rm -f "$tmp/inetd.pidfile"
	"$super" -R 100000 -p"$tmp/inetd.pidfile" "$tmp/inetd.conf"
	adopt inetd "$tmp/inetd.pidfile"
}

super_start_tcpserver()
{
	start_bg tcpserver "$super" -H -R -l0 127.0.0.1 "$super_port" "$@"
}
