"""Numbers of things, as people read them."""

from __future__ import annotations


def number_of(count: int, noun: str, several: str = "") -> str:
    """Return a number of things, such as `1 event`, `1,000 events`, `2 entries`."""
    return f"{count:,} {noun_of(count, noun, several)}"


def noun_of(count: int, noun: str, several: str = "") -> str:
    """Return what so many things are called: with one letter more unless it is one, or as is said."""
    return noun if count == 1 else several or f"{noun}s"
