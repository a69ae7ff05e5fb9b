"""The forms in which commands print."""

from __future__ import annotations

from enum import StrEnum


class Output(StrEnum):
    """A form of output, for people or for programs."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    YAML = "yaml"
    CSV = "csv"


def printable(text: str) -> str:
    """Return a text on one line, without control characters.

    Anybody may have written what a server returns.
    """
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )
