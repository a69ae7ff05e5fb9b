"""From the text of a query to its tree, by recursive descent, and back.

query    = [or]
or       = and { "OR" and }
and      = not { ["AND"] not }
not      = ( "-" | "NOT" ) not | "(" or ")" | text | field
field    = name ":" ( value { "," value } | "(" value { ( "OR" | "," ) value } ")" )
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, assert_never

from tracker.domain.query import fields
from tracker.domain.query.fields import BY_NAME, FIELDS, TEXT, TIME, Kind
from tracker.domain.query.lexer import Lexer, QueryError, Sort, shown
from tracker.domain.query.tree import (
    EVERYTHING,
    And,
    Has,
    Not,
    Number,
    Or,
    Pattern,
    Range,
    Term,
    all_of,
    any_of,
)
from tracker.domain.query.values import ANYTHING, read_value
from tracker.errors import nearest
from tracker.time_text import MICROS, duration_text, moment_text

if TYPE_CHECKING:
    from tracker.domain.query.fields import Field
    from tracker.domain.query.lexer import Token
    from tracker.domain.query.tree import Node, Test
    from tracker.domain.query.values import Value
    from tracker.time_text import Clock


MAX_LENGTH: Final = 4_096
"""Characters of a query."""
MAX_TERMS: Final = 256
"""Words, phrases and values in it."""
MAX_DEPTH: Final = 32
"""How deep parentheses and negations may be nested."""

_BOUNDS: Final = {"since": ">=", "after": ">", "until": "<=", "before": "<"}
"""Names that bound an event's time, and the comparison of each."""
_NAMES: Final = (*BY_NAME, *_BOUNDS, "has")
_STARTS: Final = (Sort.OPEN, Sort.NOT, Sort.FIELD, Sort.TEXT)


def parse(text: str, clock: Clock) -> Node:
    """Return the tree of a query; `clock` resolves its dates and relative times.

    Raises:
        QueryError: The text is not a query, or too large.
    """
    if len(text) > MAX_LENGTH:
        message = f"a query has up to {MAX_LENGTH:,} characters, this one {len(text):,}"
        raise QueryError(message, MAX_LENGTH + 1)
    return _Parser(text, clock).parse()


class _Parser:
    def __init__(self, text: str, clock: Clock) -> None:
        self._lexer = Lexer(text)
        self._clock = clock
        self._terms = 0
        self._depth = 0
        self._token = self._lexer.next()

    def parse(self) -> Node:
        if self._token.sort is Sort.END:
            return EVERYTHING
        node = self._or()
        self._require(Sort.END, "AND, OR, a word, a field or the end of the query")
        return node

    def _or(self) -> Node:
        parts = [self._and()]
        while self._token.sort is Sort.OR:
            self._advance()
            parts.append(self._and())
        return any_of(tuple(parts))

    def _and(self) -> Node:
        parts = [self._not()]
        while self._token.sort in (Sort.AND, *_STARTS):
            if self._token.sort is Sort.AND:
                self._advance()
            parts.append(self._not())
        return all_of(tuple(parts))

    def _not(self) -> Node:
        token = self._token
        if token.sort in {Sort.NOT, Sort.OPEN}:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise QueryError(f"a query nests up to {MAX_DEPTH} deep", token.column)
            self._advance()
            node = Not(self._not()) if token.sort is Sort.NOT else self._group(token)
            self._depth -= 1
            return node
        if token.sort is Sort.FIELD:
            node = self._field(token)
        elif token.sort is Sort.TEXT:
            node = self._node(TEXT, [read_value(TEXT, token, "", self._clock)], token)
        else:
            raise self._unexpected("a word, a field or (")
        self._advance()
        return node

    def _group(self, opened: Token) -> Node:
        node = self._or()
        if self._token.sort is Sort.END:
            raise QueryError("expected the ) that closes this (", opened.column)
        self._require(Sort.CLOSE, "AND, OR, a word, a field or )")
        self._advance()
        return node

    def _field(self, named: Token) -> Node:
        name = named.text.lower()
        if name == "has":
            return self._has()
        field = TIME if name in _BOUNDS else fields.named(named.text)
        if field is None:
            meant = nearest(name, _NAMES) or f'; to search for the text, quote it: "{named.text}:…"'
            raise QueryError(f"no field {shown(named.text)}{meant}", named.column)
        return self._node(field, self._values(field, _BOUNDS.get(name, "")), named)

    def _has(self) -> Node:
        token = self._lexer.next_of_value(in_list=False)
        field = fields.named(token.text) if token.sort is Sort.TEXT else None
        if field is None:
            names = [*(field.name for field in FIELDS), "label.NAME"]
            meant = nearest(token.text, BY_NAME) if token.sort is Sort.TEXT else ""
            raise QueryError(f"expected a field after has:, one of {', '.join(names)}{meant}", token.column)
        self._count(token)
        return Has(field)

    def _values(self, field: Field, comparison: str) -> list[Value]:
        token = self._lexer.next_of_value(in_list=False)
        if token.sort is Sort.OPEN:
            return self._list(field, comparison, token)
        found = [self._value(field, comparison, token)]
        while self._lexer.at_comma():
            token = self._lexer.next_of_value(in_list=False)
            found.append(self._value(field, comparison, token))
        return found

    def _list(self, field: Field, comparison: str, opened: Token) -> list[Value]:
        token = self._lexer.next_of_value(in_list=True)
        found = [self._value(field, comparison, token, in_list=True)]
        while (token := self._lexer.next_of_value(in_list=True)).sort in {Sort.OR, Sort.COMMA}:
            token = self._lexer.next_of_value(in_list=True)
            found.append(self._value(field, comparison, token, in_list=True))
        if token.sort is Sort.END:
            raise QueryError("expected the ) that closes this (", opened.column)
        if token.sort is not Sort.CLOSE:
            raise QueryError("expected OR, a comma or ) after a value of a list", token.column)
        return found

    def _value(self, field: Field, comparison: str, token: Token, *, in_list: bool = False) -> Value:
        if token.sort is Sort.COMPARISON:
            if comparison:
                raise QueryError("expected a time such as 2h, yesterday or 2026-01-31", token.column)
            comparison = token.text
            token = self._lexer.next_of_value(in_list=in_list)
        if token.sort is not Sort.TEXT:
            where = "" if in_list else " right after the colon"
            raise QueryError(f"expected a value of {field.name}{where}", token.column)
        self._count(token)
        return read_value(field, token, comparison, self._clock)

    def _node(self, field: Field, values: list[Value], token: Token) -> Node:
        """Return the node for the alternatives of a field's value."""
        if field is TEXT and token.sort is Sort.TEXT:
            self._count(token)
        if ANYTHING in values:
            return Has(field)
        tests = dict.fromkeys(test for value in values if value is not ANYTHING for test in value)
        return Term(field, tuple(tests))

    def _count(self, token: Token) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise QueryError(f"a query has up to {MAX_TERMS} words and values", token.column)

    def _advance(self) -> None:
        self._token = self._lexer.next()

    def _require(self, sort: Sort, expected: str) -> None:
        if self._token.sort is not sort:
            raise self._unexpected(expected)

    def _unexpected(self, expected: str) -> QueryError:
        return QueryError(f"expected {expected}, found {self._token.sort.value}", self._token.column)


