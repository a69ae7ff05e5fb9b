"""`tracker export` and `tracker import`: events as lines of JSON in a file."""

from __future__ import annotations

from tracker.cli.archive.exporting import export
from tracker.cli.archive.importing import import_
from tracker.cli.exits import ARCHIVE_TABLE
from tracker.cli.group import epilog

EPILOG = epilog(ARCHIVE_TABLE)
"""What stands below the help of both."""

__all__ = ["EPILOG", "export", "import_"]
