"""The meaning of the values of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from tracker.domain.query.fields import TEXT, Kind
from tracker.domain.query.lexer import QueryError, shown
from tracker.domain.query.matching import ends_in_word, fits, words
from tracker.domain.query.tree import Number, Pattern, Range
from tracker.errors import nearest
from tracker.time_text import DURATION, EARLIEST, LATEST, LONGEST, TIME, hint, read_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.domain.query.fields import Field
    from tracker.domain.query.lexer import Token
    from tracker.domain.query.tree import Test
    from tracker.time_text import Clock, Interval

Value: TypeAlias = "tuple[Test, ...]"
"""Tests, one of which a field must pass."""

ANYTHING: Final[Value] = ()
"""A value that is only a wildcard: the field must be set."""

MAX_WILDCARDS: Final = 8
"""Wildcards in one value."""

_FLAGS: Final = {"true": 1, "yes": 1, "on": 1, "1": 1, "false": 0, "no": 0, "off": 0, "0": 0}
_RANGE: Final = ".."


def read_value(field: Field, token: Token, comparison: str, clock: Clock) -> Value:
    """Return the tests of one value of a field; `comparison` precedes it: `>`, `<=` or nothing.

    Raises:
        QueryError: The field takes no such value.
    """
    if len(token.pieces) > 1 and not any(token.pieces):
        if comparison:
            raise QueryError("a comparison takes no wildcard", token.column)
        return ANYTHING
    if len(token.pieces) > MAX_WILDCARDS + 1:
        raise QueryError(f"a value has up to {MAX_WILDCARDS} wildcards", token.column)
    if field.kind is Kind.TIME:
        return (_range(field, token, comparison, clock.read, EARLIEST, LATEST),)
    if field.kind is Kind.DURATION:
        return (_range(field, token, comparison, read_duration, 0, LONGEST),)
    if field.ordered:
        return _choices_in_order(field, token, comparison)
    if comparison:
        raise QueryError(f"{field.name} has no order; expected a value without {comparison}", token.column)
    return _READERS[field.kind](field, token)


def _keyword(field: Field, token: Token) -> Value:
    if not any(token.pieces):
        raise QueryError(f"expected a value; -has:{field.name} finds events without one", token.column)
    first, *others = token.pieces
    if not others:
        return (Pattern((first,)),)
    *middle, last = others
    return (Pattern((first, *(piece for piece in middle if piece), last)),)


def _phrase(field: Field, token: Token) -> Value:
    text, *rest = token.pieces
    if rest not in ([], [""]) or (rest and not ends_in_word(text)):
        raise QueryError("in a text, a wildcard stands at the end of a word: deploy*", token.column)
    if not words(text):
        what = "expected a word" if field is TEXT else f"expected a word of the {field.name}"
        raise QueryError(f"{what}; {shown(text)} has no letter and no digit", token.column)
    return (Pattern(token.pieces),)


def _flag(field: Field, token: Token) -> Value:
    value = _FLAGS.get(token.text.lower())
    if value is None:
        raise QueryError(f"{field.name} is true or false, not {shown(token.text)}", token.column)
    return (Number(value),)


def _choices(field: Field, token: Token) -> Value:
    """Return the values of a choice that a text names, several where it has wildcards."""
    pattern = Pattern(tuple(piece.lower().replace("-", "_") for piece in token.pieces))
    found = sorted({number for name, number in field.choices.items() if fits(pattern, name.lower())})
    if len(pattern.pieces) > 1:
        found = [number for number in found if number]
    if not found:
        raise QueryError(
            f"{field.name} is one of {', '.join(_own_names(field))}, not {shown(token.text)}"
            f"{nearest(token.text, field.choices)}",
            token.column,
        )
    return tuple(map(Number, found))


_READERS: Final = {Kind.KEYWORD: _keyword, Kind.PROSE: _phrase, Kind.FLAG: _flag, Kind.CHOICE: _choices}


def _own_names(field: Field) -> list[str]:
    return [field.choice_name(number) for number in dict.fromkeys(field.choices.values()) if number]


def _choices_in_order(field: Field, token: Token, comparison: str) -> Value:
    """Return the values of a choice that a range of them names, as numbers: P1 comes before P2."""
    start, is_range, end = token.text.partition(_RANGE)
    if token.quoted or not (is_range or comparison):
        return _choices(field, token)
    if is_range and comparison:
        raise QueryError(f"expected one {field.name} after {comparison}, or a range without it", token.column)
    names = _own_names(field)
    low, high = 1, max(field.choices.values())
    if is_range:
        low, high = _place(field, start, token) if start else low, _place(field, end, token) if end else high
    else:
        named = _place(field, start, token)
        low = {">": named + 1, ">=": named, "=": named}.get(comparison, low)
        high = {"<": named - 1, "<=": named, "=": named}.get(comparison, high)
    found = tuple(Number(number) for number in range(low, high + 1))
    if not found:
        order = f"{names[0]} comes before {names[-1]}"
        raise QueryError(f"no {field.name} is in this range; {order}", token.column)
    return found


def _place(field: Field, text: str, token: Token) -> int:
    number = {name.upper(): number for name, number in field.choices.items() if number}.get(text.upper())
    if number is None:
        names = ", ".join(_own_names(field))
        raise QueryError(f"{field.name} is one of {names}, not {shown(text)}", token.column)
    return number


def _range(  # noqa: PLR0913, PLR0917 - the bounds go with the reader
    field: Field,
    token: Token,
    comparison: str,
    read: Callable[[str], Interval | None],
    lowest: int,
    highest: int,
) -> Range:
    """Return the range of a value: a comparison, two bounds, or the interval of a text."""

    def named(text: str) -> Interval:
        found = read(text)
        if found is None:
            expected = f"expected {_EXPECTED[field.kind]}"
            raise QueryError(f"{expected}, found {shown(text)}{hint(text)}", token.column)
        return found

    start, is_range, end = token.text.partition(_RANGE)
    if is_range:
        if comparison:
            raise QueryError(f"expected one value after {comparison}, or a range without it", token.column)
        if not start and not end:
            raise QueryError(f"expected {_EXPECTED[field.kind]} on one side of the ..", token.column)
        low = named(start).low if start else None
        high = _end(field, named(end)) if end else None
    else:
        low, high = _compared(field, comparison, named(start))
    first, stop = lowest if low is None else max(low, lowest), highest + 1 if high is None else high
    if first >= min(stop, highest + 1):
        raise QueryError("nothing is in this range", token.column)
    high = None if stop > highest else stop
    return Range(None if low is None and high is not None else first, high)


def _compared(field: Field, comparison: str, named: Interval) -> tuple[int | None, int | None]:
    low, end = named.low, _end(field, named)
    bounds = {">": (end, None), ">=": (low, None), "<": (None, low), "<=": (None, end)}
    return bounds.get(comparison, named)


def _end(field: Field, named: Interval) -> int:
    """Return the bound after a named value: a day has an end, five minutes are a point on a scale."""
    return named.low + 1 if field.kind is Kind.DURATION else named.high


_EXPECTED: Final = {Kind.TIME: TIME, Kind.DURATION: DURATION}
