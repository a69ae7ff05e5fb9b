"""Upgrades of the schema: numbered SQL files, each applied in one transaction."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracker.domain.lifecycle import with_elapsed
from tracker.domain.query.fields import FIELDS, Kind
from tracker.pb import access_pb, event_pb
from tracker.stores.access import StoredAccess
from tracker.stores.base import StoreOpenError
from tracker.stores.contents import not_empty, unfinished
from tracker.stores.sqlite.search.queries import in_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    import apsw

APPLICATION_ID: Final = int.from_bytes(b"TRKR")
"""Marks a SQLite file as Tracker's, in its header."""

_FILLED_ID: Final = int.from_bytes(b"TRKM")
"""Marks a file that `tracker migrate` has partly filled; the table `filling` has the source."""

RECORDS: Final = (
    *("events", "changelog", "catalog", "links", "locks", "lock_keys", "ended_locks", "idempotency_keys"),
    "access",
    "audit",
    "webhooks",
    "webhook_deliveries",
    "terraform_states",
    "terraform_parts",
    "freezes",
    "retention_policies",
    "legal_holds",
    "intakes",
    "intake_messages",
    "commits",
)
"""The tables that have records."""


@cache
def steps() -> Mapping[int, str]:
    """Return the SQL that upgrades to each version from the previous one."""
    files = sorted(Path(__file__).with_name("schema").glob("*.sql"))
    return {int(file.name.partition("_")[0]): file.read_text("utf-8") for file in files}


def require_ours(db: apsw.Connection, *, filled_from: str | None = None) -> None:
    """Refuse a database of another program or a newer Tracker, or one partly filled from another store.

    Raises:
        StoreOpenError: It is refused; the message says what to do.
    """
    application, version = db.pragma("application_id"), db.pragma("user_version")
    tables = db.execute("SELECT count(*) FROM sqlite_schema").get
    if application == _FILLED_ID:
        source = str(db.execute("SELECT source FROM filling").get)
        if source != filled_from:
            raise unfinished(source)
    elif application != APPLICATION_ID and (application or version or tables):
        raise StoreOpenError("it belongs to another program; choose another DATABASE_PATH")
    newest = max(steps())
    if version > newest:
        raise StoreOpenError(
            f"its schema has version {version}, this Tracker knows versions up to {newest};"
            " start the newer Tracker that wrote it, or restore a backup made before the upgrade"
        )


def upgrade(db: apsw.Connection) -> None:
    """Upgrade the schema to the newest version, one transaction a step, and add the columns of new fields."""
    db.create_scalar_function("with_elapsed", _with_elapsed, 1)
    db.create_scalar_function("unique_name", _unique_name, 1)
    for version, sql in steps().items():
        if version > db.pragma("user_version"):
            db.execute(f"BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {version}; COMMIT")
    with db:
        _add_columns(db)


def begin_filling(db: apsw.Connection, source: str) -> None:
    """Mark an empty database as one that is not served before it is filled from another store.

    Raises:
        StoreOpenError: It has records.
    """
    if db.pragma("application_id") == _FILLED_ID:
        return
    for table in RECORDS:
        if db.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").get:
            raise not_empty(table)
    with db:
        db.execute("CREATE TABLE filling (source TEXT NOT NULL) STRICT")
        db.execute("INSERT INTO filling VALUES (?)", (source,))
        db.pragma("application_id", _FILLED_ID)


def end_filling(db: apsw.Connection) -> None:
    """Allow a filled database to be served."""
    with db:
        db.execute("DROP TABLE filling")
        db.pragma("application_id", APPLICATION_ID)


def _with_elapsed(*document: apsw.SQLiteValue) -> apsw.SQLiteValue:
    """Return the document of an event with how long it took; one that can't be read stays as it is."""
    try:
        return with_elapsed(event_pb.Event.from_json(str(document[0]))).to_json()
    except ValueError:
        return document[0]


def _unique_name(*document: apsw.SQLiteValue) -> apsw.SQLiteValue:
    """Return the unique name of a record of access control; one that can't be read has none."""
    try:
        return StoredAccess(access_pb.Access.from_json(str(document[0])), b"").unique_name
    except ValueError:
        return None


def _add_columns(db: apsw.Connection) -> None:
    """Add the columns and indexes of fields that the numbered files of the schema have not created."""
    there = {name for (name,) in db.execute("SELECT name FROM pragma_table_xinfo('events')")}
    for field in FIELDS:
        if not field.column or field.column in there:
            continue
        kind = "TEXT" if field.kind is Kind.KEYWORD else "INTEGER"
        value = f"CASE WHEN json_valid(document) THEN {in_document(field)} END"
        db.execute(
            f"ALTER TABLE events ADD COLUMN {field.column} {kind} GENERATED ALWAYS AS ({value}) VIRTUAL"
        )
        if field.indexed:
            db.execute(
                f"CREATE INDEX events_by_{field.column} ON events ({field.column}, time, id)"
                f" WHERE {field.column} IS NOT NULL"
            )
