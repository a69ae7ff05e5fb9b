"""What a query asks for, as SQL.

What has a column is asked of that. The rest is asked of the document, by functions in Python that SQLite
calls for the rows that are left: so it means the same here as anywhere.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, assert_never
from zoneinfo import ZoneInfo

from tracker.domain.query import Clock, fields, matches, parse, to_text
from tracker.domain.query.evaluation import fits, phrase
from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Span, Term
from tracker.pb import event_pb
from tracker.stores import documents

if TYPE_CHECKING:
    import apsw

    from tracker.domain.query import Node

Condition: TypeAlias = tuple[str, tuple[int | str, ...]]
"""An expression that is never NULL, and its bindings."""

_COLUMNS = {
    fields.ID: "id",
    fields.SLACK: "ifnull(slack_id, '')",
    fields.SERVICE: "service",
    fields.SOURCE: "source",
    fields.TYPE: "type",
    fields.PRIORITY: "priority",
    fields.STATUS: "status",
    fields.ENVIRONMENT: "environment",
    fields.IMPACT: "impact",
    fields.TIME: "time",
    fields.END: "end_time",
}
_ANY_CLOCK = Clock(0, ZoneInfo("UTC"))
_NOT_ASCII = "length(document) <> octet_length(document)"


def condition(node: Node) -> Condition:
    """Return the condition for the events that a query asks for."""
    match node:
        case And(parts):
            return _joined(" AND ", parts) if parts else ("true", ())
        case Or(parts):
            return _joined(" OR ", parts)
        case Not(part):
            sql, bindings = condition(part)
            return f"NOT {sql}", bindings
        case Has(field):
            return _of_document(node) if field not in _COLUMNS else (_has(field), ())
        case Term(field):
            return _of_document(node) if field not in _COLUMNS else _of_column(node)
        case _:
            assert_never(node)


def add_functions(connection: apsw.Connection) -> None:
    """Let a connection know the functions that conditions call."""
    connection.create_scalar_function("query_fits", _fits, 2, deterministic=True)
    connection.create_scalar_function("query_matches", _matches, 3, deterministic=True)


def _joined(word: str, parts: tuple[Node, ...]) -> Condition:
    conditions = [condition(part) for part in parts]
    sql = word.join(sql for sql, _ in conditions)
    return f"({sql})", tuple(binding for _, bindings in conditions for binding in bindings)


def _has(field: fields.Field) -> str:
    column = _COLUMNS[field]
    match field.kind:
        case Kind.KEYWORD | Kind.PROSE:
            return f"{column} <> ''"
        case Kind.CHOICE | Kind.FLAG:
            return f"{column} <> 0"
        case Kind.TIME | Kind.DURATION:
            return f"{column} IS NOT NULL"


def _of_column(term: Term) -> Condition:
    column = _COLUMNS[term.field]
    sql: list[str] = []
    bindings: list[int | str] = []
    for test in term.tests:
        match test:
            case Pattern((text,)):
                sql.append(f"{column} = ?")
                bindings.append(text)
            case Pattern(pieces):  # GLOB would take a NUL for the end of the text
                sql.append(f"query_fits(?, {column})")
                bindings.append(json.dumps(pieces))
            case Number(value):
                sql.append(f"{column} = ?")
                bindings.append(value)
            case Span(low, high):
                given = [(sign, bound) for sign, bound in ((">=", low), ("<", high)) if bound is not None]
                bounds = " AND ".join(f"{column} {sign} ?" for sign, _ in given)
                sql.append(f"({column} IS NOT NULL AND {bounds})")
                bindings += [bound for _, bound in given]
    return f"({' OR '.join(sql)})", tuple(bindings)


def _of_document(node: Term | Has) -> Condition:
    sql, bindings = "query_matches(?, id, document)", (to_text(node),)
    if not isinstance(node, Term) or node.field.kind is not Kind.PROSE:
        return sql, bindings
    words = [word for test in node.tests if isinstance(test, Pattern) for word in phrase(test).words[:1]]
    if not all(map(str.isascii, words)):
        return sql, bindings
    # Reading a document takes twenty times as long as to see that the word is nowhere in it. Only in one
    # that is not all ASCII may the word be written in other characters.
    possible = " OR ".join(["document LIKE ?"] * len(words) + [_NOT_ASCII])
    return f"(CASE WHEN {possible} THEN {sql} ELSE false END)", (*(f"%{word}%" for word in words), *bindings)


def _fits(*arguments: apsw.SQLiteValue) -> bool:
    pieces, text = map(str, arguments)
    return fits(_pattern(pieces), text)


def _matches(*arguments: apsw.SQLiteValue) -> bool:
    query, event_id, document = map(str, arguments)
    return matches(_tree(query), documents.parse(event_pb.Event, event_id, document))


@lru_cache(maxsize=1024)
def _pattern(pieces: str) -> Pattern:
    return Pattern(tuple(json.loads(pieces)))


@lru_cache(maxsize=1024)
def _tree(query: str) -> Node:
    return parse(query, _ANY_CLOCK)
