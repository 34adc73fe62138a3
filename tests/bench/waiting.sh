# shellcheck shell=sh
# The parts list and count: what waits, in queues made out of one message of
# each peer, in the page cache.

# costs ROW PEER N COMMAND...: of one run of N.
costs()
{
	row=$1 peer=$2 n=$3
	shift 3
	said=$(timeout 300 "$bench/cost" "$n" "$@")
	figure "$row" "$peer" wall-ms "$(echo "$said" | word wall_ms)"
	figure "$row" "$peer" cpu-ms "$(echo "$said" | word cpu_ms)"
	figure "$row" "$peer" rss-kib "$(echo "$said" | word rss_kib)"
	[ "$(echo "$said" | word bad)" = 0 ] || echo "$row $peer: $said" >&2
}

# filled [-l] PEER DIRECTORY PATTERN N: N messages, out of the one there.
filled()
{
	links=
	[ "$1" != -l ] || { links=-l && shift; }
	mkdir "$tmp/one"
	find "$2" -type f -exec mv {} "$tmp/one" \;
	python3 "$top_srcdir/tests/bench/fill.py" ${links:+$links} "$1" \
	    "$(find "$tmp/one" -type f -name "$3")" "$2" "$4"
	rm -r "$tmp/one"
}

fill_bmx()
{
	bmx_clear
	"$bench/load" -n 1 "$bmx_port" >/dev/null
	filled ${2:+"$2"} bmx "$tmp/spool/example.com/new" '*' "$1"
}

fill_postfix()
{
	find "$postfix/queue/hold" -type f -delete
	"$bench/load" -n 1 "$hold_port" >/dev/null
	filled postfix "$postfix/queue/hold" '*' "$1"
}

fill_exim()
{
	exim_clear
	exim_one | exim_run -odq -f a@sender.test u1@example.com
	filled ${2:+"$2"} exim "$exim_spool/input" '*-H' "$1"
}

exim_one()
{
	awk 'BEGIN { print "Subject: load\n"
	    for (i = 0; i < 56; i++) printf "%070d\n", i }'
}

# list_rows N: with sender and recipients.
list_rows()
{
	for row in "list-$1" "list-json-$1"; do
		target "$row" wall-ms '<=' 0.333 postfix
		target "$row" wall-ms '<=' 0.5 exim
	done
	[ "$1" -eq 20000 ] || [ -z "$is_quick" ] || {
		without "list-$1" "not with -q"
		without "list-json-$1" "not with -q"
		return 0
	}
	fill_bmx "$1"
	! postfix_up || fill_postfix "$1"
	! exim_up || fill_exim "$1"
	for _ in $(seq "$runs"); do
		costs "list-$1" bmx 1 bmx-queue list
		costs "list-json-$1" bmx 1 bmx-queue list --json
		if exim_up; then
			costs "list-$1" exim 1 chroot "$exim" /usr/sbin/exim4 -bp
			costs "list-json-$1" exim 1 chroot "$exim" /usr/sbin/exim4 -bp
		fi
		postfix_up || continue
		costs "list-$1" postfix 1 postqueue -c "$postfix/etc" -p
		costs "list-json-$1" postfix 1 postqueue -c "$postfix/etc" -j
	done
}

part_list()
{
	for size in 20000 100000; do
		list_rows "$size"
	done
	clear_all
}

# count_bmx N
count_bmx()
{
	costs "count-$1" bmx 1 bmx-queue count
	costs "domains-$1" bmx 1 bmx-queue list --domains
	costs "shape-$1" bmx 1 bmx-queue shape
}

# qshape knows of domains, with the ages of their mail.
count_rows()
{
	target count-20000 wall-ms '<=' 0.333 exim
	target domains-20000 wall-ms '<=' 0.05 qshape
	target shape-20000 wall-ms '<=' 0.05 qshape
	fill_bmx 20000
	! exim_up || fill_exim 20000
	! qshape_up || fill_postfix 20000
	for _ in $(seq "$runs"); do
		count_bmx 20000
		! exim_up ||
		    costs count-20000 exim 1 chroot "$exim" /usr/sbin/exim4 -bpc
		qshape_up || continue
		costs shape-20000 qshape 1 qshape -c "$postfix/etc" hold
		figure domains-20000 qshape wall-ms "$(echo "$said" | word wall_ms)"
	done
}

qshape_up()
{
	has qshape && postfix_up
}

# Of a million only the names, which is all that is looked at. To qshape each is
# a file to read: it would take minutes.
million_rows()
{
	fill_bmx 1000000 -l
	! exim_up || fill_exim 1000000 -l
	for _ in $(seq "$runs"); do
		count_bmx 1000000
		! exim_up ||
		    costs count-1000000 exim 1 chroot "$exim" /usr/sbin/exim4 -bpc
	done
}

part_count()
{
	target count-1000000 wall-ms '<=' 0.333 exim
	for row in count-1000000 domains-1000000 shape-1000000; do
		target $row wall-ms '<=' 1500 -
		target $row rss-kib '<=' 32768 -
		[ -z "$is_quick" ] || without $row "not with -q"
	done
	count_rows
	[ -n "$is_quick" ] || million_rows
	clear_all
}
