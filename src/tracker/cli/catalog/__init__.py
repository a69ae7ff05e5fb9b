"""`tracker catalog`: describe what runs, find it again, and see who uses what in which version."""

from __future__ import annotations

from tracker.cli.catalog import apply, compliance, delete, parts, queries
from tracker.cli.catalog.group import app

__all__ = ["app", "apply", "compliance", "delete", "parts", "queries"]
