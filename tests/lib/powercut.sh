# shellcheck shell=sh
# Mail on a disk whose power goes, after tap.sh, receive.sh and disk.sh:
#
#	power_conf LINE...	make_conf with the spool on the disk, $spool
#	begin KIND		an empty spool on a new disk, itself on disk
#	session N		mail of N messages, of 200 bytes to 60 kB
#	acknowledged FILE...	the IDs
#	judge IDS [GONE]	what is wrong on the disk that is mounted; the IDs
#				in GONE need not be there

power_conf()
{
	make_conf "$@"
	spool=$disk/spool
	sed "s,^spool = .*,spool = $spool," "$BMX_CONF" >"$tmp/disk.conf"
	BMX_CONF=$tmp/disk.conf
}

begin()
{
	disk_end
	case $1 in
	ext4) disk_make ext4 32M ;;
	*) disk_make "$1" 320M ;;
	esac || return 1
	mkdir -m 700 "$spool"
	sync -f "$disk"
}

session()
{
	say 'EHLO c'
	awk -v n="$1" 'BEGIN {
		for (i = 1; i <= n; i++) {
			printf "MAIL FROM:<a@s.example>\r\nRCPT TO:<1@example.com>\r\n"
			printf "DATA\r\nSubject: %d\r\n\r\n", i
			for (j = 0; j < i * i * 97 % 1500; j++)
				printf "a line that is always the same\r\n"
			printf "the end\r\n.\r\n"
		}
		printf "QUIT\r\n"
	}'
}

acknowledged()
{
	sed -n 's/^250 2.0.0 Queued as \([0-9a-v]*\).*/\1/p' "$@"
}

judge()
{
	while read -r judge_id; do
		judge_file=$(find "$spool/example.com/new" "$spool/example.com/cur" \
		    -name "$judge_id,*" 2>/dev/null | head -n 1)
		if [ -z "$judge_file" ]; then
			grep -qsxF "$judge_id" "${2:-/dev/null}" || echo "$judge_id: lost"
		elif ! is_whole "$judge_file"; then
			echo "$judge_id: of another size"
		elif [ "$(tail -c 9 "$judge_file" | tr -d '\r')" != 'the end' ]; then
			echo "$judge_id: not whole"
		fi
	done <"$1"
}
