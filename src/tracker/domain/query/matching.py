"""Evaluation of a query on one event in memory, and the words in which texts are searched."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, assert_never

from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import And, Has, Not, Number, Or, Pattern, Range, Term

if TYPE_CHECKING:
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node, Test
    from tracker.pb import event_pb

MAX_WORD = 256
"""Characters of a word that count."""

RULES: Final = f"1, Unicode {unicodedata.unidata_version}"
"""The version of the rules that split a text into words; words by other rules can't be compared."""

# Scripts that are written without spaces: each character is a word, so that a phrase finds a part of a text.
_SPACELESS = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")


def words(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits, without regard to case or width."""
    return [word[:MAX_WORD] for word in _WORD.findall(_folded(text))]


def ends_in_word(text: str) -> bool:
    """Return whether the last word of a text extends to its end."""
    folded = _folded(text)
    return any(word.end() == len(folded) for word in _WORD.finditer(folded))


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return text.casefold()


@dataclass(frozen=True, slots=True)
class Phrase:
    """Consecutive words; with `prefix`, the last one may be the beginning of a word."""

    words: tuple[str, ...]
    prefix: bool = False

    def occurs_in(self, text: str) -> bool:
        """Return whether a text contains the phrase."""
        if len(text) >= _LONG_TEXT:
            return self.is_among(_words_of_long(text))
        if text.isascii() and (pattern := _in_ascii(self.words, self.prefix)) is not None:
            return pattern.search(text) is not None
        return self.is_among(_spaced(text))

    def is_among(self, spaced: str) -> bool:
        """Return whether the words of a text, between spaces, contain the phrase."""
        return f" {' '.join(self.words)}{'' if self.prefix else ' '}" in spaced


_LONG_TEXT = 4_096
"""Characters from which on a text is divided into words once, however many phrases it is searched for."""


def _spaced(text: str) -> str:
    return f" {' '.join(words(text))} "


_words_of_long = lru_cache(maxsize=8)(_spaced)


@lru_cache(maxsize=1024)
def _in_ascii(words_: tuple[str, ...], prefix: bool) -> re.Pattern[str] | None:  # noqa: FBT001 - a part of the key
    """Return a pattern for a phrase in ASCII text, five times as fast, or None where words are cut."""
    if not words_ or any(len(word) >= MAX_WORD for word in words_):
        return None
    phrase = "[^a-z0-9]+".join(map(re.escape, words_))
    end = "" if prefix else "(?![a-z0-9])"
    return re.compile(f"(?<![a-z0-9]){phrase}{end}", re.ASCII | re.IGNORECASE)


def matches(node: Node, event: event_pb.Event) -> bool:
    """Return whether an event matches a query."""
    match node:
        case And(parts):
            return all(matches(part, event) for part in parts)
        case Or(parts):
            return any(matches(part, event) for part in parts)
        case Not(part):
            return not matches(part, event)
        case Has(field):
            return _has(field, event)
        case Term(field, tests):
            return _passes(field, tests, event)
        case _:
            assert_never(node)


def fits(pattern: Pattern, text: str) -> bool:
    """Return whether a pattern matches a whole text."""
    first, *others = pattern.pieces
    if not others:
        return text == first
    *middle, last = others
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    start, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, start, end)
        if found < 0:
            return False
        start = found + len(piece)
    return True


@lru_cache(maxsize=1024)
def phrase(pattern: Pattern) -> Phrase:
    """Return the phrase of a pattern for prose, whose only wildcard may be at the end."""
    return Phrase(tuple(words(pattern.pieces[0])), prefix=len(pattern.pieces) > 1)


def _has(field: Field, event: event_pb.Event) -> bool:
    match field.kind:
        case Kind.KEYWORD | Kind.PROSE:
            return bool(field.texts(event))
        case Kind.CHOICE | Kind.FLAG:
            return field.number(event) != 0
        case Kind.TIME | Kind.DURATION:
            return field.number(event) is not None


def _passes(field: Field, tests: tuple[Test, ...], event: event_pb.Event) -> bool:
    texts, number = field.texts(event), field.number(event)
    for test in tests:
        match test:
            case Pattern() if field.kind is Kind.PROSE:
                passed = any(phrase(test).occurs_in(text) for text in texts)
            case Pattern():
                passed = any(fits(test, text) for text in texts)
            case Number(value):
                passed = number == value
            case Range(low, high):
                passed = (
                    number is not None and (low is None or number >= low) and (high is None or number < high)
                )
        if passed:
            return True
    return False
