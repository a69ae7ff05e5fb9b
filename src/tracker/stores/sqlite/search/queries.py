"""Translates queries to SQL.

Conditions on columns are evaluated first, and those on words or values by their index if it may be used. The
others read the documents of the remaining rows: by SQL if it can, some 2 us each, or by functions in Python,
some 12 us each, which evaluate a query as every other part of Tracker does.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never
from zoneinfo import ZoneInfo

import orjson

from tracker.domain.query.fields import Kind
from tracker.domain.query.matching import fits, matches, phrase
from tracker.domain.query.text import parse, to_text
from tracker.domain.query.tree import (
    And,
    Has,
    Not,
    Number,
    Or,
    Pattern,
    Range,
    Term,
    all_of,
    fields_of,
    parts_of,
)
from tracker.pb import event_pb
from tracker.stores import documents
from tracker.time_text import EARLIEST, LATEST, Clock, datetime_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.domain.query import fields
    from tracker.domain.query.tree import Node

Binding: TypeAlias = int | str

Condition: TypeAlias = tuple[str, tuple[Binding, ...]]
"""An expression that is never NULL, and its bindings."""

ByWords: TypeAlias = "Callable[[Node], Condition | None]"
"""Returns the condition for a part of a query that the index of words answers, else None."""

_ANY_CLOCK = Clock(0, ZoneInfo("UTC"))
_PLAIN = re.compile(r"[\w .:@-]+", re.ASCII)
_NOT_ASCII = "length(document) <> octet_length(document)"


_NEVER_NULL: Final = frozenset(
    {"id", "service", "source", "type", "priority", "status", "environment", "impact"}
)
"""Columns without NULL; in the others, a missing value is NULL."""

_FITTING_SERVICE: Final = "service IN (SELECT DISTINCT service FROM facets WHERE query_fits(?, service))"
"""The condition for a pattern of services: there are far fewer of them than events."""


def by_nothing(_: Node) -> Condition | None:
    """Use no index of words."""
    return None


def reads_document(field: fields.Field) -> bool:
    """Return whether an event's value of a field is read from its document."""
    return not field.column


def is_read(field: fields.Field) -> bool:
    """Return whether SQL can read an event's value of a field: it can't read words or lists."""
    if field.column:
        return True
    return bool(field.path) and not field.several and field.kind not in {Kind.PROSE, Kind.DURATION}


def has_all(field: fields.Field) -> bool:
    """Return whether the index of a field has all events, also those without a value."""
    return field.column in _NEVER_NULL


def value_of(field: fields.Field) -> str:
    """Return the expression for an event's value of a field that SQL can read.

    An unset text is '', an unset choice or flag is 0. A time or a duration is as `bound` returns it, or NULL.
    """
    value = field.column or in_document(field)
    if has_all(field) or field.kind in {Kind.TIME, Kind.DURATION}:
        return value
    unset = "''" if field.kind is Kind.KEYWORD else "0"
    return f"ifnull({value}, {unset})"


def bound(field: fields.Field, number: int) -> int | str:
    """Return the value to compare a time or a duration with; for a time in a document, text."""
    if field.column or field.kind is not Kind.TIME:
        return number
    if not EARLIEST <= number <= LATEST:
        return "" if number < EARLIEST else "~"
    moment = datetime_of(number).replace(tzinfo=None).isoformat()
    return moment.rstrip("0") if "." in moment else moment


def in_document(field: fields.Field) -> str:
    """Return the expression for a value in a document; an unset value is NULL."""
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


def condition(node: Node, by_words: ByWords = by_nothing, *, tallied: bool = False) -> Condition:
    """Return the condition for the events that match a query.

    With `tallied`, it calls the function `query_searched` for each document that it searches.
    """
    if not needs_document(node, by_words):
        return _of_values(node, by_words)
    parts = parts_of(node)
    columns = [_of_values(part, by_words) for part in parts if not needs_document(part, by_words)]
    rest = tuple(part for part in parts if needs_document(part, by_words))
    return _joined(" AND ", [*columns, of_document(all_of(rest), tallied=tallied)])


