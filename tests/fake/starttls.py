#!/usr/bin/env python3
"""A session under STARTTLS with a program that serves one client.

starttls.py FILE PROGRAM [ARGUMENT...]

The program gets a TCP connection as its standard input and output. The lines of
FILE, with CRLF, are said one by one, what follows a 354 as one, and the replies
printed, those before STARTTLS not. However it goes, the program's exit status
is ours, or 128 and the signal that ended it.
"""
import ssl
import sys

from truncate import SECONDS, Session


def steps(path):
    """What is said, up to the next reply."""
    with open(path, newline="") as f:
        lines = f.read().splitlines(keepends=True)
    while lines:
        line = lines.pop(0)
        yield line
        if line == "DATA\r\n":
            end = lines.index(".\r\n") + 1
            yield "".join(lines[:end])
            lines = lines[end:]


def main(argv):
    s = Session(argv[2:], ssl.TLSVersion.TLSv1_3)
    try:
        s.start()
        for text in steps(argv[1]):
            sys.stdout.write(s.say(text).decode("ascii", "backslashreplace"))
    except EOFError as e:
        sys.stdout.write(e.args[0].decode("ascii", "backslashreplace"))
    except OSError as e:  # also those of TLS
        print("#", e)
    s.raw.close()
    status = s.server.wait(SECONDS)
    return status if status >= 0 else 128 - status


sys.exit(main(sys.argv))
