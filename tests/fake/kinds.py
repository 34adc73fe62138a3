#!/usr/bin/env python3
"""kinds.py DIR

Write messages of every kind that has ever been mangled on its way, one a file,
with CRLF line ends. The Subject of each is the file's name.
"""

import os
import random
import sys


def kind(name, *lines):
    """A message: what follows the Subject, line by line."""
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(b"Subject: " + name.encode() + b"\r\n")
        file.write(b"".join(line + b"\r\n" for line in lines))


def border(at):
    """A line end at this offset, then dots: where a reader's pieces meet."""
    with open(os.path.join(sys.argv[1], "border-%d" % at), "wb") as file:
        head = b"Subject: border-%d\r\n\r\n" % at
        rest = at - len(head)
        body = (b"b" * 70 + b"\r\n") * (rest // 72)
        body += b"b" * (rest - len(body))
        file.write(head + body + b"\r\n.\r\n..\r\nend\r\n")


random.seed(7)
os.mkdir(sys.argv[1])
kind("header-only")
kind("empty-body", b"")
kind("8-bit", b"", bytes(range(128, 256)), b"\xc3\xa9 \xff\xfe", b"\x7f\x01\t")
kind("dots", b"", b".", b"..", b"...", b". x", b".x.", b"x.", b"", b".", b"")
kind("ends-in-a-dot", b"", b"x", b".")
kind("998", b"", b"a" * 998, b"." * 998, b"\xff" * 998)
kind("blanks", b"X: a", b"\tfolded \t ", b"", b" ", b"\t", b"", b"", b"")
kind("no-newline-in-a-part", b"Content-Type: multipart/mixed; boundary=b", b"",
     b"--b", b"", b"text without its own line end", b"--b",
     b"Content-Transfer-Encoding: base64", b"", b"AAEC", b"--b--")
kind("looks-like-smtp", b"", b"QUIT", b".", b"RSET", b"MAIL FROM:<x@y>",
     b"250 OK")
kind("looks-like-an-envelope", b"", b"Bmx-To: P <eve@example.com>", b"",
     b"Bmx-Envelope: 1")
for place in range(65532, 65540):
    border(place)
kind("25-MiB", b"", *[bytes(random.choice(b"..abc\xe9\t \xff")
                            for _ in range(16)) * 8 for _ in range(201650)])
