#!/usr/bin/env python3
"""A name server for the soak: resolver.py PORT. 127.0.0.1 is everybody's
address; there is nothing else."""
import socket
import struct
import sys

A = 1


def answer(query):
    end = query.index(b"\0", 12) + 5
    kind = struct.unpack(">H", query[end - 4:end - 2])[0]
    found = int(kind == A)
    record = struct.pack(">HHHIH4s", 0xC00C, A, 1, 5, 4,
                         socket.inet_aton("127.0.0.1"))
    return query[:2] + struct.pack(">HHHHH", 0x8580, 1, found, 0, 0) + \
        query[12:end] + record * found


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(sys.argv[1])))
while True:
    question, client = server.recvfrom(4096)
    try:
        server.sendto(answer(question), client)
    except (ValueError, struct.error):
        pass
