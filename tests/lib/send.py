#!/usr/bin/env python3
"""send.py [-l] PORT SENDER FILE RECIPIENT...

Send the bytes of FILE, which have CRLF line ends, to 127.0.0.1:PORT with
Python's smtplib, and print the reply to the final dot. SENDER "" is the null
reverse-path. -l: log the dialogue to stderr. Exit 1: refused.
"""
import smtplib
import sys


def send(port, sender, path, recipients, log):
    with open(path, "rb") as f:
        message = f.read()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="sender.example.org") as smtp:
        smtp.set_debuglevel(1 if log else 0)
        smtp.ehlo_or_helo_if_needed()
        options = ["SIZE=%d" % len(message)] if smtp.has_extn("size") else []
        if max(message, default=0) > 127:
            options.append("BODY=8BITMIME")
        code, text = smtp.mail(sender, options)
        if code != 250:
            return code, text
        for recipient in recipients:
            code, text = smtp.rcpt(recipient)
            if code not in (250, 251):
                return code, text
        return smtp.data(message)


def main(argv):
    log = argv[1:2] == ["-l"]
    port, sender, path, *recipients = argv[1 + log:]
    code, text = send(int(port), sender, path, recipients, log)
    print(code, text.decode("ascii", "backslashreplace"))
    return 0 if code == 250 else 1


sys.exit(main(sys.argv))
