"""The lines of JSON that an event is archived as, which `tracker import` reads."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from tracker.domain.events import metadata_of
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINE_BYTES: Final = 2**20
"""Bytes of changelog entries at which another line continues the event."""


def lines(event: event_pb.Event, changelog: Sequence[event_pb.ChangelogEntry]) -> Iterator[bytes]:
    """Yield an event as lines: those after the first continue a long changelog.

    `changelog` has all entries of an event that is stored without the first of them.
    """
    if not event.changelog_total:
        yield _line(event)
        return
    part = copy.copy(event)
    part.changelog_total, part.changelog, size = 0, [], 0
    for number, entry in enumerate(changelog):
        if size > _LINE_BYTES:
            yield _line(part)
            part = event_pb.Event(title=event.title, metadata=metadata_of(event), changelog_from=number)
            size = 0
        part.changelog.append(entry)
        size += len(entry.to_binary())
    yield _line(part)


def _line(event: event_pb.Event) -> bytes:
    return event.to_json().encode() + b"\n"
