#!/usr/bin/env python3
"""dialogues.py SPOOL PORT PORT FIRST LAST

Random dialogues with bmx-receive, numbers FIRST to LAST, each three times: one
command at a time, in groups, and in groups that are cut anywhere. It relays
live to primaries on the two ports, for example.com and example.net, and spools
for example.org. What the primaries do is in the words of the dialogue, so

  - each command has the same reply in all three;
  - what was told 250 is at a primary or in the spool, once, whole, for each of
    its recipients and nobody else; what was refused is nowhere;
  - the primaries were sent nothing out of order.

Prints a line for each fault.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading

# What a name begins with says what the primary does to it.
REPLIES = {
    "bad": "550 5.7.1 no", "no": "550 5.1.1 nobody", "grey": "450 4.2.0 later",
    "own": "451 4.3.0 trouble", "gone": "421 4.3.2 going", "dies": None,
}
CONTENT = {
    "spam": "554 5.7.1 spam", "wait": "451 4.7.1 later",
    "own": "451 4.3.0 trouble", "gone": "421 4.3.2 going", "dies": None,
}
FAILURES = ("own", "gone", "dies", "lost")


def word_of(text):
    return re.match("[a-z]*", text).group(0)


class Over(Exception):
    """The session is over."""


class Primary:
    """A server; its sessions share what it stores."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.listen, daemon=True).start()

    def begin(self, keywords):
        self.keywords = ["primary.test", *keywords]
        self.stored = []            # (recipients, content)
        self.broken = []

    def listen(self):
        while True:
            sock = self.listener.accept()[0]
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Session, args=(self, sock),
                             daemon=True).start()


class Session:
    """One connection to a primary."""

    def __init__(self, primary, sock):
        self.primary, self.sock = primary, sock
        self.file = sock.makefile("rb")
        self.sender, self.rcpts = None, []
        try:
            self.say("220 primary.test")
            while True:
                self.obey(self.line().decode())
        except (Over, OSError):
            pass
        self.file.close()
        sock.close()

    def say(self, line):
        """None: leave without a word."""
        if line is None:
            raise Over
        self.sock.sendall(line.encode() + b"\r\n")
        if line.startswith("421"):
            raise Over

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise Over
        if not line.endswith(b"\r\n"):
            self.primary.broken.append("bare LF")
        return line.rstrip(b"\r\n")

    def obey(self, line):
        verb = line.split(" ")[0]
        name = re.search("<([^>]*)>", line)
        if verb in ("MAIL", "RCPT", "DATA"):
            getattr(self, verb.lower())(name.group(1) if name else "")
            return
        self.sender = None
        if verb == "EHLO":
            for i, keyword in enumerate(self.primary.keywords):
                is_last = i + 1 == len(self.primary.keywords)
                self.say("250%s%s" % (" " if is_last else "-", keyword))
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            raise Over
        elif verb == "XFORWARD":
            self.say("550 5.7.0 not for you")
        elif verb == "RSET":
            self.say("250 2.0.0 OK")
        else:
            self.primary.broken.append(line)
            self.say("500 5.5.1 what?")

    def mail(self, sender):
        if self.sender is not None:
            self.primary.broken.append("MAIL in a transaction")
        if word_of(sender) not in REPLIES:
            self.sender, self.rcpts = sender, []
        self.say(REPLIES.get(word_of(sender), "250 2.1.0 OK"))

    def rcpt(self, rcpt):
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
            return
        if word_of(rcpt) not in REPLIES:
            self.rcpts.append(rcpt)
        self.say(REPLIES.get(word_of(rcpt), "250 2.1.5 OK"))

    def data(self, _):
        sender, self.sender = self.sender, None
        if sender is None:
            self.say("503 5.5.1 MAIL first")
        elif not self.rcpts and not sender.startswith("eager"):
            self.sender = sender
            self.say("554 5.5.1 no valid recipients")
        elif sender.startswith("data"):
            self.say(REPLIES[word_of(sender[4:])])
        else:
            self.say("354 go on")
            self.take(self.content())
            if sender.startswith("leaves"):
                raise Over

    def content(self):
        lines = []
        while not lines or lines[-1] != b".":
            lines.append(self.line())
        return b"".join((line[1:] if line[:1] == b"." else line) + b"\r\n"
                        for line in lines[:-1])

    def take(self, content):
        fate = re.search(rb"Fate: (\w+)", content).group(1).decode()
        if fate not in CONTENT and self.rcpts:
            self.primary.stored.append((self.rcpts, content))
        if fate == "lost":
            raise Over
        self.say(CONTENT.get(fate, "250 2.0.0 stored"))


