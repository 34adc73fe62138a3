# shellcheck shell=sh
# A file system of its own for a test, on a loop device, after tap.sh.
#
#	need_disk			or skip the test
#	disk_make KIND SIZE [OPTION...]	of mkfs.KIND; mounted as $disk. Fails where
#					there is no mkfs, or no such file system
#	disk_cut N			what is on its image now, as a power cut
#					would leave it, in $tmp/cut.N
#	disk_end			it is no longer mounted
#	disk_look N			$tmp/cut.N, mounted as $disk

disk=$tmp/disk

need_disk()
{
	need_root 'a loop device'
	need losetup mkfs.ext4
	at_exit disk_end
	disk_make ext4 8M ||
	    skip_all "no loop device is to be had: $(cat "$tmp/disk.log")"
	disk_end
}

disk_make()
{
	disk_kind=$1
	rm -f "$tmp/disk.image"
	truncate -s "$2" "$tmp/disk.image"
	shift 2
	[ "$disk_kind" != ext4 ] || set -- -F "$@"
	command -v "mkfs.$disk_kind" >"$tmp/disk.log" &&
	    "mkfs.$disk_kind" -q "$@" "$tmp/disk.image" >"$tmp/disk.log" 2>&1 &&
	    disk_mount "$tmp/disk.image"
}

# btrfs remembers devices, and takes an older copy for one that is out of date.
# XFS refuses a copy of what a process that is ending has in use.
disk_mount()
{
	mkdir -p "$disk"
	disk_options=loop
	[ "$disk_kind" != xfs ] || disk_options=loop,nouuid
	[ "$disk_kind" != btrfs ] || btrfs device scan --forget >/dev/null 2>&1
	mount -t "$disk_kind" -o "$disk_options" "$1" "$disk" 2>"$tmp/disk.log"
}

# Nobody may write meanwhile. The disk has been given what was synced, and some
# of what was not: a copy that agrees with it afterwards is one moment of it.
disk_cut()
{
	for disk_try in 1 2 3 4 5 6 7 8 9; do
		cp --sparse=always "$tmp/disk.image" "$tmp/cut.$1"
		! cmp -s "$tmp/disk.image" "$tmp/cut.$1" || return 0
	done
	bail "the disk does not come to rest in $disk_try copies"
}

disk_end()
{
	! mountpoint -q "$disk" || umount "$disk" 2>/dev/null || umount -l "$disk"
}

disk_look()
{
	disk_end
	disk_mount "$tmp/cut.$1" || bail "cut $1 cannot be mounted: $(cat "$tmp/disk.log")"
}
