# shellcheck shell=sh
# The whole of bmx beside a real primary, under the super-server $super: every
# message that was accepted while Postfix was down is there, byte for byte, when
# it is back (D17, D27, D33). After tap.sh and peers.sh.

need_super "$super"
need_postfix
need python3 swaks


# system_make: the messages, with CRLF line ends, $tmp/sent/NAME.
system_make()
{
	mkdir "$tmp/sent"
	(cd "$tmp/sent" && python3 -) <<-'E'
		noise = bytes(b for b in range(1, 256) if b not in (10, 13))
		bodies = {
		    "plain": b"text\r\n",
		    "8bit": noise * 3 + b"\r\n" + noise[::-1] + b"\r\n",
		    "dots": b".\r\n..\r\n.x\r\n\r\n.\r\n...\r\n \r\n.\r\n",
		    "long": b"".join(b"%0998d\r\n" % i for i in range(20)),
		    "part": b"--b\r\n\r\nno line end in this part--b--\r\n",
		    "empty": b"",
		    "blanks": b"\r\n\r\n \r\n\t\r\n\r\n",
		    "big": b"".join(b"%s%075d\r\n" % (b"." * (i % 3), i)
		                    for i in range(25 * 1024 * 1024 // 77)),
		    "several": b"for many\r\n",
		    "null": b"a bounce\r\n",
		}
		for name, body in bodies.items():
		    with open(name, "wb") as f:
		        f.write(b"Subject: " + name.encode() + b"\r\nX-Folded: a\r\n"
		                b"\tb  \r\nBcc: z@example.org\r\n"
		                b"MIME-Version: 1.0\r\n"
		                b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body)
	E
}

# system_send NAME SENDER RECIPIENT...: while the primary is down. $id is what
# it is queued as.
system_send()
{
	system_name=$1
	system_from=$2
	shift 2
	printf 'to %s\n' "$@" | sort >"$tmp/sent/$system_name.to"
	echo "from $system_from" >"$tmp/sent/$system_name.from"
	system_reply=$("$top_srcdir/tests/lib/send.py" "$port" "$system_from" \
	    "$tmp/sent/$system_name" "$@" 2>&1)
	like "$system_name is accepted" "$system_reply" '^250 2\.0\.0 '
	id=${system_reply##* }
}

# system_arrived NAME COPIES: it is at Postfix, behind its own Received field
# and ours, once for each domain, for its recipients and no others.
system_arrived()
{
	system_files=$(postfix_find "Subject: $1")
	is "$1 arrived, once for each domain" "$(echo "$system_files" | grep -c .)" "$2"
	for system_file in $system_files; do
		strip_received 2 "$system_file" | cmp - "$tmp/sent/$1" 2>&1
	done >"$tmp/differences"
	is "$1 is the same, byte for byte" "$(cat "$tmp/differences")" ""
	for system_file in $system_files; do
		cat "$system_file.env"
	done >"$tmp/envelope"
	is "$1 has its envelope" \
	    "$(grep '^from' "$tmp/envelope" | uniq; grep '^to' "$tmp/envelope" | sort)" \
	    "$(cat "$tmp/sent/$1.from" "$tmp/sent/$1.to")"
}

system_make
postfix_make
make_conf '[example.com]' "primary = 127.0.0.1:$postfix_port" 'rise = 1' \
    '[example.net]' "primary = 127.0.0.1:$postfix_port" 'rise = 1'
port=$(free_port)
super_start "$super" "$port" "$top_builddir/bmx-receive" -c "$BMX_CONF"

# ---- the primary is down ----

for name in plain 8bit dots long part empty blanks big; do
	system_send $name alice@example.org bob@example.com
done
followed=$id
system_send several Alice.B@example.org bob@example.com Carol@example.com \
    dave@example.net erin+tag@example.net
system_send null "" bob@example.com
printf 'Subject: swaks\n\n.\nby swaks' >"$tmp/swaks"
crlf <"$tmp/swaks" >"$tmp/sent/swaks"
echo "from alice@example.org" >"$tmp/sent/swaks.from"
echo "to bob@example.com" >"$tmp/sent/swaks.to"
ok "swaks is served" swaks --silent 2 --server 127.0.0.1 --port "$port" \
    --from alice@example.org --to bob@example.com --data "@$tmp/swaks"
exits "a stranger's domain is not" 24 swaks --silent 3 --server 127.0.0.1 \
    --port "$port" --from alice@example.org --to bob@example.org

bmx-probe example.com >/dev/null 2>&1
is "the probe says it is down" "$?" 69
cron='bmx-queue --domains | bmx-probe --up - | xargs -r bmx-flush'
sh -c "$cron" >/dev/null 2>&1
is "the cron job leaves the mail where it is" \
    "$(bmx-queue --domains | sort)" "example.com
example.net"

# ---- it is back ----

postfix_start
exits "the cron job hands it over" 0 sh -c "$cron"
is "the spool is empty" "$(bmx-queue --domains)" ""
ok "the primary has twelve" postfix_wait 12
for name in plain 8bit dots long part empty blanks big null swaks; do
	system_arrived $name 1
done
system_arrived several 2
is "the ledger has a line for each" \
    "$(grep -c 'what=delivered' "$tmp"/spool/ledger/*)" 12

# ---- one message through the logs of all programs ----

grep "id=$followed" "$tmp/bmx.log" >"$tmp/way"
like "bmx-receive's log has its ID" "$(cat "$tmp/way")" '^.*bmx-receive\[[0-9]*\]: '
like "and bmx-flush's" "$(cat "$tmp/way")" '^.*bmx-flush\[[0-9]*\]: '
like "and the ledger" "$(cat "$tmp"/spool/ledger/*)" "id=$followed "
like "and the Received field" \
    "$(head -n 20 "$(postfix_find 'Subject: big')")" "id $followed"
queue_id=$(sed -n 's/.*queued as \([0-9A-Za-z]*\).*/\1/p' "$tmp/way" | head -n 1)
like "the reply of the primary leads on into its log" \
    "$(grep "$queue_id: " "$postfix/log/mail.log")" 'relay=keep.*status=sent'
done_testing
