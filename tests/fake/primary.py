#!/usr/bin/env python3
"""A primary mail server that does what its script says, for tests.

    primary.py [-p PORT] [-a ADDRESS] [-e KEYWORD]... [-x KEYWORD]...
               [-s KEYWORD]... [--tls CERT KEY] [--client-ca FILE] [--lmtp]
               DIR [ROW]...

-e: offer these extensions instead of the usual ones; -x: offer these too; -s:
these only inside TLS. The log tells of TLS: "K T: sni=NAME client=NAME", with
--client-ca of a client's certificate that one of these roots vouches for.
--lmtp: speak LMTP; -a may be the path of a socket then. The stage "dot" comes
once for each recipient, with its ADDRESS.

It prints the port it listens on as one line (0: a socket), and accepts and
stores every message, except where a row says otherwise:

    STAGE[<ADDRESS>][#N[+]] ACTION

STAGE    connect ehlo helo starttls xclient xforward mail rcpt data content
         bdat dot rset quit etrn; content is after the first 1000 bytes of it,
         and ends the session; dot is its end, also of a BDAT chunk
ADDRESS  only for this address (mail, rcpt)
#N       only the N-th time that this stage is reached, over all sessions
         (an ADDRESS counts for itself); #N+ from then on
ACTION   NNN text      answer so; "|" parts the lines of a reply, which get
                       their code and hyphens here. 2yz to the dot stores
         raw BYTES     send exactly this (\\r \\n \\xNN \\\\ are understood)
         parts MS A|B  these bytes, so many milliseconds between two parts
         slow MS       answer as always, so many milliseconds later
         stall         say nothing more, until the client goes away
         flood         begin a reply that does not end
         hangup        close without an answer
         reset         close with a TCP reset
         run COMMAND   run it with sh, $BMX_PEER being the client's address,
                       then answer as always
         store-hangup  dot only: store the message, then close unanswered
         store-stall   dot only: store the message, never answer
         store-run COMMAND  dot only: store the message, run, answer as always

The first row that fits is taken. A 421 that a row makes closes the session.

DIR/N.msg   the N-th message, byte for byte, transparency undone
DIR/N.env   its MAIL and RCPT lines as they came, and "session K"
DIR/log     every line of every session: "K C: ..." and "K S: ..."
DIR/broken  what a client must never do: bare CR or LF, a command that nobody
            asked for, bytes ahead of a reply that ends a pipelined group

It ends at SIGTERM, and at the end of stdin when stdin is a pipe.
"""

import argparse
import errno
import os
import re
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading

KEYWORDS = ["PIPELINING", "SIZE 0", "8BITMIME", "SMTPUTF8", "DSN",
            "ENHANCEDSTATUSCODES"]
ROW = re.compile(r"([a-z]+)(?:<([^>]*)>)?(?:#(\d+)(\+?))?\s+(.*)", re.S)


def unescape(text):
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


class Over(Exception):
    """The session is over."""


class Row:
    """One line of the script."""

    def __init__(self, text):
        match = ROW.fullmatch(text)
        if match is None:
            sys.exit("primary.py: cannot read the row: " + text)
        self.stage, self.address, number, plus, self.action = match.groups()
        self.first = int(number) if number else 1
        self.last = float("inf") if plus or not number else self.first
        self.seen = 0

    def fits(self, stage, address):
        if stage != self.stage:
            return False
        if self.address is not None and address != self.address:
            return False
        self.seen += 1
        return self.first <= self.seen <= self.last


