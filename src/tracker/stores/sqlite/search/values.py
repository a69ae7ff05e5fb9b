"""What SQL reads of an event: expressions for its values, from a column or from its document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tracker.domain.query.fields import FIELDS, Kind
from tracker.time_text import EARLIEST, LATEST

if TYPE_CHECKING:
    import apsw

    from tracker.domain.query.fields import Field

_NEVER_NULL: Final = frozenset(
    {"id", "service", "source", "type", "priority", "status", "environment", "impact"}
)
"""Columns that every event has a value in; a field without a value is NULL in the others."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def reads_document(field: Field) -> bool:
    """Return whether an event's value of a field is read from its document."""
    return not field.column


def is_read(field: Field) -> bool:
    """Return whether SQL can read an event's value of a field: not the words of a text, and not of a list."""
    if field.column:
        return True
    return bool(field.path) and not field.several and field.kind not in {Kind.PROSE, Kind.DURATION}


def has_all(field: Field) -> bool:
    """Return whether the index of a field has all events: others lack those without a value."""
    return field.column in _NEVER_NULL


def value_of(field: Field) -> str:
    """Return the expression for an event's value of a field that SQL can read.

    A text is '' where it is unset, the number of a choice or a flag is 0. A time or a duration, which is as
    `bound` has it, is NULL.
    """
    value = field.column or _in_document(field)
    if has_all(field) or field.kind in {Kind.TIME, Kind.DURATION}:
        return value
    unset = "''" if field.kind is Kind.KEYWORD else "0"
    return f"ifnull({value}, {unset})"


def bound(field: Field, number: int) -> int | str:
    """Return what to compare a time or a duration with; for a moment in a document, text that sorts alike."""
    if field.column or field.kind is not Kind.TIME:
        return number
    if not EARLIEST <= number <= LATEST:
        return "" if number < EARLIEST else "~"
    moment = (_EPOCH + timedelta(microseconds=number)).replace(tzinfo=None).isoformat()
    return moment.rstrip("0") if "." in moment else moment


def add_columns(db: apsw.Connection) -> None:
    """Give the table `events` the columns, and indexes, that fields lack: read from the documents.

    Those that numbered files of the schema made are there.
    """
    there = {name for (name,) in db.execute("SELECT name FROM pragma_table_xinfo('events')")}
    for field in FIELDS:
        if not field.column or field.column in there:
            continue
        kind = "TEXT" if field.kind is Kind.KEYWORD else "INTEGER"
        value = f"CASE WHEN json_valid(document) THEN {_in_document(field)} END"
        db.execute(
            f"ALTER TABLE events ADD COLUMN {field.column} {kind} GENERATED ALWAYS AS ({value}) VIRTUAL"
        )
        if field.indexed:
            db.execute(
                f"CREATE INDEX events_by_{field.column} ON events ({field.column}, time, id)"
                f" WHERE {field.column} IS NOT NULL"
            )


def _in_document(field: Field) -> str:
    """Return the expression for the value in a document, NULL where it is unset."""
    value = f"document ->> '$.{'.'.join(field.path)}'"
    match field.kind:
        case Kind.TIME:
            return f"rtrim({value}, 'Z')"
        case Kind.CHOICE:
            names = " ".join(
                f"WHEN '{name}' THEN {number}" for name, number in field.choices.items() if number
            )
            return f"CASE {value} {names} ELSE {value} END"
        case _:
            return value
