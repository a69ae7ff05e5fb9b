"""The contract of a store for the log of changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.pb import event_pb


CHANGES_KEPT = 100_000
"""How many changes of events are kept for those who watch, at least."""


LARGEST_LOGGED = 65_536
"""Bytes of the longest document that the log of events keeps a copy of."""


class ChangesForgottenError(Exception):
    """What followed a place in the log of events is no longer kept, or never was in it."""


class ChangeKind(IntEnum):
    """What became of an event; the numbers are stored."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change of an event: its number in the log, when it was made (microseconds since the epoch), and what.

    `event` is as the change left it, or as it was when it was deleted. Where its document is longer than
    `LARGEST_LOGGED`, it is as it is now; None where it is no more.
    """

    number: int
    at: int
    kind: ChangeKind
    event: event_pb.Event | None


class EventLog(Protocol):
    """What happened to events, in order: each change is in it soon after it was made, by the next number."""

    @property
    def name(self) -> str:
        """Which log this is: numbers mean nothing in another one."""

    @property
    def poll_seconds(self) -> float | None:
        """After how long to look for changes that others have made; None where `notify` tells of all."""

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` whenever there may be more to read."""

    async def end(self) -> int:
        """Return the number of the last change; 0 where there is none."""

    async def read(self, after: int, most: int) -> Sequence[LoggedChange]:
        """Return the changes behind a number, up to `most` of them.

        Raises:
            ChangesForgottenError: The next one is no longer kept, or the log never came so far.
        """
