#!/bin/sh
# The whole of bmx beside Postfix, under xinetd: see tests/lib/system.sh.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
super=xinetd
. "$top_srcdir/tests/lib/system.sh"
