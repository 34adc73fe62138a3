#!/usr/bin/env python3
"""A name server on loopback that misbehaves by name.

usage: dns.py PORT

Records of one name and type come in another order each time.

The first label of the question's name says how it is answered:

    silent      not at all
    servfail, refused   with that rcode
    junk        random bytes behind the right id
    wrongq      an answer to another question
    otherid     an answer with another id
    trailing    a good answer with bytes behind it
    short       an answer cut in the middle of a record
    pointers    a compression pointer to itself
    tc          truncated, over TCP too
    many        100 MX records, the first 32 of them good
    addrs       MX hosts with 20 addresses each
    evil        MX hosts with an escape sequence and a line end in their names
    bigtxt      64 KiB of TXT, over TCP
    evilns      servers and texts with escape sequences, 40 of them
    hush...     addresses on loopback, authentic; names below are not answered
    nsloop      servers that are an alias of themselves
    mx...       addresses
    ns..., mta-sts  127.0.0.1
    (others)    MX 10 mx1.test, MX 20 mx2.test
"""
import os
import random
import socket
import struct
import sys
import threading

MX, A, AAAA, NS, CNAME, PTR, TXT, TLSA = 15, 1, 28, 2, 5, 12, 16, 52
EVIL = b"\033[2J\nspoof.test: ok"


def name(*labels):
    return b"".join(bytes([len(l)]) + l for l in labels) + b"\0"


def record(owner, rtype, data):
    return owner + struct.pack("!HHIH", rtype, 1, 3600, len(data)) + data


def mx(owner, preference, host):
    return record(owner, MX, struct.pack("!H", preference) + host)


def mx_answers(first, owner):
    if first == b"evil":
        hosts = [name(b"\033[2Jmx1\nspoof.test: ok", b"test"), name(b"mx2", b"test")]
    elif first == b"many":
        hosts = [name(b"mx%03d" % i, b"test") for i in range(100)]
    elif first == b"addrs":
        hosts = [name(b"mxaddrs1", b"test"), name(b"mxaddrs2", b"test")]
    else:
        hosts = [name(b"mx1", b"test"), name(b"mx2", b"test")]
    return [mx(owner, 10 * (i + 1), host) for i, host in enumerate(hosts)]


def text(owner, data):
    strings = [data[i:i + 255] for i in range(0, len(data), 255)]
    return record(owner, TXT, b"".join(bytes([len(s)]) + s for s in strings))


def more_answers(first, rtype, owner):
    if first == b"bigtxt" and rtype == TXT:
        return [text(owner, b"v=spf1 " + b"ip4:20.0.0.1 " * 4700)]
    if first == b"evilns" and rtype == NS:
        return [record(owner, NS, name(b"ns%d" % i + EVIL, b"test")) for i in range(40)]
    if first in (b"evilns", b"_mta-sts", b"_smtp") and rtype == TXT:
        word = {b"_mta-sts": b"v=STSv1;", b"_smtp": b"v=TLSRPTv1;"}.get(first, b"v=spf1 ")
        return [text(owner, word + EVIL) for i in range(40)]
    if first == b"_25" and rtype == TLSA:
        return [record(owner, TLSA, b"\3\1\1"[:i % 4] + bytes(i * 20)) for i in range(40)]
    if first == b"nsloop" and rtype == NS:
        return [record(owner, CNAME, owner)]
    if rtype == NS:
        return [record(owner, NS, name(b"ns1", b"test"))]
    if rtype == PTR:
        return [record(owner, PTR, name(b"mx%d" % i + EVIL, b"test")) for i in range(40)]
    return []


def address_answers(first, owner):
    if first.startswith(b"ns") or first == b"mta-sts":
        return [record(owner, A, bytes([127, 0, 0, 1]))]
    n = int(bytes(c for c in first if chr(c).isdigit()) or b"250") % 256
    if first.startswith(b"hush"):
        return [record(owner, A, bytes([127, 0, 0, n]))]
    if first.startswith(b"mxaddrs"):
        return [record(owner, A, bytes([20, 1, n, i])) for i in range(1, 21)]
    return [record(owner, A, bytes([20, 0, 0, n]))]


def answer(packet, over_tcp=False):
    ident, question = packet[:2], packet[12:]
    end = question.index(0) + 5
    question = question[:end]
    first = question[1:1 + question[0]].lower()
    rtype = struct.unpack("!H", question[-4:-2])[0]
    rcode, flags = 0, 0x8180
    records = []

    if first == b"silent" or b"\5hush" in question[1 + question[0]:]:
        return None
    if first == b"junk":
        return ident + os.urandom(60)
    if first == b"servfail":
        rcode = 2
    elif first == b"refused":
        rcode = 5
    elif first == b"tc":
        flags |= 0x0200
    elif rtype == MX:
        records = mx_answers(first, b"\xc0\x0c")
    elif rtype == A:
        records = address_answers(first, b"\xc0\x0c")
    else:
        records = more_answers(first, rtype, b"\xc0\x0c")
    if first.startswith(b"hush"):
        flags |= 0x0020
    if first == b"wrongq":
        question = name(b"another", b"test") + question[-4:]
    if first == b"otherid":
        ident = bytes([ident[0] ^ 0x55, ident[1]])
    if first == b"pointers":
        at = 12 + len(question) + 14
        records = [mx(b"\xc0\x0c", 10, struct.pack("!H", 0xc000 | at))]
    random.shuffle(records)
    reply = ident + struct.pack("!HHHHH", flags | rcode, 1, len(records), 0, 0)
    reply += question + b"".join(records)
    if len(reply) > 1232 and not over_tcp:
        reply = ident + struct.pack("!HHHHH", flags | 0x0200, 1, 0, 0, 0) + question
    if first == b"trailing":
        reply += b"more"
    if first == b"short":
        reply = reply[:-5]
    return reply


def serve_tcp(listener):
    while True:
        peer, _ = listener.accept()
        with peer:
            size = struct.unpack("!H", peer.recv(2))[0]
            reply = answer(peer.recv(size), True)
            if reply is not None:
                peer.sendall(struct.pack("!H", len(reply)) + reply)


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", int(sys.argv[1])))
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    threading.Thread(target=serve_tcp, args=(listener,), daemon=True).start()
    print("ready", flush=True)
    while True:
        packet, peer = server.recvfrom(4096)
        reply = answer(packet)
        if reply is not None:
            server.sendto(reply, peer)


main()
