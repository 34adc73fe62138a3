#!/usr/bin/env python3
"""The matrix of admission: what bmx-receive does with a message, by the
primary's state, what is known of the recipient, the mode of admission, and
where in the session the primary is stopped, frozen or restarted.

    matrix.py DIR CONFIG... < phases

Each CONFIG is a directory of DIR, named ADMIT-UNKNOWN, with bmx.conf for
example.com, the same with short timeouts as freeze.conf, log, spool and state; DIR/memory is a state
directory in which known@ is good and bad@ is not. DIR/fault COMMAND stops,
freezes, thaws or restarts the primary. It takes mail for known@ and new@, and
stores it in DIR/mail.

A phase is a line "STATE FAULT POINT": in each, a session for each CONFIG and
recipient is held at the point, all at once; then comes the fault, and they go
on. Prints "ok NAME" or "not ok NAME: why" for each cell, and at the end for
what must hold for all messages.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
import threading

RECIPIENTS = ["known", "bad", "new", "nobody"]
EXISTS = {"known", "new"}
AWAIT = os.environ["top_builddir"] + "/tests/lib/await"


class Cell:
    """One message through one bmx-receive."""

    def __init__(self, matrix, config, rcpt, phase, number):
        self.matrix, self.config, self.rcpt = matrix, config, rcpt
        self.phase = phase
        self.admit, self.unknown = config.split("-")
        self.token = "cell-%d-x" % number
        self.replies = []

    def name(self):
        state, fault, point = self.phase
        return "%s, %s at %s, %s: %s" % (state, fault, point, self.config,
                                         self.rcpt)

    # ---- the session ----

    def say(self, text):
        self.bmx.stdin.write(text)
        self.bmx.stdin.flush()

    def hear(self):
        while True:
            line = self.bmx.stdout.readline().decode("ascii")
            if line[3:4] != "-":
                return line[:3]

    def at(self, point):
        """All sessions that come to the point wait there for the fault; those
        that were turned away before it do not count any more."""
        if point == self.phase[2] and not self.has_waited:
            self.has_waited = True
            self.matrix.reached.release()
            self.matrix.go.wait()

    def run(self):
        self.has_waited = False
        conf = "freeze.conf" if self.phase[1] == "freeze" else "bmx.conf"
        self.bmx = subprocess.Popen(
            ["bmx-receive", "-c", self.matrix.path(self.config, conf)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.hear()
            self.say(b"EHLO client.example\r\n")
            self.hear()
            self.at("start")
            self.say(b"MAIL FROM:<a@sender.example>\r\n")
            self.hear()
            self.say(b"RCPT TO:<%s@example.com>\r\n" %
                     self.rcpt.encode("ascii"))
            self.replies.append(self.hear())
            if self.replies[0] == "250":
                self.send_content()
            self.at(self.phase[2])
            self.say(b"QUIT\r\n")
        except BrokenPipeError:
            self.replies.append("gone")
        self.bmx.stdin.close()
        self.bmx.stdout.read()
        self.bmx.wait()

    def send_content(self):
        self.at("rcpt")
        self.say(b"DATA\r\n")
        self.hear()
        self.at("data")
        self.say(b"Subject: %s\r\n\r\n" % self.token.encode("ascii"))
        for _ in range(200):
            self.say(b"y" * 900 + b"\r\n")
        self.at("content")
        self.say(b".\r\n")
        self.replies.append(self.hear())

    # ---- what has to come of it ----

    def knowledge(self):
        """The replies when the primary has no say."""
        if self.rcpt == "bad":
            return ["550"]
        if self.rcpt == "known" or self.admit == "spool" or \
                self.unknown in ("limited", "accept"):
            return ["250", "250"]
        return ["451"]

    def expected(self):
        """The replies, and where the message may be."""
        state, fault, point = self.phase
        nowhere, spool, primary = {(0, 0, False)}, {(0, 1, False)}, \
            {(1, 0, False)}
        is_away = state in ("down", "deferring") or \
            (point == "start" and fault in ("stop", "freeze"))
        if self.admit == "defer" and state == "up":
            return ["451"], nowhere
        if self.admit != "through" or is_away:
            replies = self.knowledge()
            return replies, spool if len(replies) == 2 else nowhere
        if self.rcpt not in EXISTS:
            return ["550"], nowhere
        if fault == "none" or point == "start":
            return ["250", "250"], primary
        if point in ("data", "content"):
            # the bytes, with the dot, are in the kernel: nobody can tell
            spool |= {(0, 1, True)}
            if fault == "freeze":
                spool |= {(1, 1, True)}
        return ["250", "250"], spool

    def place(self):
        """At the primary, in the spool, and logged as not known."""
        spooled = self.matrix.spooled(self.config).get(self.token, [])
        unknown = any("id=%s " % name.split(",")[0] in line
                      for name in spooled
                      for line in self.matrix.unknown_lines(self.config))
        return (self.matrix.stored().get(self.token, 0), len(spooled), unknown)

    def judge(self):
        replies, places = self.expected()
        place = self.place()
        if self.replies != replies:
            return "replies %s, not %s" % (self.replies, replies)
        if place not in places:
            return "it is at %s, not %s" % (place, sorted(places))
        return None


class Matrix:
    """All phases, one after the other."""

    def __init__(self, directory, configs):
        self.directory, self.configs = directory, configs
        self.number = 0
        self.cells = []
        self.reached = self.go = None

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def fault(self, command):
        subprocess.run(["sh", self.path("fault"), command], check=True)

    # ---- where messages are ----

    @staticmethod
    def tokens(directory):
        found = []
        for name in os.listdir(directory):
            if name.endswith((".part", ".env")):
                continue
            with open(os.path.join(directory, name), "rb") as file:
                match = re.search(rb"^Subject: (cell-\d+-x)", file.read(4096),
                                  re.M)
            if match:
                found.append((match.group(1).decode("ascii"), name))
        return found

    def stored(self):
        count = {}
        for token, _ in self.tokens(self.path("mail")):
            count[token] = count.get(token, 0) + 1
        return count

    def spooled(self, config):
        names = {}
        for part in ("new", "cur"):
            directory = self.path(config, "spool", "example.com", part)
            for token, name in self.tokens(directory):
                names.setdefault(token, []).append(name)
        return names

    def unknown_lines(self, config):
        with open(self.path(config, "log"), encoding="ascii") as file:
            return [line for line in file if " state=unknown" in line]

    # ---- a phase ----

    def prepare(self, config, state):
        """Only the primary's state and the memory; the spool stays."""
        domain = self.path(config, "spool", "example.com")
        for part in ("tmp", "new", "cur", "log"):
            os.makedirs(os.path.join(domain, part), mode=0o700, exist_ok=True)
        shutil.rmtree(self.path(config, "state"), ignore_errors=True)
        shutil.copytree(self.path("memory"), self.path(config, "state"))
        file_name = os.path.join(domain, "primary")
        if state == "unknown":
            if os.path.exists(file_name):
                os.unlink(file_name)
            return
        now = datetime.datetime.now(datetime.timezone.utc)
        text = "verdict {0}\nsince {1}\nprobed {1}\ngood {1}\nlast {0}\n" \
            "run 9\nplain SIZE\nplain 8BITMIME\nplain PIPELINING\n"
        with open(file_name, "w", encoding="ascii") as file:
            file.write(text.format(state, now.strftime("%Y-%m-%dT%H:%M:%SZ")))

    def settle(self, cells):
        """The primary stores what it took."""
        due = {c.token for c in cells
               if c.expected()[1] == {(1, 0, False)}}
        self.wait_for(due)

    def wait_for(self, due):
        for token in sorted(due - set(self.stored())):
            if subprocess.run(
                    [AWAIT, "true", "30", "grep", "-rqsaE", "-e",
                     "^Subject: " + token, "--exclude=*.part",
                     "--exclude=*.env", self.path("mail")]).returncode:
                break

    def play(self, phase):
        state, fault, point = phase
        cells = []
        for config in self.configs:
            self.prepare(config, state)
            for rcpt in RECIPIENTS:
                self.number += 1
                cells.append(Cell(self, config, rcpt, phase, self.number))
        self.reached, self.go = threading.Semaphore(0), threading.Event()
        if state == "down":
            self.fault("stop")
        threads = [threading.Thread(target=c.run) for c in cells]
        for thread in threads:
            thread.start()
        for _ in cells:
            self.reached.acquire()
        if fault != "none":
            self.fault(fault)
        self.go.set()
        for thread in threads:
            thread.join()
        if fault == "freeze":
            self.fault("thaw")
        elif fault == "stop" or state == "down":
            self.fault("restart")
        self.settle(cells)
        self.cells += cells
        for cell in cells:
            wrong = cell.judge()
            print("ok " + cell.name() if wrong is None else
                  "not ok %s: %s" % (cell.name(), wrong), flush=True)

    # ---- in the end ----

    def flush(self):
        """Hand over what is spooled. What the primary refuses is held."""
        runs = [subprocess.Popen(["bmx-flush", "-c", self.path(c, "bmx.conf"),
                                  "--now", "example.com"],
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
                for c in self.configs]
        for run in runs:
            run.wait()
        self.wait_for({c.token for c in self.cells
                       if c.replies[-1] == "250" and c.rcpt in EXISTS})

    def judge_all(self):
        """Nothing is lost, nothing comes twice without a word, nothing that
        was refused is anywhere."""
        self.flush()
        stored = self.stored()
        for what, is_wrong in (
                ("lost", lambda c, n, held: c.replies[-1] == "250" and
                 n + held == 0),
                ("there though it was refused", lambda c, n, held:
                 c.replies[-1] != "250" and n + held > 0),
                ("twice", lambda c, n, held: n + held > 1 and not
                 (c.phase[1] == "freeze" and n == 2 and held == 0)),
                ("not handed over", lambda c, n, held: held > 0 and
                 c.rcpt in EXISTS)):
            wrong = [c.name() for c in self.cells if is_wrong(
                c, stored.get(c.token, 0),
                len(self.spooled(c.config).get(c.token, [])))]
            print("ok no message is " + what if not wrong else
                  "not ok no message is %s: %s" % (what, "; ".join(wrong)))


def main():
    matrix = Matrix(sys.argv[1], sys.argv[2:])
    for line in sys.stdin:
        matrix.play(tuple(line.split()))
    matrix.judge_all()


if __name__ == "__main__":
    main()
