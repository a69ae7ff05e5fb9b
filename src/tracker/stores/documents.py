"""A record's document: the ProtoJSON of its message."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

import orjson

from tracker.domain.changelog import shown
from tracker.domain.event_briefs import brief_of
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from protobuf import Message

    from tracker.domain.event_briefs import EventBrief

_SURELY_SHORT = 4_096
"""Length of an event's document up to which its changelog is not too long to be answered."""

_REPORTED_BYTES = 16 * 1024

T = TypeVar("T")
M = TypeVar("M", bound="Message")
D = TypeVar("D", bytes, str)

READ: ContextVar[Callable[[int], None]] = ContextVar("READ", default=lambda _: None)
"""Is told the bytes of the documents of a list before they become messages; raises where they are too many.

It is set for a call, whose answer the list is for, and may be called by a thread.
"""


def read_list(parse_one: Callable[[str, D], T], rows: Iterable[tuple[str, D]]) -> list[T]:
    """Return what `parse_one` makes of the documents of a list, given with their names; see `READ`."""
    report = READ.get()
    messages: list[T] = []
    read, reported = 0, 0
    try:
        for name, document in rows:
            read += len(document)
            if read - reported > _REPORTED_BYTES:
                report(read - reported)
                reported = read
            messages.append(parse_one(name, document))
    except BaseException:
        messages.clear()  # the error's traceback has this frame
        report(-reported)
        raise
    report(read - reported)
    return messages


def parse(kind: type[M], name: str, document: bytes | str) -> M:
    """Return the message in a document; `name` is the id or name of its record.

    Fields that a newer Tracker wrote are ignored, so the store stays readable after a downgrade. Only a
    second try ignores them, because the library then also drops enum numbers without a name.

    Bytes are given where a document may not be valid UTF-8.

    Raises:
        TrackerError: DATA_LOSS; the document can't be read.
    """
    try:
        return kind.from_json(document)
    except (ValueError, TypeError):
        pass
    try:
        return kind.from_json(document, ignore_unknown_fields=True)
    except (ValueError, TypeError) as error:
        raise _unreadable(kind.desc().name.lower(), name, error) from error


def _unreadable(noun: str, name: str, error: Exception) -> TrackerError:
    text = f"the stored {noun} {name} can't be read: {error}"
    return TrackerError(Reason.STORE_CORRUPT, text, metadata={noun: name})


def read_event(name: str, document: bytes | str) -> event_pb.Event:
    """Return the event in a stored document, as it is answered.

    Raises:
        TrackerError: DATA_LOSS; the document can't be read.
    """
    event = parse(event_pb.Event, name, document)
    return event if len(document) <= _SURELY_SHORT else shown(event)


def read_brief(name: str, document: bytes | str) -> EventBrief:
    """Return what is needed of an event of many, which takes a third of the time of `read_event`.

    Raises:
        TrackerError: DATA_LOSS; the document can't be read.
    """
    try:
        return brief_of(name, orjson.loads(document))
    except (ValueError, TypeError, AttributeError) as error:
        raise _unreadable("event", name, error) from error
