"""`tracker event`: record what happens, change it, find it again."""

from __future__ import annotations

from tracker.cli.event import changes, overlaps, queries, related, tail
from tracker.cli.event.group import app

__all__ = ["app", "changes", "overlaps", "queries", "related", "tail"]
