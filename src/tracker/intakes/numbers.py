"""Numbers of events, for clients of products whose ids are 64-bit integers.

A number follows from the id, and contains the first 48 bits of it, by which the event is found again. That
of a UUIDv7 has its time in ms and the lowest bits of its counter: events of one server never share one. The
others have 62 of the id's bits. Numbers are positive, and below 2^63.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

_SINCE: Final = 1_500_000_000_000
"""The time (ms) from which on numbers have that of a UUIDv7, for 2^41 ms, which is until 2087."""
_COUNTER: Final = 21
_OTHER: Final = 1 << 62
_REST: Final = 14
_VERSION = 7


def number_of(event_id: str) -> int:
    """Return the number of an event's id."""
    bits = UUID(event_id).int
    first = bits >> 80
    if (bits >> 76) & 0xF == _VERSION and 0 <= first - _SINCE < 1 << 41:
        return (first - _SINCE) << _COUNTER | (bits >> 32) & ((1 << _COUNTER) - 1)
    return _OTHER | first << _REST | ((bits >> 64) & 0xFFF) << 2 | (bits >> 60) & 0b11


def beginning_of(number: int) -> str:
    """Return what the ids of events with a number begin with."""
    first = (number - _OTHER) >> _REST if number >= _OTHER else (number >> _COUNTER) + _SINCE
    digits = f"{first:012x}"
    return f"{digits[:8]}-{digits[8:]}-"
