"""Rows of events: what the stores read and write inside a transaction."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import apsw

from tracker.domain import events
from tracker.domain.changelog import divided
from tracker.domain.event_locks import with_entries
from tracker.pb import event_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse, read_event
from tracker.stores.events import ExternalIdTakenError, SlackIdTakenError, changelog_page, take_entry
from tracker.stores.pages import Reading, first_number
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_events_created, log_updated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracker.domain.changelog import Divided
    from tracker.stores.contents import StoredDocument, StoredEntry
    from tracker.stores.events import Added
    from tracker.stores.pages import Found, Page

Row: TypeAlias = "tuple[int | str | None, ...]"
"""The row of an event: its id and `_COLUMNS`."""

_COLUMNS = (
    "slack_id, external_id, time, end_time, type, priority, status, environment, impact, service, source,"
    " document"
)
_PLACES = ", ".join("?" * len(_COLUMNS.split(",")))
_INSERT_INTO = f"INSERT INTO events (id, {_COLUMNS})"
_INSERT = f"{_INSERT_INTO} VALUES (?, {_PLACES})"
_UNLESS_THERE = "ON CONFLICT (id) DO NOTHING"
_INSERT_NEW = f"{_INSERT} {_UNLESS_THERE}"
_SELECT_ENTRIES = (
    "SELECT event, CAST(document AS BLOB) FROM changelog WHERE event = ? AND number >= ? ORDER BY number"
)
_INSERT_ENTRY = "INSERT INTO changelog (event, number, document) VALUES (?, ?, ?)"
_IS_LOCKED = "SELECT EXISTS (SELECT 1 FROM locks WHERE event_id = ?)"
_DELETE_ENTRIES = "DELETE FROM changelog WHERE event = ?"
SELECT = "SELECT id, CAST(document AS BLOB)"
"""Selects the columns that an event is parsed from."""


_whole = partial(parse, event_pb.Event)


def select(
    db: apsw.Connection, key: events.EventKey, read: Callable[[str, bytes], event_pb.Event] = _whole
) -> event_pb.Event | None:
    """Return the event of a key, as it is stored or as `read` makes it of its document, or None."""
    match key:
        case events.EventId(value):
            row = db.execute(f"{SELECT} FROM events WHERE id = ?", (value,)).fetchone()
        case events.SlackId(value):
            row = db.execute(f"{SELECT} FROM events WHERE slack_id = ?", (value,)).fetchone()
        case events.ExternalId(source, value):
            sql = f"{SELECT} FROM events WHERE external_id = ? AND source = ?"
            row = db.execute(sql, (value, source)).fetchone()
    return None if row is None else read(*row)


def select_changelog(
    db: apsw.Connection, key: events.EventKey, page: Page
) -> Found[event_pb.ChangelogEntry] | None:
    """Return a page of the changelog of an event, or None if there is no event."""
    event = select(db, key)
    if event is None:
        return None
    first = first_number(page)
    entries: Iterable[event_pb.ChangelogEntry] = event.changelog[first:]
    if event.changelog_total:
        rows = db.execute(_SELECT_ENTRIES, (events.event_id(event), first))
        entries = (parse(event_pb.ChangelogEntry, *row) for row in rows)
    reading = Reading[event_pb.ChangelogEntry](page)
    for entry in entries:
        if not take_entry(reading, entry):
            break
    return changelog_page(reading, event)


def insert(db: apsw.Connection, event: event_pb.Event) -> None:
    """Store a new event.

    Raises:
        SlackIdTakenError: Another event has its Slack id.
        ExternalIdTakenError: Another event has its external id.
    """
    columns = row(event)
    _write(db, _INSERT, event, columns)
    log_created(db, RecordKind.EVENT, events.event_id(event), str(columns[-1]))


def row(event: event_pb.Event, document: str | None = None) -> Row:
    """Return the row of an event; its document may be given, as another store has it."""
    attributes, metadata = events.attributes_of(event), events.metadata_of(event)
    return (
        metadata.id,
        metadata.slack_id or None,
        attributes.external_id or None,
        events.event_time(event),
        events.event_end(event),
        int(attributes.type),
        int(attributes.priority),
        int(attributes.status),
        int(attributes.environment),
        int(attributes.impact),
        attributes.service,
        attributes.source,
        event.to_json() if document is None else document,
    )


def insert_new(db: apsw.Connection, new: Sequence[Divided], rows: Sequence[Row]) -> Sequence[Added]:
    """Store the events, whose rows are given, with new ids."""
    last = int(db.execute("SELECT coalesce(max(number), 0) FROM events").get)
    outcomes: list[Added] = []
    try:
        outcomes += _insert_all(db, rows)
    except apsw.ConstraintError:
        for each, columns in zip(new, rows, strict=True):
            try:
                _write(db, _INSERT_NEW, each.event, columns)
                outcomes.append(db.changes() > 0)
            except (SlackIdTakenError, ExternalIdTakenError) as error:
                outcomes.append(error)
    for each, outcome in zip(new, outcomes, strict=True):
        if outcome is True:
            _insert_entries(db, each)
    log_events_created(db, last)
    return outcomes


def add(db: apsw.Connection, stored: StoredDocument) -> None:
    """Store an event of another store, unless it is there."""
    _, *columns = row(parse(event_pb.Event, *stored), stored.document)
    db.execute(_INSERT_NEW, (stored.id, *columns))


def update(db: apsw.Connection, before: event_pb.Event, event: event_pb.Event) -> event_pb.Event:
    """Replace a stored event; return it as it is stored.

    Raises:
        SlackIdTakenError: Another event has its Slack id.
        ExternalIdTakenError: Another event has its external id.
    """
    event = _divide(db, before, event)
    changed, *columns = row(event)
    log_updated(db, RecordKind.EVENT, str(changed), str(columns[-1]))
    sql = f"UPDATE events SET ({_COLUMNS}) = ({_PLACES}) WHERE id = ?"
    _write(db, sql, event, (*columns, changed))
    return event


def last_row(table: str) -> Callable[[apsw.Connection], int]:
    """Return the query for the number of the last row of a table."""
    return lambda db: int(db.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").get)


def mentioning(
    db: apsw.Connection, *, table: str, column: str, rows: tuple[int, int], texts: Sequence[str]
) -> Sequence[str]:
    """Return the ids of the events in some rows of a table whose documents contain one of some texts."""
    contains = " OR ".join(["instr(document, ?)"] * len(texts))
    sql = f"SELECT {column} FROM {table} WHERE rowid > ? AND rowid <= ? AND ({contains})"
    return [of_event for (of_event,) in db.execute(sql, (*rows, *texts))]


def append_entry(db: apsw.Connection, of_event: str, entry: event_pb.ChangelogEntry) -> None:
    """Append an entry to the changelog of an event, if it exists."""
    event = select(db, events.EventId(of_event))
    if event is not None:
        document = _divide(db, event, with_entries(event, [entry])).to_json()
        log_updated(db, RecordKind.EVENT, of_event, document)
        db.execute("UPDATE events SET document = ? WHERE id = ?", (document, of_event))


def age_out(db: apsw.Connection, given: Sequence[event_pb.Event], ending: str, reason: str) -> Sequence[str]:
    """Delete those events that are as they were read and have no lock; return their ids."""
    deleted = []
    for event in given:
        of_event = events.event_id(event)
        stored = select(db, events.EventId(of_event), read_event)
        if stored == event and not db.execute(_IS_LOCKED, (of_event,)).get:
            delete(db, event, ending, reason)
            deleted.append(of_event)
    return deleted


def delete(
    db: apsw.Connection, event: event_pb.Event, ending: str | None = None, reason: str | None = None
) -> None:
    """Delete a stored event."""
    log_deleted(db, RecordKind.EVENT, events.event_id(event), ending, reason)
    db.execute("DELETE FROM events WHERE id = ?", (events.event_id(event),))
    if event.changelog_total:
        db.execute(_DELETE_ENTRIES, (events.event_id(event),))


def add_entry(db: apsw.Connection, stored: StoredEntry) -> None:
    """Store a changelog entry as another store keeps it, unless it is there."""
    db.execute(f"{_INSERT_ENTRY} ON CONFLICT DO NOTHING", stored)


def _divide(db: apsw.Connection, before: event_pb.Event, event: event_pb.Event) -> event_pb.Event:
    """Store the changelog entries that are not stored with a changed event; return the event to store."""
    change = divided(before, event)
    if before.changelog_total and not change.first:
        db.execute(_DELETE_ENTRIES, (events.event_id(event),))
    _insert_entries(db, change)
    return change.event


def _insert_entries(db: apsw.Connection, change: Divided) -> None:
    if change.entries:
        of_event = events.event_id(change.event)
        numbers = enumerate(change.entries, change.first)
        db.executemany(_INSERT_ENTRY, ((of_event, number, entry.to_json()) for number, entry in numbers))


def places(rows: int, columns: int) -> str:
    """Return the parameters of rows for VALUES; a statement may have 32,766."""
    return ",".join([f"({','.join('?' * columns)})"] * rows)


def _insert_all(db: apsw.Connection, rows: Sequence[Row]) -> Sequence[bool]:
    """Store the rows with new ids; of several with the same id, the first.

    Raises:
        apsw.ConstraintError: The Slack or external id of one is taken; none is stored.
    """
    sql = f"{_INSERT_INTO} VALUES {places(len(rows), len(rows[0]))} {_UNLESS_THERE} RETURNING id"
    new = {str(stored) for (stored,) in db.execute(sql, tuple(chain.from_iterable(rows)))}
    outcomes = []
    for of_event, *_ in rows:
        outcomes.append(of_event in new)
        new.discard(str(of_event))
    return outcomes


def _write(
    db: apsw.Connection, statement: str, event: event_pb.Event, bindings: tuple[int | str | None, ...]
) -> None:
    try:
        db.execute(statement, bindings)
    except apsw.ConstraintError as error:
        raise _taken(db, event, error) from error


def _taken(db: apsw.Connection, event: event_pb.Event, error: apsw.ConstraintError) -> Exception:
    """Return the error for a broken constraint: an external or Slack id is taken, or there is a defect."""
    external = events.external_id(event)
    if external is not None:
        other = select(db, external)
        if other is not None and events.event_id(other) != events.event_id(event):
            return ExternalIdTakenError(external, events.event_id(other))
    slack_id = events.metadata_of(event).slack_id
    holder = db.execute(
        "SELECT id FROM events WHERE slack_id = ? AND id <> ?", (slack_id, events.event_id(event))
    ).fetchone()
    return error if holder is None else SlackIdTakenError(slack_id, holder[0])
