"""What a query asks for, as SQL.

What has a column is asked of that, what asks for words or values of their index, where that may be used. The
rest is asked of the documents of the rows that are left: by SQL where it can read them, some 2 us each, or by
functions in Python, some 12 us each, which mean the same here as anywhere.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never
from zoneinfo import ZoneInfo

import orjson

from tracker.domain.query.fields import Kind
from tracker.domain.query.matching import fits, matches, phrase
from tracker.domain.query.text import parse, to_text
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Range, Term, all_of, parts_of
from tracker.pb import event_pb
from tracker.stores import documents
from tracker.time_text import EARLIEST, LATEST, Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import apsw

    from tracker.domain.query import fields
    from tracker.domain.query.tree import Node

Binding: TypeAlias = int | str

Condition: TypeAlias = tuple[str, tuple[Binding, ...]]
"""An expression that is never NULL, and its bindings."""

ByWords: TypeAlias = "Callable[[Node], Condition | None]"
"""Returns the condition for a part of a query that the index of words answers, None for another one."""

_ANY_CLOCK = Clock(0, ZoneInfo("UTC"))
_PLAIN = re.compile(r"[\w .:@-]+", re.ASCII)
_NOT_ASCII = "length(document) <> octet_length(document)"


_NEVER_NULL: Final = frozenset(
    {"id", "service", "source", "type", "priority", "status", "environment", "impact"}
)
"""Columns that every event has a value in; a field without a value is NULL in the others."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def by_nothing(_: Node) -> Condition | None:
    """Use no index of words."""
    return None


def reads_document(field: fields.Field) -> bool:
    """Return whether an event's value of a field is read from its document."""
    return not field.column


def is_read(field: fields.Field) -> bool:
    """Return whether SQL can read an event's value of a field: not the words of a text, and not of a list."""
    if field.column:
        return True
    return bool(field.path) and not field.several and field.kind not in {Kind.PROSE, Kind.DURATION}


def has_all(field: fields.Field) -> bool:
    """Return whether the index of a field has all events: others lack those without a value."""
    return field.column in _NEVER_NULL


def value_of(field: fields.Field) -> str:
    """Return the expression for an event's value of a field that SQL can read.

    A text is '' where it is unset, the number of a choice or a flag is 0. A time or a duration, which is as
    `bound` has it, is NULL.
    """
    value = field.column or in_document(field)
    if has_all(field) or field.kind in {Kind.TIME, Kind.DURATION}:
        return value
    unset = "''" if field.kind is Kind.KEYWORD else "0"
    return f"ifnull({value}, {unset})"


def bound(field: fields.Field, number: int) -> int | str:
    """Return what to compare a time or a duration with; for a moment in a document, text that sorts alike."""
    if field.column or field.kind is not Kind.TIME:
        return number
    if not EARLIEST <= number <= LATEST:
        return "" if number < EARLIEST else "~"
    moment = (_EPOCH + timedelta(microseconds=number)).replace(tzinfo=None).isoformat()
    return moment.rstrip("0") if "." in moment else moment


def in_document(field: fields.Field) -> str:
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


def condition(node: Node, by_words: ByWords = by_nothing, *, tallied: bool = False) -> Condition:
    """Return the condition for the events that a query asks for.

    With `tallied`, it calls a function `query_searched` for each document that it searches.
    """
    if not needs_document(node, by_words):
        return _of_values(node, by_words)
    parts = parts_of(node)
    columns = [_of_values(part, by_words) for part in parts if not needs_document(part, by_words)]
    rest = tuple(part for part in parts if needs_document(part, by_words))
    return _joined(" AND ", [*columns, of_document(all_of(rest), tallied=tallied)])


def needs_document(node: Node, by_words: ByWords = by_nothing) -> bool:
    """Return whether the documents of events have to be looked at for what a query asks."""
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
    """Let a connection know the functions that conditions call."""
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
            case Pattern(pieces):  # GLOB would take a NUL for the end of the text
                sql.append(f"query_fits(?, {value})")
                bindings.append(json.dumps(pieces))
            case Range(low, high):
                given = [(sign, at) for sign, at in ((">=", low), ("<", high)) if at is not None]
                sql.append(f"ifnull({' AND '.join(f'{value} {sign} ?' for sign, _ in given)}, false)")
                bindings += [bound(term.field, at) for _, at in given]
    if equal:  # one list however many: SQLite bounds how deep an expression is
        sql.append(f"{value} IN ({', '.join('?' * len(equal))})" if len(equal) > 1 else f"{value} = ?")
        bindings += equal
    return f"({' OR '.join(sql)})", tuple(bindings)


def of_document(node: Node, *, tallied: bool = False) -> Condition:
    """Return the condition for the events whose documents match.

    What SQL can read is asked first, and only of the others a function in Python.
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
    """Return the condition that reads documents by SQL; one that can't be read is left to who says so."""
    sql, bindings = _of_values(node)
    otherwise, query = _matched(node)
    return f"CASE WHEN json_valid(document) THEN {sql} ELSE {otherwise} END", (*bindings, *query)


def _guarded(node: Node, condition: Condition, *, tallied: bool) -> Condition:
    """Return a condition that is asked only where the documents may match.

    To read a document takes many times as long as to see that a text is nowhere in it.
    """
    sql, bindings = condition
    possible = _possible(node)
    if tallied:
        possible = _joined(" AND ", [("query_searched()", ()), possible or ("true", ())])
    if possible is None:
        return condition
    return f"CASE WHEN {possible[0]} THEN {sql} ELSE false END", (*possible[1], *bindings)


def _possible(node: Node) -> Condition | None:
    """Return a condition that all events fulfil which match, and that is quickly checked, or None."""
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
    """Return the condition for the documents that have the texts of a pattern anywhere in them.

    Only texts are looked for that JSON has as they are. A word may be written in characters that are not
    ASCII; then the document is not either.
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
    """Return no more of an event than its title and message: that is read in a third of the time."""
    try:
        stored = orjson.loads(document)
        message = stored.get("attributes", {}).get("message", "")
        attributes = event_pb.EventAttributes(message=message)
        return event_pb.Event(title=stored.get("title", ""), attributes=attributes)
    except (ValueError, AttributeError, TypeError):
        return documents.parse(kind, event_id, document)  # which says what is wrong with it


@lru_cache(maxsize=1024)
def _pattern(pieces: str) -> Pattern:
    return Pattern(tuple(json.loads(pieces)))


@lru_cache(maxsize=1024)
def _tree(query: str) -> tuple[Node, bool]:
    """Return the tree of a query, and whether it asks for nothing but words of titles and messages."""
    tree = parse(query, _ANY_CLOCK)
    return tree, all(field.kind is Kind.PROSE for field in fields_of(tree))


def fields_of(node: Node) -> Iterator[fields.Field]:
    """Give the fields that a query asks about."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from fields_of(part)
        case Not(part):
            yield from fields_of(part)
        case Has(field) | Term(field):
            yield field
        case _:
            assert_never(node)
