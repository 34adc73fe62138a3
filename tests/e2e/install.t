#!/bin/sh
# make install: what is where, and that the examples work as they are.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL
dest=$tmp/dest
ok "make install puts all below DESTDIR" \
    make -C "$top_builddir" install DESTDIR="$dest"

# where NAME: the path that the installed file will have, without DESTDIR
where()
{
	find "$dest" -path '*/completions/*' -prune -o -name "$1" -type f -print | sed "s,^$dest,,"
}

for file in /sbin/bmx-receive /sbin/bmx-flush /bin/bmx-queue /bin/bmx-probe \
    /bin/bmx-mxcheck /lib/bmx/bmx-tls.so /lib/bmx/bmx-dane.so /lib/bmx/bmx-https.so /man7/bmx.7 /man5/bmx.conf.5 \
    /man5/bmx-spool.5 /man8/bmx-receive.8 /man8/bmx-flush.8 /man1/bmx-queue.1 \
    /man1/bmx-probe.1 /man1/bmx-mxcheck.1 /bin/bmx-report /man1/bmx-report.1 \
    /sbin/bmx-drill /man8/bmx-drill.8 /examples/crontab; do
	like "$file is installed" "$(where "${file##*/}")" "$file\$"
done
for program in bmx-receive bmx-flush bmx-queue bmx-probe bmx-mxcheck; do
	like "$program says its version" "$("$dest$(where "$program")" --version 2>&1)" \
	    "^$program .*[0-9]+\\.[0-9]+"
done

is "bash finds its completion" "$(cd "$dest$(dirname "$(find "$dest" -path '*/completions/bmx-queue' |
    sed "s,^$dest,,")")" && echo *)" \
    'bmx-drill bmx-flush bmx-mxcheck bmx-probe bmx-queue bmx-receive bmx-report'

# ---- the examples ----

examples=$dest$(dirname "$(where crontab)")
receive=$(where bmx-receive)
is "no example has a placeholder left" "$(grep -l '@[a-z]*dir@' "$examples"/*)" ""

# ProtectSystem=strict: a log that cannot be opened would be a 421 for everybody
log=$(sed -n 's/^\(.*\) {$/\1/p' "$examples/logrotate")
like "the unit may write the log that is rotated" \
    "$(sed -n 's/^ReadWritePaths=\(.*\)/ \1 /p' "$dest$(where bmx-receive@.service)")" " -$log "

mkdir -m 700 "$tmp/spool"
# root has to say that it is meant to stay root
sed "s,^\[bmx\]\$,&\nspool = $tmp/spool\nuser = $(id -un)," \
    "$examples/bmx.conf" >"$tmp/bmx.conf"
for program in bmx-receive bmx-flush bmx-queue bmx-probe bmx-mxcheck; do
	ok "$program takes the bmx.conf" "$program" -c "$tmp/bmx.conf" --check-config
done

# As the super-servers see it, with our user, port, program and configuration.
greeting()
{
	timeout 10 python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"QUIT\r\n")
print(s.makefile().read())' "$1"
}
printf '#!/bin/sh\nBMX_CONF=%s exec %s/bmx-receive\n' "$tmp/bmx.conf" \
    "$top_builddir" >"$tmp/receive"
chmod 755 "$tmp/receive"
user=$(id -un)

if ! command -v python3 >/dev/null; then
	skip "the inetd line works" "python3 is not installed"
elif ! program=$(super_program inetd); then
	skip "the inetd line works" "inetd is not installed"
else
	port=$(free_port)
	sed "s,^smtp ,127.0.0.1:$port ,; s, bmx , $user ,; s,$receive,$tmp/receive," \
	    "$examples/inetd.conf" >"$tmp/inetd.conf"
	"$program" -p"$tmp/inetd.pidfile" "$tmp/inetd.conf"
	adopt inetd "$tmp/inetd.pidfile"
	wait_port "$port"
	like "the inetd line works" "$(greeting "$port")" '^220 mx2\.example\.net '
fi

if ! command -v python3 >/dev/null; then
	skip "the xinetd file works" "python3 is not installed"
elif ! program=$(super_program xinetd); then
	skip "the xinetd file works" "xinetd is not installed"
else
	port=$(free_port)
	sed "s,^service smtp,service bmx-test,; s,user = bmx,user = $user,
	    s,$receive,$tmp/receive,
	    s,^{,&\ntype = UNLISTED\nport = $port\nbind = 127.0.0.1," \
	    "$examples/xinetd" >"$tmp/xinetd.conf"
	start_bg xinetd "$program" -dontfork -f "$tmp/xinetd.conf" \
	    -pidfile "$tmp/xinetd.pidfile"
	wait_port "$port"
	like "the xinetd file works" "$(greeting "$port")" '^220 mx2\.example\.net '
fi

if command -v systemd-analyze >/dev/null; then
	mkdir "$tmp/units"
	cp "$dest$(where bmx-receive.socket)" "$dest$(where bmx-receive@.service)" "$tmp/units"
	sed -i "s,^ExecStart=.*,ExecStart=$tmp/receive,; s,^User=.*,User=$user," \
	    "$tmp/units/bmx-receive@.service"
	is "systemd finds nothing wrong with the units" "$(cd "$tmp/units" &&
	    SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no \
	        ./bmx-receive.socket ./bmx-receive@.service 2>&1 |
	    grep bmx-receive)" ""
else
	skip "systemd finds nothing wrong with the units" "systemd-analyze is not installed"
fi

# ---- the four lines of README ----

sed -n '/^3\. \*\*Enable/,/^4\./s/^       //p' "$top_srcdir/README.md" >"$tmp/lines"
is "there are four" "$(wc -l <"$tmp/lines" | tr -d ' ')" 4
mkdir -p "$tmp/root/etc/cron.d" "$tmp/root/var/spool" "$tmp/root/var/lib"
# line N: as it is, but below $tmp/root, and for our own account
line()
{
	sed -n "$1p" "$tmp/lines" | sed "s,/usr/share/doc/bmx/examples,$examples,
	    s, \(/etc/cron\|/var\), $tmp/root\1,g; s,-o bmx -g bmx,-o $(id -un) -g $(id -gn),
	    s,systemctl enable --now,systemctl --root=$dest enable," >"$tmp/line"
	sh -e "$tmp/line"
}
if [ "$(id -u)" -eq 0 ] && command -v useradd >/dev/null; then
	mkdir -p "$tmp/root/etc"
	cp /etc/passwd /etc/group "$tmp/root/etc"
	sed -i '/^bmx:/d' "$tmp/root/etc/passwd" "$tmp/root/etc/group"
	ok "1: an account" sh -c "$(sed -n 1p "$tmp/lines") --prefix $tmp/root"
	like "of that name" "$(cat "$tmp/root/etc/passwd")" '^bmx:.*:/nonexistent:/usr/sbin/nologin$'
else
	skip "1: an account" "only root can, with useradd"
	skip "of that name" "only root can, with useradd"
fi
ok "2: its directories" line 2
is "for nobody else" "$(stat -c %a "$tmp/root/var/spool/bmx" "$tmp/root/var/lib/bmx" |
    tr '\n' ' ')" '700 700 '
ok "3: the cron job" line 3
same "where cron finds it" "$tmp/root/etc/cron.d/bmx" "$examples/crontab"
# where the units went, systemd looks only below the usual prefixes
units=$(find "$dest" -name bmx-receive.socket -path '*/systemd/system/*' | head -n 1)
case ${units#"$dest"} in
/usr/lib/* | /usr/local/lib/* | /lib/* | /etc/*) units=there ;;
esac
if command -v systemctl >/dev/null && [ "$units" = there ]; then
	ok "4: the port" line 4
	like "systemd will listen" "$(readlink "$dest/etc/systemd/system/sockets.target.wants/bmx-receive.socket")" \
	    'lib/systemd/system/bmx-receive\.socket$'
	rm -r "$dest/etc/systemd"
else
	skip "4: the port" "no systemctl, or another prefix than /usr and /usr/local"
	skip "systemd will listen" "no systemctl, or another prefix"
fi

line=$(sed -n 's/^\* \* \* \* \*  bmx  //p' "$examples/crontab")
export BMX_CONF="$tmp/bmx.conf"
exits "the cron line has nothing to do" 0 sh -c "$line"
is "and says nothing" "$(cat "$tmp/out" "$tmp/err")" ""

ok "make uninstall takes all of it away" \
    make -C "$top_builddir" uninstall DESTDIR="$dest"
is "no file is left" "$(find "$dest" -type f)" ""
done_testing
