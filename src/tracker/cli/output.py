"""In which form a command prints what it found."""

from __future__ import annotations

from enum import StrEnum


class Output(StrEnum):
    """For whom a command prints: people, or programs of one kind or another."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    YAML = "yaml"
    CSV = "csv"


def printable(text: str) -> str:
    """Return a text on one line, without what would have a terminal do something.

    What a server says may have been written by anybody.
    """
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )
