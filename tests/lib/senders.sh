# shellcheck shell=sh
# Senders that other people wrote, each in the clear and over STARTTLS, against
# one port, after tap.sh, peers.sh and receive.sh:
#
#	senders_make	the configuration, the messages, Postfix; sets $port
#	(start bmx-receive -c $BMX_CONF on $port)
#	senders_all KIND	two tests for each sender and way, named for KIND
#
# A message goes to NAME@example.com. A sender that is missing is skipped, aloud.

senders='swaks smtplib postfix curl gnutls-cli openssl'

senders_make()
{
	need python3 certtool
	port=$(free_port)
	mkdir -m 700 "$tmp/state"
	make_conf 'min-free = 1M' "state = $tmp/state" \
	    "tls-certificate = $tmp/pem" "tls-key = $tmp/key" '[example.com]'
	empty_spool
	printf 'cn = backup.example.net\ntls_www_server\nexpiration_days = 10\n' \
	    >"$tmp/template"
	{
		certtool --generate-privkey --key-type ecdsa --outfile "$tmp/key" &&
		    certtool --generate-self-signed --load-privkey "$tmp/key" \
			--template "$tmp/template" --outfile "$tmp/pem"
	} >"$tmp/certtool" 2>&1 || bail "certtool: $(cat "$tmp/certtool")"
	senders_message
	senders_scripts
	senders_postfix
}

# The message, with dots and bytes that a sender could get wrong: with CRLF as it
# has to arrive, with LF for senders that put the line ends right themselves
# (swaks adds the last one too).
senders_message()
{
	printf '%s\n' 'From: <a@sender.example>' 'To: <b@example.com>' \
	    'Date: Mon, 01 Jan 2024 00:00:00 +0000' \
	    'Message-ID: <1@sender.example>' 'Subject: folded' '	here' \
	    'MIME-Version: 1.0' 'Content-Type: text/plain; charset=ISO-8859-1' \
	    'Content-Transfer-Encoding: 8bit' '' '.' '..' '.dot' '' >"$tmp/message.lf"
	printf '8-bit \344\377\n%0998d\nFrom here on\n.\nlast' 7 >>"$tmp/message.lf"
	{
		cat "$tmp/message.lf"
		echo
	} | crlf >"$tmp/message"
}

senders_scripts()
{
	cat >"$tmp/with_smtplib.py" <<-'E'
		"""with_smtplib.py PORT HOW RECIPIENT FILE"""
		import smtplib, ssl, sys
		port, how, recipient, path = sys.argv[1:]
		with smtplib.SMTP("127.0.0.1", int(port), "smtplib.example", 20) as s:
		    if how == "STARTTLS":
		        s.starttls(context=ssl._create_unverified_context())
		    s.sendmail("a@sender.example", recipient, open(path, "rb").read(),
		               ["BODY=8BITMIME"])
	E
	cat >"$tmp/dialogue.py" <<-'E'
		"""dialogue.py GREETING RECIPIENT FILE COMMAND...

		A session through stdin and stdout of COMMAND, which knows TLS and no SMTP:
		one command at a time. GREETING is "greeted" when COMMAND has read it.
		"""
		import re, signal, subprocess, sys
		greeting, recipient, path, *argv = sys.argv[1:]
		signal.alarm(20)
		p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

		def expect(code):
		    for line in p.stdout: # COMMAND has something to say, too
		        if re.match(rb"[2-5]\d\d ", line):
		            if not line.startswith(code):
		                sys.exit(line)
		            return
		    sys.exit("closed")

		def say(data, code):
		    p.stdin.write(data + b"\r\n")
		    p.stdin.flush()
		    expect(code)

		if greeting != "greeted":
		    expect(b"220")
		with open(path, "rb") as f:
		    text = b"".join(b"." + l if l.startswith(b".") else l for l in f)
		say(b"EHLO dialogue.example", b"250")
		say(b"MAIL FROM:<a@sender.example> BODY=8BITMIME", b"250")
		say(b"RCPT TO:<%s>" % recipient.encode(), b"250")
		say(b"DATA", b"354")
		say(text + b".", b"250")
		say(b"QUIT", b"221")
		p.stdin.close()
		p.wait()
	E
}

# Postfix with a queue of its own: what comes to it leaves it for $port, in the
# clear, but for one recipient over STARTTLS or not at all.
senders_postfix()
{
	! sender_missing postfix >/dev/null || return 0
	postfix_make "relayhost = [127.0.0.1]:$port" \
	    "transport_maps = inline:{postfix-tls@example.com=tls:[127.0.0.1]:$port}"
	postconf -c "$postfix/etc" -e 'myhostname = postfix.example' \
	    'virtual_mailbox_domains =' 'mynetworks = 127.0.0.0/8' \
	    'smtpd_relay_restrictions = permit_mynetworks, reject'
	cat >>"$postfix/etc/master.cf" <<-'E'
		tlsmgr    unix  - - n 1000? 1 tlsmgr
		smtp      unix  - - n - - smtp
		  -o smtp_tls_security_level=none
		tls       unix  - - n - - smtp
		  -o smtp_tls_security_level=encrypt
	E
	postfix_start
}

