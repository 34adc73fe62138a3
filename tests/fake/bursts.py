#!/usr/bin/env python3
"""A policy server for Postfix that has bad moments, for tests.

    bursts.py PORT GOOD BAD

Of every GOOD + BAD seconds the last BAD are answered with 421, else DUNNO. It
prints a line when it listens, and ends at SIGTERM.
"""

import socketserver
import sys
import time

good, bad = float(sys.argv[2]), float(sys.argv[3])
begun = time.monotonic()


class Policy(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line != b"\n":
                continue
            is_bad = (time.monotonic() - begun) % (good + bad) > good
            self.wfile.write(b"action=421 4.3.2 a bad moment\n\n" if is_bad
                             else b"action=DUNNO\n\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", int(sys.argv[1])), Policy) as server:
    print("listening", flush=True)
    server.serve_forever()
