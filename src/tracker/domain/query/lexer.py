"""Tokens of a query, and errors in it.

The meaning of a character depends on its place: a colon ends a field's name, but is part of a time. The
parser therefore asks for the next token of a query, or of a field's value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tracker.domain.query.fields import BY_NAME, LABEL_NAME

_SHOWN = 40


class QueryError(Exception):
    """A text is not a query; `column` is the place of the error, in characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


def shown(text: str) -> str:
    """Return a part of a query as an error quotes it, cut to a length that fits a message."""
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'


class Sort(Enum):
    """The kind of a token; the value is its name in errors."""

    OPEN = "("
    CLOSE = ")"
    AND = "AND"
    OR = "OR"
    NOT = "NOT"
    COMMA = "a comma"
    FIELD = "a field"
    COMPARISON = "a comparison"
    TEXT = "a word"
    END = "the end of the query"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and the column (from 1) where it begins.

    `pieces` are the parts of a text between its wildcards; a quoted one has no wildcards.
    """

    sort: Sort
    column: int
    pieces: tuple[str, ...] = ("",)
    quoted: bool = False

    @property
    def text(self) -> str:
        """The text as written, without quotes and backslashes."""
        return "*".join(self.pieces)


_SPACE = re.compile(r"\s*")
_FIELD = re.compile(rf"((?i:labels?\.){LABEL_NAME}|[^\W\d][\w.-]*):")
_COMPARED = re.compile(r"([^\W\d]\w*)(?=[<>]|=\S)")
_COMPARISON = re.compile(r"[<>]=?|=")
_SIGNS: Final = {"(": Sort.OPEN, ")": Sort.CLOSE}
_WORDS: Final = {"AND": Sort.AND, "OR": Sort.OR, "NOT": Sort.NOT}


class Lexer:
    """Reads a text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def next(self) -> Token:
        """Return the next token of a query."""
        column = self._skip_space()
        character = self._text[self._at : self._at + 1]
        if sort := Sort.END if not character else _SIGNS.get(character):
            self._at += len(character)
            return Token(sort, column)
        if character == "-":
            self._at += 1
            return Token(Sort.NOT, column)
        if field := self._field():
            self._at += len(field[0])
            return Token(Sort.FIELD, column, (field[1],))
        token = self._text_token(column, ends='()"')
        return Token(_WORDS.get(token.text, Sort.TEXT), column) if self._plain(token) in _WORDS else token

    def next_of_value(self, *, in_list: bool) -> Token:
        """Return the next token of a field's value, which begins right here unless `in_list`."""
        column = self._skip_space() if in_list else self._at + 1
        character = self._text[self._at : self._at + 1]
        if not character or (character.isspace() and not in_list):
            return Token(Sort.END, column)
        if sort := Sort.COMMA if character == "," else _SIGNS.get(character):
            self._at += 1
            return Token(sort, column)
        if comparison := _COMPARISON.match(self._text, self._at):
            self._at = comparison.end()
            return Token(Sort.COMPARISON, column, (comparison[0],))
        token = self._text_token(column, ends='()",')
        return Token(Sort.OR, column) if in_list and self._plain(token) == "OR" else token

    def at_comma(self) -> bool:
        """Skip a comma that is right here, and return whether there was one."""
        found = self._text.startswith(",", self._at)
        self._at += found
        return found

    def _skip_space(self) -> int:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._at + 1

    def _field(self) -> re.Match[str] | None:
        """Return the match of a field's name here, before a colon or a comparison."""
        if compared := _COMPARED.match(self._text, self._at):
            return compared if compared[1].lower() in BY_NAME else None
        return _FIELD.match(self._text, self._at)

    def _plain(self, token: Token) -> str:
        """Return a text that has neither quotes nor backslashes in it, or ""."""
        text = token.text
        return text if not token.quoted and self._text.startswith(text, token.column - 1) else ""

    def _text_token(self, column: int, *, ends: str) -> Token:
        if self._text[self._at] == '"':
            return Token(Sort.TEXT, column, (self._quoted(column),), quoted=True)
        pieces = [""]
        while self._at < len(self._text):
            character = self._text[self._at]
            if character.isspace() or character in ends:
                break
            if character == "*":
                pieces.append("")
            else:
                pieces[-1] += self._character()
            self._at += 1
        return Token(Sort.TEXT, column, tuple(pieces))

    def _quoted(self, column: int) -> str:
        characters: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            if self._text[self._at] == '"':
                self._at += 1
                return "".join(characters)
            characters.append(self._character())
            self._at += 1
        raise QueryError('expected a closing "', column)

    def _character(self) -> str:
        """Return the character here, or the one after it where this is a backslash."""
        if self._text[self._at] == "\\":
            self._at += 1
            if self._at == len(self._text):
                raise QueryError("expected a character after the backslash", self._at)
        return self._text[self._at]
