#!/bin/sh
# The matrix of admission (tests/lib/matrix.sh): the primary is known to be up, or
# away, and is what it is known to be or not.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh source=tests/lib/matrix.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/matrix.sh"
matrix_make

{
	echo up none start
	echo down none start
	echo deferring none start
	for fault in stop freeze restart; do
		for point in start rcpt data content; do
			echo up "$fault" "$point"
		done
	done
} >"$tmp/phases"
matrix_play
done_testing
