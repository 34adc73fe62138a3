#!/bin/sh
# All senders, xinetd passing its listening socket (wait = yes): tests/lib/senders.sh.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
# shellcheck source=tests/lib/receive.sh source=tests/lib/listen.sh
# shellcheck source=tests/lib/senders.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/receive.sh"
. "$top_srcdir/tests/lib/listen.sh"
. "$top_srcdir/tests/lib/senders.sh"
need_super xinetd
senders_make
listen_start xinetd "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"
senders_all 'xinetd wait'
done_testing
