"""`tracker lock`: takes, renews, releases and lists locks, and runs a command under one."""

from __future__ import annotations

from tracker.cli.lock import commands, run
from tracker.cli.lock.group import app

__all__ = ["app", "commands", "run"]
