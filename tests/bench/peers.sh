# shellcheck shell=sh
# Peers of the benchmark that Debian does not install beside Postfix: Exim and
# OpenSMTPD, each in a chroot below $tmp that holds its programs and their
# libraries alone; and where else peers are found.
#
#	exim_up; $exim_port; $exim_spool; exim_run COMMAND...; stop exim
#	opensmtpd_up; $opensmtpd_port; $opensmtpd_spool; stop opensmtpd
#
# X_up starts it once, and fails where it cannot run here. Exim relays live to
# 127.0.0.1:$sink_port; OpenSMTPD keeps what it takes.

bench_unpacked=$top_srcdir/build/peers/usr
PATH=$PATH:$top_srcdir/build/unpacked/usr/sbin:$bench_unpacked/sbin
PATH=$PATH:$bench_unpacked/lib/nagios/plugins
PATH=$PATH:/usr/lib/nagios/plugins:/usr/lib/monitoring-plugins

# peers_unpack: what is not installed, from Debian, without installing it.
peers_unpack()
(
	cd "$top_srcdir" || exit 1
	. scripts/packages.sh
	packages_unpack build/peers xinetd exim4-daemon-light=sbin/exim4 \
	    libidn12=lib/x86_64-linux-gnu/libidn.so.12 opensmtpd=sbin/smtpd \
	    monitoring-plugins-basic=lib/nagios/plugins/check_smtp
)

# has PROGRAM [PEER]: or it is said, once, that PEER is not measured.
has()
{
	command -v "$1" >/dev/null || without "${2:-$1}" "$1 is not installed"
}

# needs_root PEER
needs_root()
{
	[ "$(id -u)" -eq 0 ] || without "$1" "that needs root"
}

# ---- chroots ----

# chroot_make DIRECTORY PROGRAM...: what it needs to run there.
chroot_make()
{
	chroot=$1
	shift
	mkdir -p "$chroot/dev" "$chroot/etc" "$chroot/usr/sbin" "$chroot/run" \
	    "$chroot/tmp" "$chroot/var"
	ln -s ../run "$chroot/var/run"
	mknod -m 666 "$chroot/dev/null" c 1 3
	echo 'nameserver 127.0.0.1' >"$chroot/etc/resolv.conf"
	echo 'root:x:0:0::/:' >"$chroot/etc/passwd"
	echo 'root:x:0:' >"$chroot/etc/group"
	for program; do
		cp -L "$(command -v "$program")" "$chroot/usr/sbin/" || return 1
		chroot_libraries "$(command -v "$program")" || return 1
	done
}

# Those that were unpacked lie where the loader looks by itself.
chroot_libraries()
{
	LD_LIBRARY_PATH=$bench_unpacked/lib/x86_64-linux-gnu ldd "$1" \
	    >"$tmp/libraries" && ! grep 'not found' "$tmp/libraries" >&2 ||
	    return 1
	grep -o '/[^ ]*' "$tmp/libraries" | while read -r library; do
		place=$chroot${library#"${bench_unpacked%/usr}"}
		mkdir -p "${place%/*}" && cp -L "$library" "$place"
	done
}

# chroot_user NAME NUMBER: a user and a group.
chroot_user()
{
	echo "$1:x:$2:$2::/:" >>"$chroot/etc/passwd"
	echo "$1:x:$2:" >>"$chroot/etc/group"
}

# chroot_up NAME PROGRAM: it is there, made by NAME_make.
chroot_up()
{
	has "$2" "$1" && needs_root "$1" || return 1
	[ -d "$tmp/$1" ] || "$1_make" || without "$1" "libraries are missing"
}

# ---- Exim ----

exim=$tmp/exim
exim_spool=$exim/var/spool/exim4

exim_up()
{
	[ ! -f "$tmp/exim.pid" ] || return 0
	chroot_up exim exim4 || return 1
	exim_port=$(free_port)
	exim_conf >"$exim/etc/exim4/exim4.conf"
	start_bg exim chroot "$exim" /usr/sbin/exim4 -bdf -oP /run/exim4/pid
	wait_port "$exim_port" || bail "Exim does not start: $(cat "$tmp/exim.log")"
}

exim_make()
{
	chroot_make "$exim" exim4 || return 1
	chroot_user Debian-exim 65501
	mkdir -p "$exim/etc/exim4" "$exim_spool" "$exim/var/log/exim4" \
	    "$exim/run/exim4"
	chown -R 65501:65501 "$exim_spool" "$exim/var/log/exim4" "$exim/run/exim4"
}

exim_conf()
{
	cat <<-E
		primary_hostname = exim.example.net
		daemon_smtp_ports = $exim_port
		local_interfaces = 127.0.0.1
		exim_user = Debian-exim
		exim_group = Debian-exim
		keep_environment =
		host_lookup =
		rfc1413_query_timeout = 0s
		tls_advertise_hosts =
		smtp_accept_max = 0
		smtp_accept_queue_per_connection = 0
		smtp_connect_backlog = 1024
		message_size_limit = 50M
		queue_only = true
		split_spool_directory = true
		acl_smtp_rcpt = rcpt
		begin acl
		rcpt:
		  accept domains = example.com
		    control = cutthrough_delivery/defer=spool
		  deny
		begin routers
		primary:
		  driver = manualroute
		  transport = out
		  route_list = * 127.0.0.1
		  self = send
		begin transports
		out:
		  driver = smtp
		  port = $sink_port
		  allow_localhost
		  hosts_avoid_tls = *
		  hosts_try_fastopen =
		begin retry
		* * F,1d,1h
	E
}

exim_run()
{
	chroot "$exim" /usr/sbin/exim4 "$@"
}

exim_clear()
{
	[ ! -d "$exim" ] ||
	    find "$exim_spool" "$exim/var/log/exim4" -type f -delete
}

# ---- OpenSMTPD ----

opensmtpd=$tmp/opensmtpd
opensmtpd_spool=$opensmtpd/var/spool/smtpd

opensmtpd_up()
{
	[ ! -f "$tmp/opensmtpd.pid" ] || return 0
	chroot_up opensmtpd smtpd || return 1
	opensmtpd_port=$(free_port)
	cat >"$opensmtpd/etc/smtpd.conf" <<-E
		smtp max-message-size 50M
		listen on 127.0.0.1 port $opensmtpd_port hostname opensmtpd.example.net
		action "relay" relay host smtp://127.0.0.1:$sink_port
		match from any for domain "example.com" action "relay"
	E
	start_bg opensmtpd chroot "$opensmtpd" /usr/sbin/smtpd -F
	wait_port "$opensmtpd_port" ||
	    bail "OpenSMTPD does not start: $(cat "$tmp/opensmtpd.log")"
	wait_for 20 chroot "$opensmtpd" smtpctl pause mta
}

opensmtpd_make()
{
	chroot_make "$opensmtpd" smtpd smtpctl || return 1
	chroot_user opensmtpd 65502
	chroot_user opensmtpq 65503
	chgrp 65503 "$opensmtpd/usr/sbin/smtpctl"
	chmod 2755 "$opensmtpd/usr/sbin/smtpctl"
	mkdir -p "$opensmtpd/var/lib/opensmtpd/empty" "$opensmtpd_spool"
	chmod 711 "$opensmtpd_spool"
}

opensmtpd_clear()
{
	[ ! -d "$opensmtpd" ] ||
	    find "$opensmtpd_spool/queue" -mindepth 1 -delete
}