_BARE = re.compile(r"[\w/@#+][\w/@#+.-]*")
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_SHORT = 1_000
"""Microseconds; durations next to a multiple of it are written as that multiple, excluded."""
_FLAGS = ("false", "true")


def to_text(node: Node) -> str:
    """Return the text of a query; it parses to the same tree with any clock."""
    match node:
        case And(parts):
            return " ".join(map(_part, parts))
        case Or(parts):
            return " OR ".join(map(_part, parts))
        case Not(part):
            return f"-{_part(part)}"
        case Has(field):
            return f"has:{field.name}"
        case Term(field, tests):
            return _term(field, tests)
        case _:
            assert_never(node)


def _part(node: Node) -> str:
    """Return the text of a node inside another."""
    return f"({to_text(node)})" if isinstance(node, And | Or) else to_text(node)


def _term(field: Field, tests: tuple[Test, ...]) -> str:
    if len(tests) > 1:
        return f"{field.name}:({' OR '.join(_test(field, test) for test in tests)})"
    text = _test(field, tests[0])
    return text if field is TEXT else f"{field.name}:{text}"


def _test(field: Field, test: Test) -> str:
    match test:
        case Pattern():
            return _pattern(test)
        case Number(value) if field.kind is Kind.FLAG:
            return _FLAGS[value]
        case Number(value):
            return field.choice_name(value)
        case Range():
            return _length_range(test) if field.kind is Kind.DURATION else _moment_range(test)


def _length_range(bounds: Range) -> str:
    """Return a range of durations, which are points: `>5m` begins 1 µs after five minutes."""
    if bounds.low is None:
        high = bounds.high or 0
        return f"<={duration_text(high - 1)}" if high % _SHORT == 1 else f"<{duration_text(high)}"
    if bounds.high is not None:
        return f"{duration_text(bounds.low)}..{duration_text(bounds.high - 1)}"
    return (
        f">{duration_text(bounds.low - 1)}" if bounds.low % _SHORT == 1 else f">={duration_text(bounds.low)}"
    )


def _moment_range(bounds: Range) -> str:
    """Return a range of moments; its last one includes its whole second, or microsecond."""
    if bounds.low is None:
        return f"<{moment_text(bounds.high or 0)}"
    if bounds.high is None:
        return f">={moment_text(bounds.low)}"
    whole = bounds.high % MICROS == 0
    last = moment_text(bounds.high - (MICROS if whole else 1), exact=not whole)
    return f"{moment_text(bounds.low)}..{last}"


def _pattern(pattern: Pattern) -> str:
    if len(pattern.pieces) > 1:
        return "*".join(re.sub(r"(\W)", r"\\\1", piece) for piece in pattern.pieces)
    return value_text(pattern.pieces[0])


def value_text(text: str) -> str:
    """Return a text as a value of a query, in quotes where it needs them."""
    return text if _BARE.fullmatch(text) and text not in _OPERATORS else quoted(text)


def quoted(text: str) -> str:
    """Return a text in quotes, as queries take it."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