def needs_document(node: Node, by_words: ByWords = by_nothing) -> bool:
    """Return whether the documents of events have to be read for a query."""
    if by_words(node) is not None:
        return False
    match node:
        case And(parts) | Or(parts):
            return any(needs_document(part, by_words) for part in parts)
        case Not(part):
            return needs_document(part, by_words)
        case Has(field) | Term(field):
            return reads_document(field)
        case _:
            assert_never(node)


def add_functions(connection: apsw.Connection) -> None:
    """Register the functions that conditions call."""
    connection.create_scalar_function("query_fits", _fits, 2, deterministic=True)
    connection.create_scalar_function("query_matches", _matches, 3, deterministic=True)


def _joined(word: str, conditions: Sequence[Condition]) -> Condition:
    sql = word.join(sql for sql, _ in conditions)
    return f"({sql})", tuple(binding for _, bindings in conditions for binding in bindings)


def _of_values(node: Node, by_words: ByWords = by_nothing) -> Condition:
    found = by_words(node)
    if found is not None:
        return found
    match node:
        case And(parts):
            return _joined(" AND ", [_of_values(part, by_words) for part in parts]) if parts else ("true", ())
        case Or(parts):
            return _joined(" OR ", [_of_values(part, by_words) for part in parts])
        case Not(part):
            sql, bindings = _of_values(part, by_words)
            return f"NOT {sql}", bindings
        case Has(field):
            return _has(field), ()
        case Term():
            return _of_value(node)
        case _:
            assert_never(node)


def _has(field: fields.Field) -> str:
    value = value_of(field)
    match field.kind:
        case Kind.KEYWORD | Kind.PROSE:
            return f"{value} <> ''"
        case Kind.CHOICE | Kind.FLAG:
            return f"{value} <> 0"
        case Kind.TIME | Kind.DURATION:
            return f"{value} IS NOT NULL"


def _of_value(term: Term) -> Condition:
    value = value_of(term.field)
    sql: list[str] = []
    bindings: list[Binding] = []
    equal: dict[Binding, None] = {}
    for test in term.tests:
        match test:
            case Pattern((only,)) | Number(only):
                equal[only] = None
            case Pattern(pieces):  # in GLOB, a NUL ends the text
                sql.append(_FITTING_SERVICE if value == "service" else f"query_fits(?, {value})")
                bindings.append(json.dumps(pieces))
            case Range(low, high):
                given = [(sign, at) for sign, at in ((">=", low), ("<", high)) if at is not None]
                sql.append(f"ifnull({' AND '.join(f'{value} {sign} ?' for sign, _ in given)}, false)")
                bindings += [bound(term.field, at) for _, at in given]
    if equal:  # one list, since SQLite limits the depth of expressions
        sql.append(f"{value} IN ({', '.join('?' * len(equal))})" if len(equal) > 1 else f"{value} = ?")
        bindings += equal
    return f"({' OR '.join(sql)})", tuple(bindings)


def of_document(node: Node, *, tallied: bool) -> Condition:
    """Return the condition for the events whose documents match.

    What SQL can read is evaluated first, and a function in Python only for the remaining events.
    """
    parts = parts_of(node)
    by_sql = [all(map(is_read, fields_of(part))) for part in parts]
    read = tuple(part for part, is_sql in zip(parts, by_sql, strict=True) if is_sql)
    rest = tuple(part for part, is_sql in zip(parts, by_sql, strict=True) if not is_sql)
    asked: list[Condition] = []
    if read:
        asked.append(_guarded(all_of(read), _read_by_sql(all_of(read)), tallied=tallied))
    if rest:
        asked.append(_guarded(all_of(rest), _matched(all_of(rest)), tallied=tallied and not read))
    return _joined(" AND ", asked)


