"""A command that says every 10 ms that it is still there, and that does not want to go.

Run as a program: `stamper.py FILE`. A second process, which fled into a session of its own and has lost its
parent, does the same; neither heeds SIGTERM. Each line of FILE is who it is, and a moment of CLOCK_BOOTTIME.
"""

from __future__ import annotations

import os
import signal
import sys
import time

EVERY = 0.01


def stamp(file: str, name: str) -> None:
    """Write until the end, which only a SIGKILL can be."""
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        os.write(out, f"{name} {time.clock_gettime_ns(time.CLOCK_BOOTTIME)}\n".encode())
        time.sleep(EVERY)


def flee() -> bool:
    """Return True in a process that has nothing in common with the one that called this."""
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    return True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stamp(sys.argv[1], "fled" if flee() else "command")
