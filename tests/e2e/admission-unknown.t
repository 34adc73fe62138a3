#!/bin/sh
# The matrix of admission (tests/lib/matrix.sh) while nothing is known of the
# primary, as on a host that was set up a moment ago.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh source=tests/lib/matrix.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/matrix.sh"
matrix_make

{
	echo unknown none start
	for fault in stop freeze restart; do
		for point in start rcpt data content; do
			echo unknown "$fault" "$point"
		done
	done
} >"$tmp/phases"
matrix_play
done_testing
