"""A record's document: the ProtoJSON of its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from protobuf import Message

M = TypeVar("M", bound="Message")


def parse(kind: type[M], name: str, document: bytes | str) -> M:
    """Return the message in a stored document.

    Fields that a newer Tracker wrote are ignored, so the store stays readable after a downgrade. Only a
    second try ignores them, because the library then also drops enum numbers without a name.

    Args:
        kind: The message.
        name: The id or name of the record.
        document: The ProtoJSON; as bytes where it may not be the UTF-8 that text must be.

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
