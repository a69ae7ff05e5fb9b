"""The contract of a store for events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from tracker.domain.changelog import LONGEST_VALUE, shortened_entry
from tracker.domain.query.fields import BY_NAME
from tracker.errors import Reason, TrackerError
from tracker.stores.pages import Found, first_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tracker.domain.event_briefs import EventBrief
    from tracker.domain.event_locks import EventChange
    from tracker.domain.events import EventKey, ExternalId
    from tracker.domain.locks import Release
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import EventFilter
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Page, Reading


MOST_COUNTED = 10_000
"""The total of a list is exact up to this number of events."""


COUNTED: Final = frozenset(
    BY_NAME[name] for name in ("service", "type", "priority", "status", "environment", "impact")
)
"""Fields by whose values stores keep counts of all events: these values have few combinations."""


MAX_SEARCH_SECONDS = 2.0
"""The maximum time that a query may search the documents of events."""


class IdTakenError(TrackerError):
    """An id of an event to be stored belongs to the event `event_id`, which a caller may not know."""

    def __init__(self, reason: Reason, what: str, metadata: Mapping[str, str], event_id: str) -> None:
        self.event_id = event_id
        self._of = (reason, what, metadata)
        of_event = {"event_id": event_id} if event_id else {}
        whose = f"the event {event_id}" if event_id else "another event"
        super().__init__(reason, f"{what} already belongs to {whose}", metadata={**metadata, **of_event})

    def without_event(self) -> IdTakenError:
        """Return the same error, which does not name the other event."""
        return IdTakenError(*self._of, event_id="")


class SlackIdTakenError(IdTakenError):
    """The Slack id is taken."""

    def __init__(self, slack_id: str, event_id: str) -> None:
        metadata = {"slack_id": slack_id}
        super().__init__(Reason.SLACK_ID_TAKEN, f"slack_id {slack_id}", metadata, event_id)


class ExternalIdTakenError(IdTakenError):
    """The external id is taken by an event of the same source."""

    def __init__(self, external: ExternalId, event_id: str) -> None:
        source, value = external.source, external.value
        metadata, what = {"source": source, "external_id": value}, f"the external_id {value} of {source}"
        super().__init__(Reason.EXTERNAL_ID_TAKEN, what, metadata, event_id)


Added: TypeAlias = "bool | SlackIdTakenError | ExternalIdTakenError"
"""The outcome for one of many events: whether it was new and is stored, or why it is refused."""


def searched_too_long() -> TrackerError:
    """Return the error for a query that has searched documents for too long."""
    message = (
        f"the query searched events for {MAX_SEARCH_SECONDS:g} s; narrow it by a time or by other fields"
    )
    return TrackerError(Reason.QUERY_TOO_LONG, message)


@dataclass(slots=True)
class Explanation:
    """How a store answered the calls that it was given to: steps, for people, and documents searched."""

    steps: list[str] = field(default_factory=list)
    documents: int = 0

    def count(self, *_: object) -> bool:
        """Count a document."""
        self.documents += 1
        return True

    def add(self, other: Explanation) -> None:
        """Add the explanation of another call."""
        self.steps += other.steps
        self.documents += other.documents


@dataclass(frozen=True, slots=True)
class DeletedEvent:
    """A deleted event, and the locks that ended with it."""

    event: event_pb.Event
    locks: Sequence[lock_pb.Lock] = ()


@dataclass(frozen=True, slots=True)
class MonthCount:
    """The number of events in a month (UTC); `service` is empty unless counted by service."""

    year: int
    month: int
    service: str
    count: int


class Tally(NamedTuple):
    """The number of events with a value: a text, "" if unset, or the number of a choice or a flag."""

    value: str | int
    events: int


def most_frequent(counts: Iterable[Mapping[str | int, int]], most: int) -> Sequence[Tally]:
    """Return the most frequent values of several counts, in ascending order where they are as frequent."""
    totals: Counter[str | int] = Counter()
    for each in counts:
        totals.update(each)
    return [Tally(*each) for each in sorted(totals.items(), key=lambda each: (-each[1], each[0]))[:most]]


class EventStore(Protocol):
    """Events. A Slack id is unique, an external id is unique for each source.

    A call that finds or counts events adds its steps to the `Explanation` that it is given.
    """

    async def ids_that_begin(self, beginning: str) -> Sequence[str]:
        """Return the ids that begin with hexadecimal digits and hyphens."""

    async def create(
        self, event: event_pb.Event, lock: lock_pb.Lock | None, once: Once[event_pb.Event] | None = None
    ) -> None:
        """Store a new event and acquire `lock`, as `LockStore.acquire` does: both or neither.

        Raises:
            LockHeldError: The lock's key is held.
            SlackIdTakenError: Another event has this Slack id.
            ExternalIdTakenError: Another event has this external id. While that one is being stored, the call
                may raise `LockHeldError` instead.
        """

    async def add(self, events: Sequence[event_pb.Event]) -> Sequence[Added]:
        """Store the events whose ids are new, without locks; return the outcome of each.

        Each event is a step of its own; of two that exclude each other, the first is stored. If the call
        raises, some events may be stored; adding them again skips those.
        """

    async def get(self, key: EventKey) -> event_pb.Event | None:
        """Return the event of a key, or None."""

    async def modify(
        self,
        key: EventKey,
        change: Callable[[event_pb.Event, Sequence[lock_pb.Lock]], EventChange],
        once: Once[event_pb.Event] | None = None,
    ) -> event_pb.Event | None:
        """Replace an event with what `change` returns for it and the locks that carry its id.

        Its locks change in the same step. Returns the new document, or None if there is no such event.

        Raises:
            LockHeldError: The key of the lock to be acquired is held.
            SlackIdTakenError: Another event has the new Slack id.
            ExternalIdTakenError: Another event has the new external id.
        """

    async def changelog(self, key: EventKey, page: Page) -> Found[event_pb.ChangelogEntry] | None:
        """Return a page of the whole changelog of an event, oldest entries first, or None without the event.

        The cursor of a page is the number of the first entry after it.
        """

    async def delete(
        self,
        key: EventKey,
        release: Release,
        once: Once[DeletedEvent] | None = None,
        check: Callable[[event_pb.Event], None] | None = None,
    ) -> DeletedEvent | None:
        """Delete an event and end the locks that carry its id; return them, or None if missing.

        The step is aborted with what `check` raises for the event.
        """

    async def age_out(self, events: Sequence[event_pb.Event], reason: str) -> Sequence[str]:
        """Delete those events that are as `find` returned them and have no lock; return their ids.

        Each is a step of its own, which the change log has with the ending `AGED_OUT`, and the reason.
        """

    async def mentioning(self, texts: Sequence[str]) -> Sequence[str]:
        """Return the ids of events whose JSON, or that of their changelogs, contains one of some texts."""

    async def find(
        self,
        where: EventFilter,
        page: Page,
        explanation: Explanation | None = None,
        *,
        oldest_first: bool = False,
    ) -> Found[event_pb.Event]:
        """Return a page of the matching events, newest first: by descending (`event_time`, id), or ascending.

        The total is exact up to `MOST_COUNTED`; above, it may be estimated if counting would take long.
        """

    async def find_briefs(self, where: EventFilter, page: Page) -> Found[EventBrief]:
        """Return a page of the matching events, newest first, as `find` does, in a third of the time."""

    async def count(self, where: EventFilter) -> int:
        """Count the matching events."""

    async def count_by_month(self, where: EventFilter, *, by_service: bool) -> Sequence[MonthCount]:
        """Count the matching events by the month (UTC) of their time, ordered by year, month, service."""

    async def count_by(
        self, where: EventFilter, fields: Sequence[Field], most: int, explanation: Explanation | None = None
    ) -> tuple[int, Sequence[Sequence[Tally]]]:
        """Count the matching events, and those of the `most` most frequent values of each field.

        The fields have one value each. Values of the same frequency are in ascending order.
        """

    async def count_between(
        self,
        where: EventFilter,
        edges: Sequence[int],
        by: Field | None,
        explanation: Explanation | None = None,
    ) -> Sequence[Mapping[str | int, int]]:
        """Count the matching events by a field in each interval between two neighbours of `edges`.

        Edges (microseconds since the epoch) ascend; each belongs to the interval after it. Without a field,
        all count under "". `where` has no `since` and no `until`.
        """

    async def durations_between(
        self, where: EventFilter, edges: Sequence[int], explanation: Explanation | None = None
    ) -> Sequence[Sequence[int]]:
        """Return the durations, in ascending microseconds, of the events that `count_between` counts."""


def take_entry(reading: Reading[event_pb.ChangelogEntry], entry: event_pb.ChangelogEntry) -> bool:
    """Add an entry to a page of a changelog, unless the page is full; return whether it was added.

    An earlier version may have stored it with longer values.
    """
    return reading.take(shortened_entry(entry, LONGEST_VALUE))


def changelog_page(
    reading: Reading[event_pb.ChangelogEntry], event: event_pb.Event
) -> Found[event_pb.ChangelogEntry]:
    """Return a page of the changelog of a stored event."""
    end = first_number(reading.page) + len(reading.records)
    total = event.changelog_total or len(event.changelog)
    return Found(reading.records, total, (end,) if reading.more else None)
