"""`tracker lock`: take a lock, keep it, let it go, see who has it, and run a command under it."""

from __future__ import annotations

from tracker.cli.lock import acquire, queries, release, renew, run
from tracker.cli.lock.group import app

__all__ = ["acquire", "app", "queries", "release", "renew", "run"]