class Dialogue:
    """Commands, as (line, content or None)."""

    def __init__(self, number):
        self.random = random.Random(number)
        self.number = number
        self.names = 0
        self.is_calm = self.random.random() < 0.7
        self.is_single = self.random.random() < 0.4
        self.commands = [("EHLO c", None)]
        for _ in range(self.random.randint(1, 5)):
            self.transaction()
        self.commands.append(("QUIT", None))

    def choose(self, *words):
        """The first is likely; primaries fail in some dialogues alone."""
        others = [w for w in words[1:]
                  if not self.is_calm or not w.endswith(FAILURES)]
        return self.random.choice([words[0]] * 2 * len(words) + others)

    def name(self, *words):
        self.names += 1
        return "%s%d" % (self.choose(*words), self.names)

    def add(self, line, content=None):
        self.commands.append((line, content))

    def rcpt(self):
        domains = ["example.com"] * 8
        if not self.is_single:
            domains += ["example.net"] * 2 + ["example.org"] * 2
        self.add("RCPT TO:<%s@%s>" % (
            self.name("a", "no", "no", "no", "grey", "own", "gone", "dies"),
            self.random.choice(domains + ["nowhere.example"])))

    def transaction(self):
        self.add("MAIL FROM:<%s@s.example>" % self.name(
            "a", "bad", "grey", "databad", "datagrey", "eager", "eager",
            "leaves", "own", "gone", "dies", "dataown", "datadies"))
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 2, 3, 4, 6])):
            self.rcpt()
            if self.random.random() < 0.08:
                self.add(self.random.choice(
                    ["NOOP", "HELP", "VRFY x", "FOO", "RCPT TO:<>"]))
        end = self.random.random()
        if end < 0.15:
            self.add("RSET" if end < 0.1 else "EHLO d")
        elif end < 0.6:
            self.add("DATA", self.content())
            if self.random.random() < 0.15: # perhaps that was in vain
                self.rcpt()
                self.add("DATA", self.content())
        else:
            self.chunks(self.content())

    def content(self):
        text = "Subject: %s\r\nFate: %s\r\n\r\n" % (
            self.name("token"),
            self.choose("good", "spam", "wait", "own", "gone", "dies", "lost"))
        if self.random.random() < 0.2:
            text += ".dot\r\n"
        if self.random.random() < 0.05:
            text += ("z" * 900 + "\r\n") * 100
        return text

    def chunks(self, text):
        while text and self.random.random() < 0.5:
            size = self.random.randint(0, min(len(text), 60))
            self.add("BDAT %d" % size, text[:size])
            text = text[size:]
            if self.random.random() < 0.05:
                self.add("NOOP")
        if self.random.random() < 0.9:
            self.add("BDAT %d LAST" % len(text), text)
        else:
            self.add("RSET")


class Client:
    """A dialogue with bmx-receive; replies has those to its commands."""

    def __init__(self, commands, way, dice):
        ours, theirs = socket.socketpair()
        bmx = subprocess.Popen(["bmx-receive"], stdin=theirs, stdout=theirs)
        theirs.close()
        ours.settimeout(60)
        self.sock, self.file = ours, ours.makefile("rb")
        self.replies = []
        try:
            self.hear()
            while len(self.replies) < len(commands):
                self.group(commands[len(self.replies):], way, dice)
        except (Over, OSError):
            pass
        self.file.close()
        ours.close()
        bmx.wait(60)

    def hear(self):
        while True:
            line = self.file.readline().decode()
            if not line:
                raise Over
            if line[3] != "-":
                return re.match(r"\d{3}( \d\.\d+\.\d+)?", line).group(0)

    def group(self, commands, way, dice):
        """Up to DATA, whose content waits for the 354, or another that ends a
        group (RFC 2920 3.1)."""
        size = 1 if way == "one" else dice.randint(1, 12)
        for i, (line, _) in enumerate(commands[:size]):
            if line.split(" ")[0] in ("DATA", "EHLO", "QUIT"):
                size = i + 1
                break
        text = b""
        for line, content in commands[:size]:
            text += line.encode() + b"\r\n"
            if line.startswith("BDAT"):
                text += content.encode()
        cut = dice.randrange(len(text)) if way == "cut" else 0
        self.sock.sendall(text[:cut])
        self.sock.sendall(text[cut:])
        for line, content in commands[:size]:
            reply = self.hear()
            if reply == "354":
                stuffed = re.sub(r"(?m)^\.", "..", content)
                self.sock.sendall(stuffed.encode() + b".\r\n")
                reply += "/" + self.hear()
            self.replies.append(reply)


