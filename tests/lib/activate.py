#!/usr/bin/env python3
"""activate.py PORT PROGRAM ARGUMENT...

A listening socket as systemd passes it with Accept=no: bound here, on
127.0.0.1:PORT, and given to PROGRAM as descriptor 3 with LISTEN_FDS and
LISTEN_PID, once a client comes; and again for the next client after PROGRAM
ended. A line is printed for each start and end. SIGTERM and SIGHUP go on to
PROGRAM; SIGTERM ends us with it.
"""
import os
import select
import signal
import socket
import sys

child = 0
stopping = False


def pass_on(number, _frame):
    global stopping
    stopping = stopping or number == signal.SIGTERM
    if child:
        os.kill(child, number)


def start(listener, argv):
    pid = os.fork()
    if pid:
        return pid
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.SIG_DFL)
    os.execv(argv[0], argv)


def main(port, *argv):
    global child
    with socket.create_server(("127.0.0.1", int(port)), backlog=512) as listener:
        for number in signal.SIGTERM, signal.SIGHUP:
            signal.signal(number, pass_on)
        while not stopping:
            if not select.select([listener], [], [], 1)[0]:
                continue
            child = start(listener, list(argv))
            print("started", child, flush=True)
            _, status = os.waitpid(child, 0)
            child = 0
            print("ended", os.waitstatus_to_exitcode(status), flush=True)


main(*sys.argv[1:])
