"""`tracker catalog`: describes what runs, and reports who uses what in which version."""

from __future__ import annotations

from tracker.cli.catalog import apply, commands, compliance
from tracker.cli.catalog.group import app

__all__ = ["app", "apply", "commands", "compliance"]