class Judge:
    """Where the messages have to be, by the replies, and where they are."""

    def __init__(self, spool, primaries):
        self.found = [place for p in primaries for place in p.stored]
        self.faults = [fault for p in primaries for fault in p.broken]
        for directory, _, names in os.walk(spool):
            if os.path.basename(directory) in ("new", "cur"):
                for name in names:
                    self.read(os.path.join(directory, name))
            elif os.path.basename(directory) == "tmp" and names:
                self.faults.append("left in tmp")

    def read(self, path):
        with open(path, "rb") as file:
            text = file.read()
        self.found.append(([to.decode() for to in re.findall(
            rb"(?m)^Bmx-To: \S+ <([^>]*)>", text)], text))

    def look(self, content, rcpts, is_taken):
        token = re.search(r"Subject: \w+\r\n", content)
        if token is None:           # cut before it
            return
        token = token.group(0).encode()
        is_lost = "Fate: lost" in content
        places = [p for p in self.found if token in p[1]]
        holders = [to for p in places for to in p[0]]
        if any(not p[1].endswith(content.encode()) for p in places):
            self.faults.append("%r is damaged" % token)
        if is_taken and is_lost:    # it may be there twice
            holders = list(set(holders))
        if not is_taken and is_lost:
            return
        if sorted(holders) != sorted(rcpts if is_taken else []):
            self.faults.append("%r for %s is at %s" % (
                token, rcpts if is_taken else "nobody", holders))

    def run(self, commands, replies):
        rcpts, chunks = [], ""
        for (line, content), reply in zip(commands, replies):
            verb, code = line.split(" ")[0], reply.split("/")[-1]
            if verb == "RCPT" and code[0] == "2":
                rcpts.append(re.search("<(.*)>", line).group(1))
            elif verb == "BDAT" and code != "503 5.5.1":
                chunks += content
            is_end = verb == "DATA" or line.endswith(" LAST")
            if is_end:
                self.look(chunks or content, rcpts, code[0] == "2")
            if verb in ("RSET", "EHLO", "MAIL") and code[0] == "2" or \
                    is_end and not code.startswith("503"):
                rcpts, chunks = [], ""
        return self.faults


def keywords_of(number):
    """Of both primaries."""
    usual = ["8BITMIME", "ENHANCEDSTATUSCODES"]
    if number % 4 != 3:
        usual.append("PIPELINING")
    limits = ["LIMITS RCPTMAX=2"] if number % 5 == 0 else \
        ["LIMITS MAILMAX=1"] if number % 7 == 0 else []
    return usual + limits, usual + ["XFORWARD NAME ADDR HELO"]


def play(number, spool, primaries):
    commands = Dialogue(number).commands
    seen = {}
    for way in ("one", "groups", "cut"):
        for name in os.listdir(spool):
            shutil.rmtree(os.path.join(spool, name))
        for primary, keywords in zip(primaries, keywords_of(number)):
            primary.begin(keywords)
        seen[way] = Client(commands, way, random.Random(number)).replies
        for fault in Judge(spool, primaries).run(commands, seen[way]):
            print("%d, %s: %s" % (number, way, fault))
    for i, (line, _) in enumerate(commands):
        replies = {way: said[i] if i < len(said) else "-"
                   for way, said in seen.items()}
        if len(set(replies.values())) > 1:
            print("%d: %s: %s" % (number, line, replies))


def main():
    spool = sys.argv[1]
    ports = [int(arg) for arg in sys.argv[2:4]]
    primaries = [Primary(port) for port in ports]
    for number in range(int(sys.argv[4]), int(sys.argv[5]) + 1):
        play(number, spool, primaries)


if __name__ == "__main__":
    main()
