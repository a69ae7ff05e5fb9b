"""The embedded store: one SQLite file, for one server."""

from tracker.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
