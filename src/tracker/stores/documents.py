"""A record's document: the ProtoJSON of its message."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from tracker.domain.changelog import shown
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from protobuf import Message

_SURELY_SHORT = 4_096
"""Length of an event's document up to which its changelog is not too long to be answered."""

M = TypeVar("M", bound="Message")
D = TypeVar("D", bytes, str)

READ: ContextVar[Callable[[int], None]] = ContextVar("READ", default=lambda _: None)
"""Is told the bytes of each document of a list before it becomes a message; raises where they are too many.

It is set for a call, whose answer the list is for, and may be called by a thread.
"""


def read_list(read: Callable[[str, D], M], rows: Iterable[tuple[str, D]]) -> list[M]:
    """Return what `read` makes of the documents of a list, given with their names; see `READ`."""
    report = READ.get()
    messages: list[M] = []
    size = 0
    try:
        for name, document in rows:
            report(len(document))
            size += len(document)
            messages.append(read(name, document))
    except BaseException:
        messages.clear()  # the error's traceback has this frame
        report(-size)
        raise
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
        noun = kind.desc().name.lower()
        raise TrackerError(
            Reason.STORE_CORRUPT, f"the stored {noun} {name} can't be read: {error}", metadata={noun: name}
        ) from error


def read_event(name: str, document: bytes | str) -> event_pb.Event:
    """Return the event in a stored document, as it is answered.

    Raises:
        TrackerError: DATA_LOSS; the document can't be read.
    """
    event = parse(event_pb.Event, name, document)
    return event if len(document) <= _SURELY_SHORT else shown(event)
