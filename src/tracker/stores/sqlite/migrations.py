"""The schema's versions: numbered SQL files, each applied in one transaction."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from tracker.stores.base import StoreOpenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import apsw

APPLICATION_ID: Final = int.from_bytes(b"TRKR")
"""Marks a SQLite file as ours, in its header."""


@cache
def steps() -> Mapping[int, str]:
    """Return the SQL that leads to each version from the one before."""
    folder = resources.files("tracker.stores.sqlite").joinpath("schema")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return {int(file.name.partition("_")[0]): file.read_text("utf-8") for file in files}


def newest() -> int:
    """Return the version that this Tracker works with."""
    return max(steps())


def require_ours(db: apsw.Connection) -> None:
    """Refuse a database that another program, or a newer Tracker, wrote.

    Raises:
        StoreOpenError: It is; the message says what to do.
    """
    application, version = db.pragma("application_id"), db.pragma("user_version")
    tables = db.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreOpenError("it belongs to another program; choose another DATABASE_PATH")
    if version > newest():
        raise StoreOpenError(
            f"its schema has version {version}, this Tracker knows versions up to {newest()};"
            " start the newer Tracker that wrote it, or restore a backup made before the upgrade"
        )


def upgrade(db: apsw.Connection) -> None:
    """Bring the schema to the newest version, one transaction a step."""
    for version, sql in steps().items():
        if version > db.pragma("user_version"):
            db.execute(f"BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {version}; COMMIT")