class Primary:
    """What the sessions share."""

    def __init__(self, options):
        self.directory = options.directory
        self.rows = [Row(text) for text in options.row]
        self.keywords = list(KEYWORDS)
        if options.keyword:
            self.keywords = [k for k in options.keyword if k]
        self.keywords += options.extra
        self.is_lmtp = options.lmtp
        self.tls = None
        if options.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*options.tls)
            self.keywords.append("STARTTLS")
            self.tls.sni_callback = self.note_name
            if options.client_ca:
                self.tls.verify_mode = ssl.CERT_OPTIONAL
                self.tls.load_verify_locations(options.client_ca)
        self.secured_keywords = options.secured
        self.lock = threading.Lock()
        self.messages = 0
        self.sessions = 0
        self.log_file = open(os.path.join(self.directory, "log"), "ab",
                             buffering=0)

    def action(self, stage, address):
        with self.lock:
            fitting = [r for r in self.rows if r.fits(stage, address)]
        return fitting[0].action if fitting else None

    @staticmethod
    def note_name(sock, name, _context):
        sock.sni = name

    def log(self, session, who, line):
        self.log_file.write(b"%d %s: %s\n" % (session, who, line))

    def broken(self, session, what):
        with self.lock, open(os.path.join(self.directory, "broken"), "a",
                             encoding="ascii") as file:
            file.write("%d %s\n" % (session, what))

    def store(self, envelope, content):
        """Make it visible at once: the envelope last."""
        with self.lock:
            self.messages += 1
            path = os.path.join(self.directory, "%d." % self.messages)
        with open(path + "msg", "wb") as file:
            file.write(content)
        with open(path + "tmp", "wb") as file:
            file.write(b"".join(line + b"\n" for line in envelope))
        os.rename(path + "tmp", path + "env")
        return self.messages


