"""The command `tracker` of a shell: it runs in a process that the program of `tests/forks.py` forks."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> int:
    requests = socket.socket(fileno=int(os.environ["FORKS"]))
    reports, report = os.pipe()
    request = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()  # noqa: PTH109 - slow to import
    socket.send_fds(requests, [request], [0, 1, 2, report])
    os.close(report)
    with os.fdopen(reports) as lines:
        pid = int(lines.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        code = int(lines.readline())
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
