# shellcheck shell=sh
# The parts audit and probe: what asks others.

# ---- audit: many domains, the resolver warm ----

# adnshost knows no port but 53: it has an address of the loopback network.
audit_start()
{
	audit_n=$(pick 2000 10000)
	audit_address=127.53.$(($$ / 250 % 250)).$(($$ % 250 + 1))
	awk -v n="$audit_n" 'BEGIN { for (i = 0; i < n; i++) printf \
		"d%d MX 10 a.d%d\nd%d MX 20 b.d%d\na.d%d A 192.0.2.%d\nb.d%d A 198.51.100.%d\n",
		i, i, i, i, i, i % 250 + 1, i, i % 250 + 1 }' | nsd_zone audit.example
	awk -v n="$audit_n" 'BEGIN { for (i = 0; i < n; i++)
		print "d" i ".audit.example" }' >"$tmp/names"
	sed 's/$/ MX/' "$tmp/names" >"$tmp/questions"
	nsd_start
	if [ "$(id -u)" -eq 0 ]; then
		unbound_start "interface: $audit_address@53" 'so-rcvbuf: 4m'
	else
		unbound_start
	fi
}

audit_adnshost()
{
	has adnshost && needs_root adnshost || return 0
	# shellcheck disable=SC2016 # for the inner shell
	costs audit adnshost 1 sh -c 'exec adnshost --config "nameserver $0" \
	    -a -tmx- -f <"$1"' "$audit_address" "$tmp/names"
}

part_audit()
{
	target audit wall-ms '<=' 2 bare
	target audit wall-ms '<=' 0.5 dig
	target audit wall-ms '<=' 0.1 adnshost
	{ has nsd && has unbound; } || {
		without bare "it needs NSD and Unbound"
		return 0
	}
	audit_start
	bmx-mxcheck -b --resolver "$unbound" -f "$tmp/names" >/dev/null
	for _ in $(seq "$runs"); do
		costs audit bmx 1 bmx-mxcheck -b --resolver "$unbound" \
		    -f "$tmp/names"
		costs audit bare 1 "$bench/ask" 127.0.0.1 "$unbound_port" 256 \
		    "$tmp/names"
		! has dig || costs audit dig 1 dig @127.0.0.1 -p "$unbound_port" \
		    +short -f "$tmp/questions"
		audit_adnshost
	done
	stop unbound
	stop nsd
}

# ---- probe: is one primary up, are many ----

# probe_conf FILE TLS DOMAIN...: "ADDRESS:PORT DOMAIN" on stdin.
probe_conf()
{
	printf '%s\n' "[bmx]" "hostname = backup.example.net" \
	    "spool = $tmp/spool" "log = $tmp/bmx.log" >"$1"
	[ "$(id -u)" -ne 0 ] || echo 'user = root' >>"$1"
	awk -v tls="$2" '{ print "[" $2 "]\nprimary = " $1 "\ntls = " tls }' >>"$1"
}

# probe_row ROW PORT CHECK_SMTP-OPTION SWAKS-OPTION
probe_row()
{
	row=$1 port=$2
	for _ in $(seq "$runs"); do
		costs "$row" bmx "$(pick 20 40)" bmx-probe -n \
		    -c "$tmp/$row.conf" example.com
		! has check_smtp || costs "$row" check_smtp "$(pick 20 40)" \
		    check_smtp -H 127.0.0.1 -p "$port" -4 ${3:+"$3"}
		! has swaks || costs "$row" swaks "$(pick 1 3)" swaks -n \
		    --quit-after RCPT -s "127.0.0.1:$port" -f a@example.org \
		    -t b@example.com ${4:+"$4"}
	done
}

# The server with STARTTLS is Postfix, which stands for the primary.
probe_tls()
{
	postfix_up || return 0
	echo "127.0.0.1:$ptls_port example.com" |
	    probe_conf "$tmp/probe-tls.conf" encrypt
	probe_row probe-tls "$ptls_port" -S -tls
}

# Each at an address of its own: one that was asked for a domain is not asked
# again. Processes of check_smtp run as many at once as suit the processors.
probe_many()
{
	awk 'BEGIN { for (i = 0; i < 500; i++)
		print "127.1." int(i / 250) "." i % 250 + 1 }' >"$tmp/addresses"
	awk -v port="$sink_port" '{ print $1 ":" port " d" NR ".example.com" }' \
	    "$tmp/addresses" | probe_conf "$tmp/many.conf" none
	awk '{ print "d" NR ".example.com" }' "$tmp/addresses" >"$tmp/many"
	# shellcheck disable=SC2016 # for the inner shell
	for _ in $(seq "$runs"); do
		costs probe-500 bmx 1 sh -c 'exec bmx-probe -n -c "$0" - <"$1"' \
		    "$tmp/many.conf" "$tmp/many"
		! has check_smtp || costs probe-500 check_smtp 1 sh -c 'exec xargs \
		    -P 4 -I {} check_smtp -H {} -p "$0" -4 <"$1"' \
		    "$sink_port" "$tmp/addresses"
	done
}

part_probe()
{
	for row in probe probe-tls; do
		target $row cpu-ms '<=' 0.05 swaks
	done
	target probe cpu-ms '<=' 0.5 check_smtp
	target probe-tls cpu-ms '<=' 1 check_smtp
	target probe-500 wall-ms '<=' 0.1 check_smtp
	sink_start -a
	echo "127.0.0.1:$sink_port example.com" | probe_conf "$tmp/probe.conf" none
	probe_row probe "$sink_port" '' ''
	probe_tls
	probe_many
	stop sink
}
