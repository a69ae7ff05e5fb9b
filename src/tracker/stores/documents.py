"""A record's document: the ProtoJSON of its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from protobuf import Message

M = TypeVar("M", bound="Message")


def parse(kind: type[M], name: str, document: bytes | str) -> M:
    """Return the message in a stored document.

    What a newer Tracker wrote and this one doesn't know is passed over, so that going back a version leaves
    the store readable. That is the second try: the library then drops enum numbers without a name too.

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
