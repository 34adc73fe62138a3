#!/usr/bin/env python3
"""A web server that answers every request with one file, for tests.

    https.py ADDRESS PORT DIR

Each connection reads anew, from DIR: chain and key, its certificate; answer,
the bytes of the whole reply. Where there is no answer it takes the request and
says nothing until the client leaves. It appends "HOST PATH" of each request to
DIR/log, and prints its port as one line when it listens.
"""

import os
import signal
import socket
import ssl
import sys
import threading


def request_of(stream):
    """The request's path and Host, when its head is complete."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 65536:
        piece = stream.recv(4096)
        if not piece:
            break
        head += piece
    lines = head.decode("latin-1").split("\r\n")
    path = (lines[0].split() + ["-", "-"])[1]
    hosts = [line.split(":", 1)[1].strip() for line in lines[1:]
             if line.lower().startswith("host:")]
    return path, (hosts + ["-"])[0]


def serve(sock, directory, lock):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(directory + "/chain", directory + "/key")
        with context.wrap_socket(sock, server_side=True) as stream:
            path, host = request_of(stream)
            with lock, open(directory + "/log", "a") as log:
                log.write("%s %s\n" % (host, path))
            if os.path.exists(directory + "/answer"):
                with open(directory + "/answer", "rb") as answer:
                    stream.sendall(answer.read())
                stream.unwrap()
            else:
                stream.recv(1)
    except OSError:
        pass
    finally:
        sock.close()


def main():
    address, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    lock = threading.Lock()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(16)
    print(port, flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, directory, lock),
                         daemon=True).start()


main()
