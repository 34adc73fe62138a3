#!/usr/bin/env python3
"""A primary for the soak: primary.py PORT LOG SEED

It writes down what it takes before it says so, one write(2) for a message:
"D ID RECIPIENT..." delivered, "R ID RECIPIENT" refused for good, "C ID" a
message that is not what its X-Soak-Sum says. ID is the local part of the sender.
A few transactions in a hundred are refused for now, at RCPT or behind the
content, or the connection breaks before or after a message was taken.
"""
import asyncio
import hashlib
import os
import random
import sys

OFFER = b"250-primary.soak.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n" \
    b"250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 SIZE 20000000\r\n"


def path(argument):
    return argument[argument.index(b"<") + 1:argument.index(b">")]


class Session:
    def __init__(self, reader, writer, log, chance):
        self.reader, self.writer = reader, writer
        self.log, self.chance = log, chance
        self.sender, self.recipients = b"", []

    def note(self, *words):
        os.write(self.log, b" ".join(words) + b"\n")

    def ident(self):
        return self.sender.split(b"@")[0] or b"-"

    def recipient(self, address):
        if address.startswith(b"bad-"):
            self.note(b"R", self.ident(), address)
            return b"550 5.1.1 nobody of that name\r\n"
        if self.chance.random() < 0.02:
            return b"450 4.2.1 come again\r\n"
        self.recipients.append(address)
        return b"250 2.1.5 ok\r\n"

    async def content(self):
        lines = []
        while True:
            line = await self.reader.readline()
            if not line.endswith(b"\r\n"):
                raise ConnectionError
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    def is_whole(self, message):
        at = message.find(b"X-Soak-Sum: ")
        if at == -1:
            return self.sender == b""  # a notice
        end = message.index(b"\r\n", at)
        body = message[message.index(b"\r\n\r\n", at) + 4:]
        return hashlib.sha256(body).hexdigest().encode() == message[at + 12:end]

    async def data(self):
        if not self.recipients:
            return b"554 5.5.1 no valid recipients\r\n"
        self.writer.write(b"354 go\r\n")
        message = await self.content()
        luck = self.chance.random()
        if luck < 0.01:
            raise ConnectionError  # not taken
        if luck < 0.02:
            return b"451 4.3.0 come again\r\n"
        if not self.is_whole(message):
            self.note(b"C", self.ident())
        self.note(b"D", self.ident(), *self.recipients)
        if luck < 0.025:
            raise ConnectionError  # taken, and nobody knows
        return b"250 2.0.0 taken\r\n"

    async def answer(self, line):
        verb = line[:4].upper()
        if verb in (b"EHLO", b"HELO"):
            return OFFER
        if verb == b"MAIL":
            self.sender, self.recipients = path(line), []
            return b"250 2.1.0 ok\r\n"
        if verb == b"RCPT":
            return self.recipient(path(line))
        if verb == b"DATA":
            return await self.data()
        if verb == b"QUIT":
            return b"221 2.0.0 bye\r\n"
        return b"250 2.0.0 ok\r\n"

    async def serve(self):
        self.writer.write(b"220 primary.soak.test ESMTP\r\n")
        while True:
            line = await self.reader.readline()
            if not line:
                return
            self.writer.write(await self.answer(line))
            await self.writer.drain()
            if line[:4].upper() == b"QUIT":
                return


async def main(port, log, seed):
    chance = random.Random(seed)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def serve(reader, writer):
        try:
            await Session(reader, writer, fd, chance).serve()
        except (ConnectionError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", int(port),
                                        limit=1 << 20, reuse_address=True)
    async with server:
        await server.serve_forever()

asyncio.run(main(*sys.argv[1:]))
