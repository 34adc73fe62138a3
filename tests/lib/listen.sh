# shellcheck shell=sh
# Super-servers that pass the listening socket itself, after tap.sh and
# peers.sh:
#
#	listen_start KIND PORT PROGRAM ARGUMENT...
#
# KIND is xinetd, inetd (both with "wait") or systemd (activate.py); it is also
# the NAME for stop. PROGRAM is an absolute path.

# listen_program KIND: fail when it is not there.
listen_program()
{
	case $1 in
	systemd) command -v python3 ;;
	*) super_program "$1" ;;
	esac
}

listen_start()
{
	listen_kind=$1
	listen_port=$2
	shift 2
	listen_super=$(listen_program "$listen_kind") ||
	    bail "$listen_kind is not installed"
	"listen_start_$listen_kind" "$@"
	wait_port "$listen_port" || bail "$listen_kind does not start"
}

listen_start_xinetd()
{
	listen_server=$1
	shift
	cat >"$tmp/xinetd.conf" <<-E
		defaults
		{
			log_type = FILE $tmp/xinetd.events
		}
		service bmx-test
		{
			type = UNLISTED
			socket_type = stream
			protocol = tcp
			wait = yes
			user = $(id -un)
			bind = 127.0.0.1
			port = $listen_port
			server = $listen_server
			server_args = $*
			disable = no
		}
	E
	start_bg xinetd "$listen_super" -dontfork -f "$tmp/xinetd.conf" \
	    -pidfile "$tmp/xinetd.pidfile"
}

listen_start_inetd()
{
	echo "127.0.0.1:$listen_port stream tcp wait $(id -un) $1 $*" \
	    >"$tmp/inetd.conf"
	rm -f "$tmp/inetd.pidfile"
	"$listen_super" -p"$tmp/inetd.pidfile" "$tmp/inetd.conf"
	adopt inetd "$tmp/inetd.pidfile"
}

listen_start_systemd()
{
	start_bg systemd "$listen_super" "$top_srcdir/tests/lib/activate.py" \
	    "$listen_port" "$@"
}
