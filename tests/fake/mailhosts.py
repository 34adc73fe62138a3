#!/usr/bin/env python3
"""Many mail hosts on loopback, each with its faults, for bmx-mxcheck.

    mailhosts.py PORT LOG <HOSTS

A line of HOSTS is "ADDRESS KEY=VALUE...", values with _ for a blank; a host
without keys is as it should be. It prints "ready" when all listen. LOG gets a
line "ADDRESS connect" for each connection, and what a visitor must never do:
"ADDRESS forbidden DATA", and "ADDRESS overlap", a connection while another of
his is open; and what is no fault, "ADDRESS relay RECIPIENT", of a stranger,
and "ADDRESS hello NAME".

    name=NAME      in greeting and EHLO (mx.test)
    banner=TEXT    instead of 220
    way=WAY        instead of a session: silent, flood, junk, http, hangup, drip
    ehlo=CODE      EHLO is refused so; HELO is taken, or helo=CODE
    ext=A,B        extensions (SIZE 1000,8BITMIME,...)
    extra=A,B      these too
    tls=CERT,KEY   STARTTLS is offered, with these files
    second=CERT,KEY  and these, with a key of another kind
    tlsmax=1.1     the newest version it speaks; tlsmin=1.0 the oldest
    starttls=CODE  it is refused so; starttls=junk says more than that, and
                   behind the client's first bytes babble is no TLS, close
                   ends the session, and mute is silent
    keep=1         what came behind STARTTLS is taken for TLS's
    null, sender, postmaster, bare, abuse, unknown, relay, vrfy, expn=TEXT
                   the reply to that
    hangup=VERB    it hangs up at this command
    2.KEY=VALUE    the same, but for its first connection
"""
import os
import re
import socket
import ssl
import sys
import threading
import warnings

warnings.simplefilter("ignore")
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
USUAL = {"name": "mx.test", "ext": "SIZE_1000000,8BITMIME,PIPELINING",
         "null": "250 2.1.0 OK", "sender": "250 2.1.0 OK",
         "postmaster": "250 2.1.5 OK", "bare": "250 2.1.5 OK",
         "abuse": "250 2.1.5 OK", "unknown": "550 5.1.1 no such user",
         "relay": "550 5.7.1 relaying denied", "vrfy": "252 2.0.0 perhaps",
         "expn": "502 5.5.1 no"}


class Over(Exception):
    """The session is over."""


class Session:
    def __init__(self, host, sock):
        self.host = host
        self.sock = sock
        self.buffer = b""
        self.secured = False

    def send(self, text):
        self.sock.sendall(text.encode("latin-1") + b"\r\n")

    def line(self):
        while b"\n" not in self.buffer:
            got = self.sock.recv(4096)
            if not got:
                raise Over
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.strip().decode("latin-1")

    def misbehave(self, way):
        if way == "silent":
            while self.sock.recv(4096):
                pass
        while way == "flood":
            self.sock.sendall(b"220-and so on\r\n" * 1000)
        while way == "drip":
            self.sock.sendall(b"2")
            threading.Event().wait(0.1)
        if way == "junk":
            self.sock.sendall(os.urandom(5000) + b"\r\n")
        if way == "http":
            self.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raise Over

    def ehlo(self):
        words = self.host["ext"].split(",") + self.host.get("extra", "").split(",")
        if "tls" in self.host and not self.secured:
            words.append("STARTTLS")
        lines = [self.host["name"]] + [w.replace("_", " ") for w in words if w]
        for i, line in enumerate(lines):
            self.send("250" + (" " if i == len(lines) - 1 else "-") + line)

    def starttls(self):
        code = self.host.get("starttls")
        if code in ("close", "mute", "babble"):
            self.send("220 go on")
            got = self.sock.recv(4096)
            if code == "babble":
                self.sock.sendall(b"this is no TLS\r\n" * 10)
            while got and code != "close":
                got = self.sock.recv(4096)
            raise Over
        if code == "junk":
            self.sock.sendall(b"220 go on\r\n" + b"this is no TLS\r\n" * 10)
            raise Over
        if code:
            self.send(code + " 4.7.0 TLS not available")
            return
        self.send("220 2.0.0 go on")
        if "keep" not in self.host:
            self.buffer = b""
        self.sock = self.host["context"].wrap_socket(self.sock, server_side=True)
        self.secured = True

    def rcpt(self, address):
        local = address.partition("@")[0].lower()
        if "@" not in address:
            key = "bare"
        elif local.startswith("no-such-user"):
            key = "unknown"
        else:
            key = local if local in ("postmaster", "abuse") else "relay"
        if key == "relay":
            self.host["log"]("relay " + address)
        self.send(self.host[key])

    def command(self, line):
        verb = line.split(" ")[0].split(":")[0].upper()
        if self.host.get("hangup") == verb:
            raise Over
        if verb == "EHLO":
            self.host["log"]("hello" + line[4:])
        if verb == "EHLO" and "ehlo" in self.host:
            self.send(self.host["ehlo"] + " 5.5.1 what?")
        elif verb == "EHLO":
            self.ehlo()
        elif verb == "HELO":
            self.send(self.host.get("helo", "250") + " " + self.host["name"])
        elif verb == "STARTTLS":
            self.starttls()
        elif verb == "MAIL":
            self.send(self.host["null" if "<>" in line else "sender"])
        elif verb == "RCPT":
            self.rcpt(re.search("<(.*)>", line).group(1))
        elif verb in ("VRFY", "EXPN"):
            self.send(self.host[verb.lower()])
        elif verb in ("RSET", "NOOP"):
            self.send("250 2.0.0 OK")
        elif verb == "QUIT":
            self.send("221 2.0.0 bye")
            raise Over
        else:
            self.host["log"]("forbidden " + verb)
            self.send("502 5.5.1 no")

    def serve(self):
        try:
            if "way" in self.host:
                self.misbehave(self.host["way"])
            self.send(self.host.get("banner", "220 %s ESMTP" % self.host["name"]))
            while True:
                self.command(self.line())
        except (Over, OSError):
            self.sock.close()


def context(host):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version = VERSIONS[host.get("tlsmin", "1.2")]
    made.maximum_version = VERSIONS[host.get("tlsmax", "1.3")]
    for pair in "tls", "second":
        if pair in host:
            made.load_cert_chain(*host[pair].split(","))
    return made


def is_open(session):
    """The visitor has not closed it yet (tcpi_state, ESTABLISHED)."""
    try:
        return session.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1
    except OSError:
        return False


def accept(host, listener):
    sessions = []
    again = dict(host, **{k[2:]: v for k, v in host.items() if k.startswith("2.")})
    while True:
        sock, _ = listener.accept()
        host["log"]("connect")
        sessions = [s for s in sessions if is_open(s)]
        if sessions:
            host["log"]("overlap")
        sessions.append(Session(host, sock))
        host = again
        threading.Thread(target=sessions[-1].serve, daemon=True).start()


def listen(address, words, port, log):
    host = dict(USUAL)
    for word in words:
        key, _, value = word.partition("=")
        host[key] = value if key in ("tls", "second", "ext", "extra") else value.replace("_", " ")
    host["log"] = lambda what: log.write(("%s %s\n" % (address, what)).encode())
    if "tls" in host:
        host["context"] = context(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(64)
    threading.Thread(target=accept, args=(host, listener), daemon=True).start()


def main():
    port = int(sys.argv[1])
    log = open(sys.argv[2], "ab", buffering=0)
    for line in sys.stdin:
        words = line.split()
        if words:
            listen(words[0], words[1:], port, log)
    print("ready", flush=True)
    threading.Event().wait()


main()