class Session:
    """One connection."""

    def __init__(self, primary, sock):
        self.primary = primary
        self.sock = sock
        with primary.lock:
            primary.sessions += 1
            self.number = primary.sessions
        self.buffer = bytearray()
        self.secured = False
        self.envelope = None        # lines, from MAIL on
        self.rcpts = 0
        self.chunks = None          # content by BDAT

    # ---- bytes ----

    def fill(self):
        got = self.sock.recv(1 << 16)
        if not got:
            raise Over
        self.buffer += got

    def read_line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, _, rest = bytes(self.buffer).partition(b"\n")
        self.buffer = bytearray(rest)
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            self.primary.broken(self.number, "bare CR or LF in a command")
        self.primary.log(self.number, b"C", line.rstrip(b"\r"))
        return line.rstrip(b"\r")

    def read_content(self):
        """Up to CR LF "." CR LF and nothing else; dots undone."""
        data = self.buffer
        start = 0
        while True:
            if data.startswith(b".\r\n"):
                end, used = 0, 3
                break
            at = data.find(b"\r\n.\r\n", start)
            if at != -1:
                end, used = at + 2, at + 5
                break
            start = max(0, len(data) - 4)
            self.fill()
        content = bytes(data[:end])
        self.buffer = bytearray(data[used:])
        if re.search(rb"\r(?!\n)|(?<!\r)\n", content):
            self.primary.broken(self.number, "bare CR or LF in content")
        if re.search(rb"(?:^|\n)\.(?!\.)", content):
            self.primary.broken(self.number, "a dot that was not doubled")
        return re.sub(rb"(^|\n)\.", rb"\1", content)

    def send(self, data):
        for line in data.splitlines():
            self.primary.log(self.number, b"S", line)
        self.sock.sendall(data)

    def send_parts(self, parts, wait_ms):
        for i, part in enumerate(parts):
            if i > 0:
                threading.Event().wait(wait_ms / 1000)
            self.send(unescape(part))

    def reply(self, text):
        lines = text.encode("utf-8").split(b"|")
        code = lines[0][:3]
        for i, line in enumerate(lines):
            if i > 0:
                line = code + b" " + line
            if i < len(lines) - 1:
                line = code + b"-" + line[4:]
            lines[i] = line
        self.send(b"\r\n".join(lines) + b"\r\n")

    # ---- the script ----

    def stall(self):
        while True:
            self.fill()
            self.buffer.clear()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        raise Over

    def act(self, stage, address, store):
        """Do what the script says. True: answer as always."""
        action = self.primary.action(stage, address)
        if action is None:
            return True
        verb, _, rest = action.partition(" ")
        if verb.startswith("store-"):
            store()
            verb = verb[len("store-"):]
            if verb == "run":
                subprocess.call(rest, shell=True)
                self.reply("250 2.0.0 stored")
                return False
        if verb == "stall":
            self.stall()
        elif verb == "flood":
            while True:
                self.sock.sendall(b"250-and more\r\n" * 1000)
        elif verb == "slow":
            threading.Event().wait(int(rest) / 1000)
            return True
        elif verb == "hangup":
            raise Over
        elif verb == "reset":
            self.reset()
        elif verb == "run":
            peer = self.sock.getpeername()  # "" of a local socket
            subprocess.call(rest, shell=True, env=dict(
                os.environ, BMX_PEER=peer[0] if peer else ""))
            return True
        elif verb == "raw":
            return self.answer(stage, rest[:3], store,
                               lambda: self.send(unescape(rest)))
        elif verb == "parts":
            wait_ms, _, rest = rest.partition(" ")
            return self.answer(
                stage, rest.replace("|", "")[:3], store,
                lambda: self.send_parts(rest.split("|"), int(wait_ms)))
        else:
            return self.answer(stage, verb, store,
                               lambda: self.reply(action))
        return False

    def answer(self, stage, code, store, send):
        """The script's own reply: a 2yz or 3yz moves the session on, too."""
        if code[0] == "2" and stage == "dot":
            store()
        if code[0] == "2" and stage == "rcpt":
            self.rcpts += 1
        if code[0] != "2" and stage == "mail":
            self.envelope = None
        send()
        if code == "421":
            raise Over
        return None if code[0] in "23" else False

    # ---- commands ----

    def serve(self):
        if self.act("connect", None, None):
            self.reply("220 primary.test ESMTP")
        while True:
            line = self.read_line()
            verb = line.split(b" ")[0].split(b":")[0].upper()
            if verb in (b"EHLO", b"HELO", b"STARTTLS", b"DATA", b"QUIT",
                        b"NOOP") and self.buffer:
                self.primary.broken(self.number,
                                    "bytes behind " + verb.decode("ascii"))
            getattr(self, "on_" + verb.decode("ascii").lower(),
                    self.on_unknown)(line)

    def on_unknown(self, line):
        self.primary.broken(self.number, "unknown command %r" % line[:40])
        self.reply("500 5.5.2 what?")

    def on_ehlo(self, line):
        if self.primary.is_lmtp:
            self.on_unknown(line)
        else:
            self.hello(line)

    def hello(self, _line):
        self.envelope = None
        if self.act("ehlo", None, None):
            keywords = [k for k in self.primary.keywords
                        if k != "STARTTLS" or not self.secured]
            if self.secured:
                keywords += self.primary.secured_keywords
            self.reply("|".join(["250 primary.test"] + keywords))

    def on_lhlo(self, line):
        if self.primary.is_lmtp:
            self.hello(line)
        else:
            self.on_unknown(line)

    def on_helo(self, _line):
        self.envelope = None
        if self.act("helo", None, None):
            self.reply("250 primary.test")

    def on_starttls(self, _line):
        if self.primary.tls is None or self.secured:
            self.reply("502 5.5.1 not here")
        elif self.act("starttls", None, None):
            self.reply("220 2.0.0 go on")
            self.sock = self.primary.tls.wrap_socket(self.sock,
                                                     server_side=True)
            self.secured = True
            subject = (self.sock.getpeercert() or {}).get("subject", ())
            names = [v for rdn in subject for k, v in rdn if k == "commonName"]
            self.primary.log(self.number, b"T", (
                "sni=%s client=%s" % (getattr(self.sock, "sni", None),
                                      ",".join(names) or None)).encode())

    @staticmethod
    def address(line):
        match = re.search(rb"<([^>]*)>", line)
        return match.group(1).decode("utf-8", "replace") if match else ""

    def on_mail(self, line):
        if self.envelope is not None:
            self.primary.broken(self.number, "MAIL inside a transaction")
        self.chunks = None
        self.envelope = [line, b"session %d" % self.number]
        self.rcpts = 0
        if self.act("mail", self.address(line), None):
            self.reply("250 2.1.0 OK")

    def on_rcpt(self, line):
        if self.envelope is None:
            self.reply("503 5.5.1 MAIL first")
            return
        before = self.rcpts
        if self.act("rcpt", self.address(line), None):
            self.rcpts += 1
            self.reply("250 2.1.5 OK")
        if self.rcpts > before:
            self.envelope.append(line)

    def on_data(self, _line):
        if self.envelope is None:
            self.reply("503 5.5.1 MAIL first")
            return
        if self.rcpts == 0:
            self.reply("554 5.5.1 no valid recipients")
            return
        go_on = self.act("data", None, None)
        if go_on is False:
            return
        if go_on:
            self.reply("354 go on")
        if any(row.stage == "content" for row in self.primary.rows):
            self.heed_content()
        self.end(self.read_content())

    def heed_content(self):
        while len(self.buffer) < 1000:
            self.fill()
        if not self.act("content", None, None):
            raise Over

    def on_bdat(self, line):
        words = line.split()
        size, is_last = int(words[1]), words[2:] == [b"LAST"]
        go_on = self.rcpts > 0 and self.act("bdat", None, None)
        while len(self.buffer) < size:
            self.fill()
        chunk = bytes(self.buffer[:size])
        self.buffer = self.buffer[size:]
        if not go_on:
            if self.rcpts == 0:
                self.reply("503 5.5.1 RCPT first")
            return
        self.chunks = (self.chunks or b"") + chunk
        if not is_last:
            self.reply("250 2.0.0 %d bytes" % size)
            return
        if re.search(rb"\r(?!\n)|(?<!\r)\n", self.chunks):
            self.primary.broken(self.number, "bare CR or LF in a chunk")
        self.end(self.chunks)

    def end(self, content):
        envelope, self.envelope = self.envelope, None
        self.primary.log(self.number, b"C", b"[%d bytes]" % len(content))
        if self.primary.is_lmtp:
            self.end_each(envelope, content)
            return

        def store():
            return self.primary.store(envelope, content)

        if self.act("dot", None, store):
            self.reply("250 2.0.0 stored as %d" % store())

    def end_each(self, envelope, content):
        taken = envelope[:2]
        try:
            for line in envelope[2:]:
                def store(line=line):
                    taken.append(line)

                if self.act("dot", self.address(line), store):
                    store()
                    self.reply("250 2.0.0 stored for " + self.address(line))
        finally:
            if len(taken) > 2:
                self.primary.store(taken, content)

    def on_rset(self, _line):
        self.envelope = None
        if self.act("rset", None, None):
            self.reply("250 2.0.0 OK")

    def offers(self, keyword):
        return any(k.split()[0] == keyword for k in self.primary.keywords)

    def on_xclient(self, line):
        if not self.offers("XCLIENT"):
            self.on_unknown(line)
        elif self.act("xclient", None, None):
            self.envelope = None
            self.reply("220 primary.test ESMTP")

    def on_xforward(self, line):
        if not self.offers("XFORWARD"):
            self.on_unknown(line)
        elif self.act("xforward", None, None):
            self.reply("250 2.0.0 OK")

    def on_etrn(self, _line):
        if self.act("etrn", None, None):
            self.reply("250 2.0.0 OK")

    def on_noop(self, _line):
        self.reply("250 2.0.0 OK")

    def on_quit(self, _line):
        if self.act("quit", None, None):
            self.reply("221 2.0.0 bye")
            raise Over


