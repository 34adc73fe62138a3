# shellcheck shell=sh
# Another host for a test, in a network namespace, where loopback will not do: an
# address of this host is never the primary's. In front of tap.sh:
#
#	. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/hosts.sh"
#
# which runs the test anew in a namespace of its own; and behind it
#
#	hosts_start ADDRESS...	the other host, with these addresses, in the
#				network of 198.51.100.1, which is ours
#	$there COMMAND...	(not quoted) run it on the other host

if [ -z "${hosts_inside:-}" ] && unshare -n true 2>/dev/null; then
	hosts_inside=yes
	export hosts_inside
	exec unshare -n sh "$0"
fi

hosts_start()
{
	need_root "network namespaces"
	need unshare nsenter ip
	[ -n "${hosts_inside:-}" ] || skip_all "unshare -n is not allowed"
	start_bg there unshare -n tail -f /dev/null
	hosts_pid=$(pid_of there)
	there="nsenter -t $hosts_pid -n"
	# shellcheck disable=SC2016 # for the inner shell
	wait_for 20 sh -c '[ "$(readlink /proc/$0/ns/net)" != "$(readlink /proc/$$/ns/net)" ]' \
	    "$hosts_pid" || bail "no other namespace"
	{
		ip link set lo up &&
		    ip link add here type veth peer name there netns "$hosts_pid" &&
		    ip address add 198.51.100.1/24 dev here && ip link set here up &&
		    $there ip link set lo up && $there ip link set there up
	} >"$tmp/hosts.log" 2>&1 || skip_all "no veth: $(cat "$tmp/hosts.log")"
	for hosts_address; do
		$there ip address add "$hosts_address/24" dev there || bail "$hosts_address"
	done
}
