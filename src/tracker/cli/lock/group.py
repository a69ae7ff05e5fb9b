"""The group of commands `tracker lock`."""

from __future__ import annotations

from tracker.cli.exits import LOCK_TABLE
from tracker.cli.group import client_group, epilog

EPILOG = epilog(LOCK_TABLE)
"""What stands below the help of each command."""

app = client_group("Take locks, keep them, let them go, and run commands under them.", EPILOG)