# sender_missing NAME: print why it cannot be used; fail when it can.
sender_missing()
{
	case $1 in
	smtplib) return 1 ;;
	swaks)
		if command -v swaks >/dev/null &&
		    ! perl -MNet::SSLeay -e 1 2>/dev/null; then
			echo "swaks' TLS, libnet-ssleay-perl, is not installed"
			return 0
		fi
		;;
	postfix)
		if [ "$(id -u)" -ne 0 ]; then
			echo "Postfix's master needs root"
			return 0
		fi
		;;
	curl)
		if command -v curl >/dev/null &&
		    ! curl --version | grep -q '^Protocols:.* smtp'; then
			echo 'curl is built without SMTP'
			return 0
		fi
		;;
	esac
	command -v "$1" >/dev/null && return 1
	echo "$1 is not installed"
}

# ---- the senders: HOW is plain or STARTTLS ----

send_swaks()
{
	[ "$1" = plain ] || set -- "$1" "$2" -tls
	send_to=$2
	shift 2
	swaks --silent 2 --server 127.0.0.1 --port "$port" --helo swaks.example \
	    --from a@sender.example --to "$send_to" --data "@$tmp/message.lf" "$@"
}

send_smtplib()
{
	python3 "$tmp/with_smtplib.py" "$port" "$1" "$2" "$tmp/message"
}

# Into its queue: the caller waits for the message to come out of it.
send_postfix()
{
	"$top_srcdir/tests/lib/send.py" "$postfix_port" a@sender.example \
	    "$tmp/message" "$2"
}

send_curl()
{
	send_to=$2
	case $1 in
	plain) set -- ;;
	*) set -- --ssl-reqd --insecure ;;
	esac
	curl --silent --show-error --max-time 20 "$@" \
	    --mail-from a@sender.example --mail-rcpt "$send_to" \
	    --upload-file "$tmp/message" "smtp://127.0.0.1:$port/curl.example"
}

# Without --starttls-proto it goes on in the clear until its input ends.
send_gnutls_cli()
{
	case $1 in
	plain) set -- ungreeted "$2" --starttls ;;
	*) set -- greeted "$2" --starttls-proto=smtp ;;
	esac
	python3 "$tmp/dialogue.py" "$1" "$2" "$tmp/message" \
	    gnutls-cli --insecure "$3" -p "$port" 127.0.0.1
}

send_openssl()
{
	python3 "$tmp/dialogue.py" greeted "$2" "$tmp/message" \
	    openssl s_client -quiet -starttls smtp -connect "127.0.0.1:$port"
}

# ---- what has to be in the spool ----

# sender_arrived RECIPIENT: wait for its message; $file is its name.
sender_arrived()
{
	wait_for 20 grep -rqs "^Bmx-To: [PU] <$1>" "$tmp/spool/example.com/new" || return 1
	file=$(grep -rls "^Bmx-To: [PU] <$1>" "$tmp/spool/example.com/new")
}

# sender_whole FROM: as sent; a relay's own Received field is in front.
sender_whole()
{
	content_of "$file" >"$tmp/content"
	if [ "$1" = postfix ]; then
		strip_received 1 "$tmp/content" >"$tmp/got" || return 1
	else
		mv "$tmp/content" "$tmp/got"
	fi
	is_whole "$file" && cmp "$tmp/message" "$tmp/got"
}

# received: our field, on one line.
received()
{
	tr -d '\r' <"$file" | awk '
		in_it && /^[ \t]/ { sub(/^[ \t]+/, " "); field = field $0; next }
		in_it { exit }
		/^Received: / { in_it = 1; field = $0 }
		END { print field }'
}

sender_check()
{
	sender_name=$1
	sender_how=$2
	sender_what=$3
	sender_to=$sender_name@example.com
	[ "$sender_how" = plain ] || sender_to=$sender_name-tls@example.com
	if "send_$(echo "$sender_name" | tr - _)" "$sender_how" "$sender_to" \
	    >"$tmp/sender" 2>&1 && sender_arrived "$sender_to" &&
	    sender_whole "$sender_name" >>"$tmp/sender" 2>&1; then
		pass "$sender_what: the message is in the spool, whole"
	else
		fail "$sender_what: the message is in the spool, whole" \
		    "$(tail -n 5 "$tmp/sender" "$tmp/bmx.log")"
		fail "$sender_what: D19 Received" 'there is no message'
		return
	fi
	sender_as='ESMTP id [0-9a-v]{21}( for [^(]*)?;'
	[ "$sender_how" = plain ] ||
	    sender_as='ESMTPS id [0-9a-v]{21} \(TLS1\.[23]/[A-Z0-9-]+\)( for [^(]*)?;'
	like "$sender_what: D19 Received names protocol and TLS" "$(received)" \
	    "^Received: from [a-z.]+ \(.*\[127\.0\.0\.1\]\).* with $sender_as"
}

senders_all()
{
	senders_sent=0
	for sender in $senders; do
		for how in plain STARTTLS; do
			[ "$sender-$how" != openssl-plain ] || continue # it has TLS only
			if why=$(sender_missing "$sender"); then
				skip "$1, $sender, $how: the message is in the spool, whole" "$why"
				skip "$1, $sender, $how: D19 Received" "$why"
			else
				sender_check "$sender" "$how" "$1, $sender, $how"
				senders_sent=$((senders_sent + 1))
			fi
		done
	done
	is "$1: so many messages are in the spool, and no more" \
	    "$(queued example.com | wc -l)" "$senders_sent"
}
