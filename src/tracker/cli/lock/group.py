"""The group of commands `tracker lock`."""

from __future__ import annotations

from tracker.cli.exits import LOCK_TABLE
from tracker.cli.group import client_group, epilog

EPILOG = epilog(LOCK_TABLE)
"""The exit codes, printed after the help of each command."""

app = client_group("Take, renew, release and list locks, and run commands under them.", EPILOG)
