"""`tracker event`: record what happens, change it, find it again."""

from __future__ import annotations

from tracker.cli.event import changes, queries, relations
from tracker.cli.event.options import app

__all__ = ["app", "changes", "queries", "relations"]
