"""Clients of the soak: they send, and write down what was taken."""
import hashlib
import random
import socket
import threading
import time

DOMAINS = ("spool.test", "through.test", "named.test")


class Book:
    """What was acknowledged, of all clients."""

    def __init__(self):
        self.lock = threading.Lock()
        self.taken = {}  # ID: recipients
        self.later = self.broken = 0

    def take(self, ident, recipients):
        with self.lock:
            self.taken[ident] = recipients

    def count(self, later=0, broken=0):
        with self.lock:
            self.later += later
            self.broken += broken


def size_of(chance):
    return 300000 if chance.random() < 0.002 else int(200 * 2 ** (6 * chance.random()))


def message(ident, chance):
    line = b"." + ident.encode() + b" says what it always says\r\n"
    body = line * (size_of(chance) // len(line) + 1)
    digest = hashlib.sha256(body).hexdigest()
    return (f"From: <{ident}@sender.test>\r\nSubject: soak\r\n"
            f"X-Soak-Sum: {digest}\r\n\r\n").encode() + body


def recipients(chance):
    domain = chance.choice(DOMAINS)
    names = [f"r{chance.randrange(1000)}@{domain}"
             for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    if chance.random() < 0.01:
        names.append(f"bad-{chance.randrange(100)}@{domain}")
    return list(dict.fromkeys(names))


class Client(threading.Thread):
    """One session after the other until stop is set, rate messages a second."""

    def __init__(self, number, port, seed, rate, book, stop):
        super().__init__(daemon=True)
        self.number, self.port, self.book, self.stop = number, port, book, stop
        self.chance = random.Random(f"{seed}/{number}")
        self.count, self.gap = 0, 1 / rate
        self.due = time.monotonic()

    def run(self):
        while not self.stop.is_set():
            try:
                self.session()
            except OSError:
                self.book.count(broken=1)
                self.stop.wait(0.05)

    def session(self):
        with socket.create_connection(("127.0.0.1", self.port), 60) as s:
            s.settimeout(60)
            replies = s.makefile("rb")
            self.reply(replies, b"2")
            s.sendall(b"EHLO client.test\r\n")
            self.reply(replies, b"2")
            for _ in range(self.chance.randrange(1, 60)):
                if self.stop.is_set():
                    break
                self.pause()
                self.transaction(s, replies)
            s.sendall(b"QUIT\r\n")

    def pause(self):
        self.due = max(self.due + self.gap, time.monotonic() - 5)
        self.stop.wait(max(0, self.due - time.monotonic()))

    def reply(self, replies, wanted=b"24"):
        while True:
            line = replies.readline()
            if not line.endswith(b"\n"):
                raise OSError("the session ended")
            if line[3:4] != b"-":
                break
        if line[:1] not in (wanted[i:i + 1] for i in range(len(wanted))):
            raise OSError(line.decode("latin-1"))
        return line

    def transaction(self, s, replies):
        self.count += 1
        ident = f"soak-{self.number}-{self.count}"
        names = recipients(self.chance)
        content = b"".join(
            b"." + line if line.startswith(b".") else line
            for line in message(ident, self.chance).splitlines(True))
        s.sendall(f"MAIL FROM:<{ident}@sender.test>\r\n".encode() + b"".join(
            f"RCPT TO:<{name}>\r\n".encode() for name in names) + b"DATA\r\n")
        self.reply(replies)
        named = [name for name in names
                 if self.reply(replies, b"245")[:1] == b"2"]
        if self.reply(replies, b"345")[:1] != b"3":
            self.book.count(later=1)
            s.sendall(b"RSET\r\n")
            self.reply(replies)
            return
        if self.chance.random() < 0.003:
            s.sendall(content[:len(content) // 2])
            raise OSError("we leave")
        s.sendall(content + b".\r\n")
        if self.reply(replies, b"245")[:1] == b"2":
            self.book.take(ident, named)
        else:
            self.book.count(later=1)
