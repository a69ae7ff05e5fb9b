"""Runs `python -m tracker.guardian FD`: a guardian that hears from its renewer by the socket FD."""

from __future__ import annotations

import os
import socket
import sys

from tracker.guardian.guard import Guard
from tracker.guardian.protocol import Channel

descriptor = int(sys.argv[1])
os.set_inheritable(descriptor, False)  # noqa: FBT003  # it has no names for its parameters; the command has no part in this
Guard(Channel(socket.socket(fileno=descriptor))).run()
