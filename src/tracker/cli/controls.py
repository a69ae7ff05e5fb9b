"""Characters that can control a terminal: move its cursor, turn text round, or hide it."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_ASCII = re.compile(r"[^\n -~]")


def printable(text: str) -> str:
    """Return a text on one line, without control characters.

    Anybody may have written what a server returns.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def replaced_controls(text: str, replace: Callable[[str], str]) -> str:
    """Return a text in which every character that can control a terminal, except a line feed, is replaced."""

    def replaced(found: re.Match[str]) -> str:
        each = found[0]
        return each if each.isprintable() or unicodedata.category(each) == "Zs" else replace(each)

    return _NOT_ASCII.sub(replaced, text)
