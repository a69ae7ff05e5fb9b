"""Runs `python -m tracker.guardian FD`: a guardian whose renewer speaks to it over the socket FD."""

from __future__ import annotations

import os
import socket
import sys

from tracker.guardian.guard import Guard
from tracker.guardian.protocol import Channel

descriptor = int(sys.argv[1])
os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only; the command must not inherit it
Guard(Channel(socket.socket(fileno=descriptor))).run()
