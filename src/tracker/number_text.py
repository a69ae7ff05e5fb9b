"""Numbers of things, as people read them."""

from __future__ import annotations


def number_of(count: int, noun: str) -> str:
    """Return a number of things, which have one letter more unless it is one: `1 event`, `1,000 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
