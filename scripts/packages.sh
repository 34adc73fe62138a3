# shellcheck shell=sh
# What bmx needs, by Debian's names, and how the other scripts get it. Nothing
# is ever removed for it, and no daemon is started.

packages_build='autoconf automake gcc libc6-dev make pkg-config
	libcurl4-gnutls-dev libgnutls28-dev libidn2-dev libinih-dev libjansson-dev liblmdb-dev
	libpopt-dev nettle-dev'
packages_test='btrfs-progs ca-certificates curl e2fsprogs faketime gnutls-bin iproute2 jq
	ldnsutils libcmocka-dev libnet-ssleay-perl libtirpc3
	libwrap0 logrotate openssl python3 rsync strace swaks ucspi-tcp
	xfsprogs'
# inetd looks the names of protocols up
packages_super='netbase'
packages_servers='nsd postfix unbound'
# pages are looked at with
packages_browsers='chromium w3m'
packages_lint='clang clang-format cppcheck debootstrap libclang-rt-dev mandoc shellcheck valgrind
	xz-utils'

packages_missing()
{
	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
		    grep -qx installed || printf '%s ' "$package"
	done
}

# In a subshell: the policy that keeps daemons from starting goes with it.
packages_install() (
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		trap 'exit 130' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
	    --no-install-recommends --no-remove install "$@" </dev/null
) >>build/packages.out 2>&1

# packages_want PACKAGE...: install what is missing, or say what it is. Fails when
# something is known to be missing.
packages_want()
{
	mkdir -p build
	if ! command -v apt-get >/dev/null; then
		echo "no apt here; what is needed is, by Debian's names:" "$@"
		return 0
	fi
	# shellcheck disable=SC2046 # a list of words
	set -- $(packages_missing "$@")
	[ $# -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "only root can install what is missing: apt-get install $*"
		return 1
	fi
	echo "installing $* (what apt says is in build/packages.out)"
	apt-get -qq update >>build/packages.out 2>&1 || :
	packages_install "$@" && return 0
	packages_failed=0
	for package; do # one of them does not go: the others may
		packages_install "$package" && continue
		echo "could not be installed: $package"
		packages_failed=1
	done
	return $packages_failed
}

# packages_servers_want: name servers and a primary for the tests. They are
# used by the tests alone: none of them is left to start at the next boot.
packages_servers_want()
{
	# shellcheck disable=SC2086 # a list of words
	packages_new=$(command -v apt-get >/dev/null && packages_missing $packages_servers)
	# shellcheck disable=SC2086
	packages_want $packages_servers || return 1
	for package in $packages_new; do
		command -v systemctl >/dev/null || break
		systemctl disable "$package" >/dev/null 2>&1 || :
	done
}

# packages_unpack DIRECTORY PACKAGE[=FILE]...: only the files, below DIRECTORY,
# where usr/FILE (sbin/PACKAGE) is not there yet. So Debian's super-servers, and
# mail servers, which exclude each other, can be had side by side, and without
# root.
packages_unpack()
{
	packages_dir=$1
	shift
	command -v apt-get >/dev/null || return 1
	mkdir -p "$packages_dir"
	for package; do
		packages_file=sbin/$package
		case $package in
		*=*) packages_file=${package#*=} package=${package%%=*} ;;
		esac
		[ ! -e "$packages_dir/usr/$packages_file" ] || continue
		(
			cd "$packages_dir" || exit 1
			packages_download "$package" || {
				apt-get -qq update && packages_download "$package"
			} || exit 1
			dpkg -x "$package"_*.deb . && rm -f "$package"_*.deb
		) >>build/packages.out 2>&1 || return 1
	done
}

# packages_promtool DIRECTORY: of Debian's prometheus only the checker of metrics,
# to where packages_unpack puts programs.
packages_promtool()
{
	packages_dir=$1/usr/sbin
	[ ! -e "$packages_dir/promtool" ] || return 0
	command -v apt-get >/dev/null || return 1
	mkdir -p "$packages_dir"
	(
		cd "$packages_dir" || exit 1
		packages_download prometheus || {
			apt-get -qq update && packages_download prometheus
		} || exit 1
		dpkg --fsys-tarfile prometheus_*.deb |
		    tar -xO ./usr/bin/promtool >promtool.part &&
		    chmod 755 promtool.part && mv promtool.part promtool
		packages_status=$?
		rm -f prometheus_*.deb promtool.part
		exit $packages_status
	) >>build/packages.out 2>&1
}

packages_download()
{
	apt-get -qq -o APT::Sandbox::User=root download "$1"
}