def run(primary, sock):
    """One session in its thread, however it ends."""
    session = Session(primary, sock)
    try:
        session.serve()
    except (Over, OSError):
        pass
    primary.log(session.number, b"-", b"closed")
    session.sock.close()


def watch_stdin():
    """Whoever started us has gone when the pipe ends."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return
    while os.read(0, 4096):
        pass
    os._exit(0)


def bind(listener, name):
    """While we were away somebody's own connection may have got the port."""
    for _ in range(100):
        try:
            listener.bind(name)
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        threading.Event().wait(0.1)
    sys.exit("primary.py: the port is taken")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-p", "--port", type=int, default=0)
    parser.add_argument("-a", "--address", default="127.0.0.1")
    parser.add_argument("-e", "--keyword", action="append", default=[],
                        help="offer these instead of the usual ones")
    parser.add_argument("-x", "--extra", action="append", default=[],
                        help="offer these too")
    parser.add_argument("-s", "--secured", action="append", default=[],
                        help="offer these inside TLS")
    parser.add_argument("--client-ca")
    parser.add_argument("--lmtp", action="store_true")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("directory")
    parser.add_argument("row", nargs="*")
    options = parser.parse_intermixed_args()
    os.makedirs(options.directory, exist_ok=True)
    primary = Primary(options)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    name = (options.address, options.port)
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    if options.address.startswith("/"):
        family, name = socket.AF_UNIX, options.address
        if os.path.exists(name):
            os.unlink(name)
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bind(listener, name)
    listener.listen(128)
    print(0 if family == socket.AF_UNIX else listener.getsockname()[1],
          flush=True)
    threading.Thread(target=watch_stdin, daemon=True).start()
    while True:
        sock, _ = listener.accept()
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=run, args=(primary, sock),
                         daemon=True).start()


if __name__ == "__main__":
    main()
