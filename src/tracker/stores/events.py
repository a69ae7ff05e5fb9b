"""The contract of a store for events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.domain.event_locks import EventChange
    from tracker.domain.events import EventKey, ExternalId
    from tracker.domain.locks import Release
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import EventFilter
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page


MOST_COUNTED = 10_000
"""Up to how many events the total of a list is exact."""


class SlackIdTakenError(TrackerError):
    """The Slack id of an event to be stored belongs to the event `event_id`."""

    def __init__(self, slack_id: str, event_id: str) -> None:
        message = f"slack_id {slack_id} already belongs to the event {event_id}"
        metadata = {"slack_id": slack_id, "event_id": event_id}
        super().__init__(Reason.SLACK_ID_TAKEN, message, metadata=metadata)
        self.event_id = event_id


class ExternalIdTakenError(TrackerError):
    """The external id of an event to be stored belongs to the event `event_id` of the same source."""

    def __init__(self, external: ExternalId, event_id: str) -> None:
        source, value = external.source, external.value
        message = f"the external_id {value} of {source} already belongs to the event {event_id}"
        metadata = {"source": source, "external_id": value, "event_id": event_id}
        super().__init__(Reason.EXTERNAL_ID_TAKEN, message, metadata=metadata)
        self.event_id = event_id


Added: TypeAlias = "bool | SlackIdTakenError | ExternalIdTakenError"
"""What became of one of many events: whether it was new and is stored, or why it can't be."""


@dataclass(slots=True)
class Explanation:
    """What a store did for the calls that it was given to: steps, for people, and documents searched."""

    steps: list[str] = field(default_factory=list)
    documents: int = 0

    def count(self, *_: object) -> bool:
        """Count a document."""
        self.documents += 1
        return True

    def add(self, other: Explanation) -> None:
        """Add what was done for another call."""
        self.steps += other.steps
        self.documents += other.documents


@dataclass(frozen=True, slots=True)
class DeletedEvent:
    """An event that is no more, as it was, and the locks that ended with it."""

    event: event_pb.Event
    locks: Sequence[lock_pb.Lock] = ()


@dataclass(frozen=True, slots=True)
class MonthCount:
    """How many events fell in one month (UTC); `service` is empty unless counted by service."""

    year: int
    month: int
    service: str
    count: int


class Tally(NamedTuple):
    """How many events have a value: a text, "" where it is unset, or the number of a choice or a flag."""

    value: str | int
    events: int


class EventStore(Protocol):
    """Events. A Slack id, where set, belongs to one event; an external id, to one of its source.

    Where a call that finds or counts events is given an `Explanation`, it adds to that how it did so.
    """

    async def create(
        self, event: event_pb.Event, lock: lock_pb.Lock | None, once: Once[event_pb.Event] | None = None
    ) -> None:
        """Store a new event and take `lock`, as `LockStore.acquire` does, with it: both or neither.

        Raises:
            LockHeldError: The lock's key is held.
            SlackIdTakenError: Another event has this Slack id.
            ExternalIdTakenError: Another event has this external id; where that one is being stored at the
                same time, it may be for the lock that it takes that this one is refused.
        """

    async def add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        """Store those of many events whose ids are new, without locks; return what became of each.

        Each event is a step of its own, and of two that exclude each other the first is stored. Where the
        call raises, some of them may be stored; adding them again passes those over.
        """

    async def get(self, key: EventKey) -> event_pb.Event | None:
        """Return the event of a key, or None."""

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None = None,
    ) -> event_pb.Event | None:
        """Replace an event by what `change` makes of it and of the locks that carry its id.

        What follows for locks happens with it, or nothing does. Returns the new document, or None
        where there is no such event.

        Raises:
            LockHeldError: The key of the lock to be taken is held.
            SlackIdTakenError: Another event has the new Slack id.
            ExternalIdTakenError: Another event has the new external id.
        """

    async def delete(
        self, key: EventKey, release: Release, once: Once[DeletedEvent] | None = None
    ) -> DeletedEvent | None:
        """Delete an event and end the locks that carry its id; return what that was, or None."""

    async def find(
        self,
        where: EventFilter,
        page: Page,
        explanation: Explanation | None = None,
        *,
        oldest_first: bool = False,
    ) -> Found[event_pb.Event]:
        """Return a page of the matching events, newest first: by descending (`event_time`, id), or ascending.

        The total is exact up to `MOST_COUNTED`; more need not be counted, where that would take long.
        """

    async def count(self, where: EventFilter) -> int:
        """Count the matching events."""

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        """Count the matching events by the month (UTC) of their time, ordered by year, month, service."""

    async def count_by(
        self, where: EventFilter, fields: Sequence[Field], most: int, explanation: Explanation | None = None
    ) -> tuple[int, Sequence[Sequence[Tally]]]:
        """Count the matching events, and those of the `most` most frequent values of each field.

        The fields are of one value each; of values as frequent, the lesser come first.
        """

    async def count_between(
        self,
        where: EventFilter,
        edges: Sequence[int],
        by: Field | None,
        explanation: Explanation | None = None,
    ) -> Sequence[Mapping[str | int, int]]:
        """Count the matching events whose time is between each two neighbours of `edges`, by a field.

        Edges (microseconds since the epoch) rise; each belongs to what follows. Without a field, all count
        under "". `where` has no `since` and no `until`.
        """

    async def durations_between(
        self, where: EventFilter, edges: Sequence[int], explanation: Explanation | None = None
    ) -> Sequence[Sequence[int]]:
        """Return the durations, in microseconds and rising, of what `count_between` would count."""
