#!/usr/bin/env python3
"""crowd.py PORT N MESSAGES [SLOW]

N sessions at once: none sends mail before all have the greeting. Each sends so
many messages to 1@example.com; with SLOW one more session sends its message
one byte a second while the others work. Prints what each was told at the end:
a queue id for each message, or the refusal.
"""
import socket
import sys
import threading

port, n, messages = (int(a) for a in sys.argv[1:4])
slow = len(sys.argv) > 4
barrier = threading.Barrier(n + slow)
lock = threading.Lock()
honest_left = threading.Semaphore(0)
said = []


class Refused(Exception):
    pass


class Client:
    def __init__(self):
        self.s = socket.create_connection(("127.0.0.1", port), 60)
        self.f = self.s.makefile("rb")
        self.expect(b"220")

    def expect(self, code):
        line = self.f.readline()
        while line[3:4] == b"-":
            line = self.f.readline()
        if line[:3] != code:
            raise Refused(line.decode().strip() or "closed")
        return line.decode().split()[-1]

    def begin(self):
        self.s.sendall(b"MAIL FROM:<a@s.example>\r\nRCPT TO:<1@example.com>\r\nDATA\r\n")
        for code in b"250", b"250", b"354":
            self.expect(code)


def hear(text):
    with lock:
        said.append(text)


def session(number):
    try:
        c = Client()
        barrier.wait(60)
        c.s.sendall(b"EHLO c\r\n")
        c.expect(b"250")
        for i in range(messages):
            c.begin()
            c.s.sendall(b"Subject: %d/%d\r\n\r\ntext\r\n.\r\n" % (number, i))
            hear(c.expect(b"250"))
        c.s.sendall(b"QUIT\r\n")
        c.expect(b"221")
    except (Refused, OSError, threading.BrokenBarrierError) as why:
        hear("refused: %s" % why)
    honest_left.release()


def slow_session():
    try:
        c = Client()
        barrier.wait(60)
        c.s.sendall(b"EHLO slow\r\n")
        c.expect(b"250")
        c.begin()
        left = n
        while left > 0:
            c.s.sendall(b"x")
            while left > 0 and honest_left.acquire(timeout=1):
                left -= 1
        c.s.sendall(b"\r\n.\r\n")
        hear(c.expect(b"250"))
    except (Refused, OSError, threading.BrokenBarrierError) as why:
        hear("slow: %s" % why)


threads = [threading.Thread(target=session, args=(i,)) for i in range(n)]
if slow:
    threads.append(threading.Thread(target=slow_session))
for t in threads:
    t.start()
for t in threads:
    t.join()
print("\n".join(sorted(said)))
