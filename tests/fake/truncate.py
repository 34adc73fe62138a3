#!/usr/bin/env python3
"""A client whose TLS ends at the wrong moment.

truncate.py VERSION SPOOL PROGRAM [ARGUMENT...]

For each point of a session and each way to end TLS there, the program gets a
TCP connection as its standard input and output. The client goes on in the
clear, with just what would complete the message. One line for each session:

    POINT WAY status=N queued=N said=TEXT clear=TEXT

said is what came under TLS after the end, clear what came as no record of TLS;
"-" is nothing. The way "whole" sends the same bytes under TLS: they do queue.
"""
import os
import socket
import ssl
import struct
import subprocess
import sys

MAIL = "MAIL FROM:<a@s.example>\r\n"
RCPT = "RCPT TO:<1@example.com>\r\n"
TEXT = "Subject: x\r\n\r\n"
QUIT = "QUIT\r\n"
DATA = "DATA\r\n" + TEXT + ".\r\n" + QUIT
LAST = "BDAT 5 LAST\r\nend\r\n"

# what is said, with a reply to each; what is sent next, without; what is
# missing to a message
POINTS = {
    "handshake": ([], "", "EHLO c\r\n" + MAIL + RCPT + DATA),
    "mail": (["EHLO c\r\n", MAIL], "", RCPT + DATA),
    "rcpt": (["EHLO c\r\n", MAIL, RCPT], "", DATA),
    "line": (["EHLO c\r\n", MAIL, RCPT, "DATA\r\n"], TEXT + "ha",
             "lf\r\n.\r\n" + QUIT),
    "dot": (["EHLO c\r\n", MAIL, RCPT, "DATA\r\n"], TEXT, ".\r\n" + QUIT),
    "chunk": (["EHLO c\r\n", MAIL, RCPT], "BDAT 14\r\nSubject",
              ": x\r\n\r\n" + LAST + QUIT),
    "chunks": (["EHLO c\r\n", MAIL, RCPT, "BDAT 14\r\n" + TEXT], "",
               LAST + QUIT),
    "last": (["EHLO c\r\n", MAIL, RCPT, "BDAT 14\r\n" + TEXT],
             "BDAT 5 LAST\r\ne", "nd\r\n" + QUIT),
}
SECONDS = 20


class Session:
    def __init__(self, argv, version):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.raw = socket.create_connection(
                listener.getsockname(), SECONDS)
            theirs, _ = listener.accept()
        with theirs:
            self.server = subprocess.Popen(
                argv, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = None
        self.version = version

    def read_clear(self, want):
        got = b""
        while not got.endswith(b"\r\n") or want not in got:
            more = self.raw.recv(1)
            if not more:
                raise EOFError(got)
            got += more
            last = got.splitlines()[-1]
            if got.endswith(b"\r\n") and last[3:4] == b" " and \
                    want not in got:
                raise EOFError(got)

    def start(self):
        self.read_clear(b"220 ")
        self.raw.sendall(b"EHLO before\r\n")
        self.read_clear(b"\r\n250 ")
        self.raw.sendall(b"STARTTLS\r\n")
        self.read_clear(b"220 ")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = self.version
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.under_tls(self.tls.do_handshake)

    def flush(self):
        self.raw.sendall(self.outgoing.read())

    def under_tls(self, step):
        """The step, with as much from the server as it takes."""
        while True:
            try:
                result = step()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                more = self.raw.recv(65536)
                if not more:
                    raise EOFError(b"") from None
                self.incoming.write(more)

    def record(self, text):
        """The text as bytes of TLS, not sent yet."""
        self.tls.write(text.encode())
        return self.outgoing.read()

    def say(self, text):
        self.raw.sendall(self.record(text))
        reply = b""
        while not reply.endswith(b"\r\n") or \
                reply.splitlines()[-1][3:4] == b"-":
            more = self.under_tls(lambda: self.tls.read(65536))
            if not more:
                raise EOFError(reply)
            reply += more
        return reply

    def rest(self):
        """Until the server closes: what it said under TLS, and in the clear."""
        received = b""
        try:
            while more := self.raw.recv(65536):
                received += more
        except ConnectionResetError:
            pass  # it closed before it had read all that we sent
        clear = b""
        while received:
            kind, major, length = struct.unpack_from(
                "!BBxH", received.ljust(5, b"\0"))
            if kind not in (20, 21, 22, 23) or major != 3:
                clear = received
                break
            self.incoming.write(received[:5 + length])
            received = received[5 + length:]
        said = b""
        try:
            while more := self.tls.read(65536):
                said += more
        except ssl.SSLError:
            pass  # no more records, or the alert that ends them
        return said, clear


def close_notify(s, missing):
    try:
        s.tls.unwrap()
    except ssl.SSLWantReadError:
        pass  # ours is written, theirs may come later
    s.raw.sendall(s.outgoing.read() + missing.encode())


def fin(s, _missing):
    s.raw.shutdown(socket.SHUT_WR)


def reset(s, _missing):
    s.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
    s.raw.close()


def broken(s, missing):
    record = bytearray(s.record(missing))
    record[-1] ^= 1
    s.raw.sendall(bytes(record) + missing.encode())


def plain(s, missing):
    s.raw.sendall(missing.encode())


def whole(s, missing):
    s.raw.sendall(s.record(missing))


WAYS = {"close_notify": close_notify, "fin": fin, "reset": reset,
        "broken": broken, "plain": plain, "whole": whole}


def queued(spool):
    return sum(len(files) for path, _, files in os.walk(spool)
               if os.path.basename(path) == "new")


def shown(text):
    return text.decode("ascii", "backslashreplace").encode(
        "unicode_escape").decode().replace(" ", "_") or "-"


def run(point, way, version, spool, argv):
    said, pending, missing = POINTS[point]
    before = queued(spool)
    s = Session(argv, version)
    try:
        s.start()
        for text in said:
            s.say(text)
        if pending:
            s.raw.sendall(s.record(pending))
        WAYS[way](s, missing)
        rest = s.rest() if way != "reset" else (b"", b"")
        s.raw.close()
        status = s.server.wait(SECONDS)
    finally:
        s.raw.close()
        s.server.kill()
        s.server.wait()
    print(point, way, f"status={status}", f"queued={queued(spool) - before}",
          f"said={shown(rest[0])}", f"clear={shown(rest[1])}", flush=True)


def main():
    version = ssl.TLSVersion[sys.argv[1]]
    for way in WAYS:
        for point in POINTS:
            run(point, way, version, sys.argv[2], sys.argv[3:])


if __name__ == "__main__":
    main()
