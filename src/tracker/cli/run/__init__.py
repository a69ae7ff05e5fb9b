"""`tracker run`: runs a command, and records it as an event."""

from __future__ import annotations

from tracker.cli.exits import RUN_TABLE
from tracker.cli.group import epilog
from tracker.cli.run.command import run

EPILOG = epilog(RUN_TABLE)
"""What stands below the help."""

__all__ = ["EPILOG", "run"]
