#!/bin/sh
# Delivery status notifications as a mail reader sees them: Python's email
# package takes each apart (D37, D38).
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need python3

mkdsn()
{
	"$top_builddir/tests/lib/mkdsn" "$tmp/message" "$@" >"$tmp/dsn"
}

# message FROM HEADER: what the notification is about. The arguments are
# formats of printf, with CRLF at the end of each line.
message()
{
	{
		printf 'Bmx-Envelope: 1\r\n'
		printf 'Bmx-Arrival: 2026-11-24T03:11:14Z\r\n'
		# shellcheck disable=SC2059 # it is a format
		printf "Bmx-From: $1\r\n"
		printf 'Bmx-To: P <bob@example.com> ORCPT=rfc822;Bob+2Bx@example.com\r\n'
		printf 'Bmx-To: P <"c d"@example.com>\r\n'
		# shellcheck disable=SC2059 # it is a format
		printf "$2\r\nThe body\r\n"
	} >"$tmp/message"
}

read_dsn()
{
	python3 "$top_srcdir/tests/lib/readdsn.py" "$tmp/dsn" 2>&1
}

message '<alice@example.org> ENVID=QQ+2B1' \
    'Subject: hello\r\nX-Folded: a\r\n\tb\r\n'
mkdsn failed '550 5.1.1 No such user' mx.example.com
is "D38 a failure is read as it was meant" "$(read_dsn)" \
'to: alice@example.org
subject: Your message could not be delivered
auto-submitted: auto-replied
type: multipart/report delivery-status
text: text/plain us-ascii
says: This is the mail system at mx2.example.net. Your message could not be delivered to the recipients below, and it will not be tried again. If an address is wrong, please correct it and send the message again; else please ask the postmaster of the recipient'"'"'s domain. <bob@example.com> mx.example.com said: 550 5.1.1 No such user <"c d"@example.com> mx.example.com said: 550 5.1.1 No such user The header of your message is attached. This notice was written by a program, so please do not reply to it; for help write to postmaster@mx2.example.net.
status: message/delivery-status
groups: 3
Original-Envelope-Id: QQ+1
Reporting-MTA: dns; mx2.example.net
Arrival-Date: Tue, 24 Nov 2026 03:11:14 +0000
Original-Recipient: rfc822; Bob+x@example.com
Final-Recipient: rfc822; bob@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 No such user
Final-Recipient: rfc822; "c d"@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 No such user
header: text/rfc822-headers
|Subject: hello
|X-Folded: a
|	b
defects: []'

mkdsn delayed '451 4.3.0 Try again later' mx.example.com
like "D38 a delay" "$(read_dsn)" '^Action: delayed$'
mkdsn relayed '250 2.0.0 queued' mx.example.com
like "D39 relayed" "$(read_dsn)" '^Status: 2\.0\.0$'

message '<alice@example.org>' 'Subject: \351t\351 = \033[2J\r\nTo: b \r\n'
mkdsn failed "$(printf '550 5.7.1 \033[2J\377 --=_0123-- no')" '[192.0.2.1]'
out=$(read_dsn)
like "a hostile reply is text" "$out" \
    '^Diagnostic-Code: smtp; 550 5\.7\.1 \\x1b\[2J\\xff --=_0123-- no$'
like "a hostile subject comes back as it was" "$out" \
    "^\\|Subject: \\\\xe9t\\\\xe9 = $(printf '\033')\\[2J\$"
like "blanks at the end too" "$out" '^\|To: b $'
like "and all of it is well-formed" "$out" '^defects: \[\]$'
is "and ASCII" "$(LC_ALL=C tr -d '\0-\177' <"$tmp/dsn" | wc -c | tr -d ' ')" 0

message '<\303\251ve@example.org> SMTPUTF8' 'Subject: \303\274\r\n'
mkdsn failed '550 5.1.1 No such user' mx.example.com
out=$(read_dsn)
like "D38 UTF-8: the report is a global one" "$out" \
    '^status: message/global-delivery-status$'
like "with both recipients" "$out" '^groups: 3$'
like "to whom it was" "$out" "^to: $(printf '\303\251')ve@example\\.org\$"
like "with the header as it was" "$out" "^\\|Subject: $(printf '\303\274')\$"

message '<>' 'Subject: bounce\r\n'
exits "D37 the null reverse-path gets none" 65 \
    "$top_builddir/tests/lib/mkdsn" "$tmp/message" failed '550 5.1.1 No'

done_testing
