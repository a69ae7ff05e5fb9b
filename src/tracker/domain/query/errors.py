"""Errors of queries, and their places."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class QueryError(Exception):
    """A text is not a query; `column` is the place of the error, in characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` with the known word nearest to a wrong one, or "" where none is near."""
    found = get_close_matches(wrong.lower()[:_COMPARED], known, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def shown(text: str) -> str:
    """Return a part of a query as an error quotes it, cut to a length that fits a message."""
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'


_COMPARED = 40
_SHOWN = 40