def _matched(node: Node) -> Condition:
    return "query_matches(?, id, document)", (to_text(node),)


def _read_by_sql(node: Node) -> Condition:
    """Return the condition that reads documents by SQL; the function reports those that can't be read."""
    sql, bindings = _of_values(node)
    otherwise, query = _matched(node)
    return f"CASE WHEN json_valid(document) THEN {sql} ELSE {otherwise} END", (*bindings, *query)


def _guarded(node: Node, condition: Condition, *, tallied: bool) -> Condition:
    """Return a condition that is evaluated only for documents that may match.

    Reading a document takes many times as long as checking that it does not contain a text.
    """
    sql, bindings = condition
    possible = _possible(node)
    if tallied:
        possible = _joined(" AND ", [("query_searched()", ()), possible or ("true", ())])
    if possible is None:
        return condition
    return f"CASE WHEN {possible[0]} THEN {sql} ELSE false END", (*possible[1], *bindings)


def _possible(node: Node) -> Condition | None:
    """Return a condition that all matching events meet, and that is checked quickly, or None."""
    if not needs_document(node):
        return _of_values(node)
    match node:
        case And(parts):
            found = [each for each in map(_possible, parts) if each is not None]
            return _joined(" AND ", found) if found else None
        case Or(parts):
            each = list(map(_possible, parts))
            known = [one for one in each if one is not None]
            return _joined(" OR ", known) if len(known) == len(each) else None
        case Term(field, tests):
            found = [_texts(test, field) for test in tests if isinstance(test, Pattern)]
            return _joined(" OR ", found) if len(found) == len(tests) else None
        case _:
            return None


def _texts(pattern: Pattern, field: fields.Field) -> Condition:
    """Return the condition for the documents that contain the texts of a pattern anywhere.

    Only texts that JSON does not escape are checked. A word may be written with characters outside ASCII;
    then the document is not ASCII either.
    """
    if field.kind is not Kind.PROSE:
        plain = [piece for piece in pattern.pieces if _PLAIN.fullmatch(piece)]
        return _joined(" AND ", [("true", ()), *(("instr(document, ?) > 0", (piece,)) for piece in plain)])
    plain = [word for word in phrase(pattern).words if word.isascii()]
    words = [("document LIKE ?", (f"%{word}%",)) for word in plain]
    return _joined(" OR ", [(_NOT_ASCII, ()), _joined(" AND ", [("true", ()), *words])])


def _fits(*arguments: apsw.SQLiteValue) -> bool:
    pieces, text = map(str, arguments)
    return fits(_pattern(pieces), text)


def _matches(*arguments: apsw.SQLiteValue) -> bool:
    query, event_id, document = map(str, arguments)
    tree, only_prose = _tree(query)
    read = _prose if only_prose else documents.parse
    return matches(tree, read(event_pb.Event, event_id, document))


def _prose(kind: type[event_pb.Event], event_id: str, document: str) -> event_pb.Event:
    """Return an event with its title and message only, which are read in a third of the time."""
    try:
        stored = orjson.loads(document)
        message = stored.get("attributes", {}).get("message", "")
        attributes = event_pb.EventAttributes(message=message)
        return event_pb.Event(title=stored.get("title", ""), attributes=attributes)
    except (ValueError, AttributeError, TypeError):
        return documents.parse(kind, event_id, document)  # which raises the error


@lru_cache(maxsize=1024)
def _pattern(pieces: str) -> Pattern:
    return Pattern(tuple(json.loads(pieces)))


@lru_cache(maxsize=1024)
def _tree(query: str) -> tuple[Node, bool]:
    """Return the tree of a query, and whether it asks only for words of titles and messages."""
    tree = parse(query, _ANY_CLOCK)
    return tree, all(field.kind is Kind.PROSE for field in fields_of(tree))
