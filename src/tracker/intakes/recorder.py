"""What intakes do with events: each is a call of an RPC, with the rights of the sender."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from protobuf.wkt import Int32Value, UInt32Value

from tracker.domain.events import ENDED_WELL, FINISHED, attributes_of, metadata_of
from tracker.domain.overlaps import ended_at
from tracker.domain.query.fields import BY_NAME, SOURCE
from tracker.domain.query.text import to_text
from tracker.domain.query.tree import all_of, one_of
from tracker.errors import Reason, TrackerError
from tracker.intakes import joins, series
from tracker.intakes.many import together
from tracker.intakes.mapping import Mappings, latest_time
from tracker.intakes.numbers import beginning_of, number_of
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from protobuf import Message

    from tracker.domain.commits import Commit
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call

M = TypeVar("M", bound="Message")

_Status = event_pb.Status
_LASTING: Final = frozenset(
    {_Status.planned, _Status.waiting_approval, _Status.open, _Status.start, _Status.in_progress}
)
_ROUNDED: Final = 1 << 10
"""The farthest that rounding to 53 bits moves a number."""


@dataclass(slots=True)
class Receipt:
    """What is found out about the message that a call brings: why it records nothing, and its latest time.

    The time is in microseconds since the epoch, 0 for none.
    """

    ignored: str = ""
    latest: int = 0


RECEIPT: ContextVar[Receipt | None] = ContextVar("RECEIPT", default=None)
"""That of the message which the current task handles."""


class Delivery(NamedTuple):
    """An event of a message, of which `content` is the part that it comes from.

    `key` is the idempotency key of the message, or empty. What was `reopened_at` a moment, in microseconds
    since the epoch, is recorded though it has ended before. What `keeps` leaves an event that has ended well,
    or with the same status, as it is. `series` is the label with the thing that is deployed: what is still
    under way of it was superseded.
    """

    request: event_pb.CreateEventRequest
    content: object = None
    key: str = ""
    reopened_at: int | None = None
    keeps: bool = False
    series: str = ""


class Asks(Protocol):
    """The RPCs, as in `api/rpcs.py`."""

    async def ask(self, request: Message, answer: type[M], outer: Call) -> M:
        """Return the answer to a request that changes nothing."""

    async def change(self, request: Message, answer: type[M], outer: Call, key: str | None = None) -> M:
        """Return the answer to a change, which is made once for each key."""


async def _as_it_is(service: str, _labels: Mapping[str, str]) -> str:
    return service


async def _keep_none(_commits: Sequence[Commit]) -> None:
    """Keep no commits: of a test."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records events and finds them.

    `_ids_that_begin` returns the ids of events that begin so. `_public_url` is the address of this server, or
    empty where it is the one that clients use. `secrets` are those of products whose webhooks are signed,
    and `now` returns microseconds since the epoch.
    `mappings` returns the operator's own rules for what becomes of messages, and `sender` is whose they are.
    `keep_commits` stores those of pushes. `known_service` returns the service that a sender's own name for it
    and the labels of an event stand for.
    """

    _rpcs: Asks
    _ids_that_begin: Callable[[str], Awaitable[Sequence[str]]]
    _public_url: str
    secrets: Mapping[str, str | None]
    now: Callable[[], int]
    mappings: Callable[[], Mappings] = Mappings
    keep_commits: Callable[[Sequence[Commit]], Awaitable[None]] = _keep_none
    sender: str = ""
    known_service: Callable[[str, Mapping[str, str]], Awaitable[str]] = _as_it_is

    async def create(
        self,
        request: event_pb.CreateEventRequest,
        call: Call,
        content: object = None,
        *,
        changes: bool = False,
    ) -> event_pb.Event:
        """Record an event, or change the one of its source with its external id.

        `content` is the part of the message that it comes from, for the operator's own rules. Their defaults
        are not for a message that only `changes` an event, and does not say all of it.

        Raises:
            TrackerError: As CreateEvent does.
        """
        request = self._mapped(request, content, changes=changes)
        call.observed = True
        answer = await self._rpcs.change(request, event_pb.CreateEventResponse, call)
        return answer.event or event_pb.Event()

    async def deliver(self, given: Delivery, call: Call) -> event_pb.Event | None:
        """Record one of the events of a call; return None if that with its external id has ended.

        Messages may come again, and late: the beginning of what has ended is left out, and what has the
        idempotency key of a message before changes nothing.

        Raises:
            TrackerError: As CreateEvent does.
        """
        request = given.request
        await self._name_service(request)
        request = self._mapped(request, given.content)
        if source := self.mappings().source_for(self.sender):
            request = await joins.joined(
                request, self.sender, source, lambda wanted: self.find(wanted, call, 20)
            )
        attributes = attributes_of(event_pb.Event(attributes=request.attributes))
        lasts = attributes.status in _LASTING
        if attributes.external_id and (lasts or given.keeps):
            external = one_of(BY_NAME["external_id"], (attributes.external_id,))
            found = await self.find((external, one_of(SOURCE, (attributes.source,))), call)
            for each in found.events:
                if lasts and _has_ended(each, given.reopened_at):
                    return None
                known = joins.has_reported(each, attributes, self.sender)
                if given.keeps and known and attributes_of(each).status in ENDED_WELL | {attributes.status}:
                    return each
        if given.series:
            found = await self.find(series.under_way(attributes, given.series), call, series.MOST)
            for change in series.superseded(found.events, attributes):
                await self.update(change, call)
        call.observed = True
        answer = await self._rpcs.change(request, event_pb.CreateEventResponse, call, given.key)
        return answer.event

    async def deliver_all(
        self, requests: Sequence[event_pb.CreateEventRequest], call: Call, contents: Sequence[object]
    ) -> Sequence[TrackerError | None]:
        """Record the events of a call, many at a time; return why each was refused, or None if it was not.

        `contents` are the parts of the message that they come from. After a refusal that is not for what an
        event says, the others are left out.

        Raises:
            TrackerError: As CreateEvent does, where that is not for what an event says.
        """
        refused: list[TrackerError | None] = [None] * len(requests)

        async def deliver(index: int) -> None:
            try:
                await self.deliver(Delivery(requests[index], contents[index]), call)
            except TrackerError as error:
                if error.reason.http_status != HTTPStatus.BAD_REQUEST:
                    raise
                refused[index] = error

        await together([_identity(each) for each in requests], deliver)
        return refused

    async def deliver_together(
        self, deliveries: Sequence[Delivery], call: Call
    ) -> Sequence[event_pb.Event | None]:
        """Record the events of a call, many at a time; return each, or None where `deliver` does.

        After a refusal, the others are left out.

        Raises:
            TrackerError: As CreateEvent does.
        """
        events: list[event_pb.Event | None] = [None] * len(deliveries)

        async def deliver(index: int) -> None:
            events[index] = await self.deliver(deliveries[index], call)

        await together([_identity(each.request) for each in deliveries], deliver)
        return events

    async def update(self, request: event_pb.UpdateEventRequest, call: Call) -> None:
        """Change an event.

        Raises:
            TrackerError: As UpdateEvent does.
        """
        call.observed = True
        await self._rpcs.change(request, event_pb.UpdateEventResponse, call)

    async def delete(self, request: event_pb.DeleteEventRequest, call: Call) -> None:
        """Delete an event.

        Raises:
            TrackerError: As DeleteEvents does.
        """
        await self._rpcs.change(request, event_pb.DeleteEventResponse, call)

    async def get(self, number: int, call: Call) -> event_pb.Event:
        """Return the event with a number.

        Raises:
            TrackerError: As GetEvent does; ABORTED, several events have the number.
        """
        event_id = await self.id_of(number)
        if event_id is not None:
            try:
                return await self.get_by_id(event_id, call)
            except TrackerError as error:
                if error.reason is not Reason.EVENT_NOT_FOUND:
                    raise
        return await self.get_by_id(
            str(number), call
        )  # what may not be read is answered as what is not there

    async def get_by_id(self, event_id: str, call: Call) -> event_pb.Event:
        """Return the event with an id.

        Raises:
            TrackerError: As GetEvent does.
        """
        request = event_pb.GetEventRequest(id=event_id)
        answer = await self._rpcs.ask(request, event_pb.GetEventResponse, call)
        return answer.event or event_pb.Event()

    async def find(
        self, wanted: Sequence[Node], call: Call, most: int | None = None, page: int | None = None
    ) -> event_pb.SearchEventsResponse:
        """Return the events that meet all conditions, the latest first, or a page of so many of them.

        Raises:
            TrackerError: As SearchEvents does.
        """
        request = event_pb.SearchEventsRequest(
            query=to_text(all_of(tuple(wanted))),
            per_page=None if most is None else UInt32Value(value=most),
            page=None if page is None else Int32Value(value=page),
        )
        return await self.search(request, call)

    async def search(
        self, request: event_pb.SearchEventsRequest, call: Call
    ) -> event_pb.SearchEventsResponse:
        """Return what a search finds.

        Raises:
            TrackerError: As SearchEvents does.
        """
        return await self._rpcs.ask(request, event_pb.SearchEventsResponse, call)

    def service_of(self, service: str, content: object) -> str:
        """Return the service of a repository, by the operator's own rules where they have one."""
        attributes = event_pb.EventAttributes(service=service)
        asked = event_pb.CreateEventRequest(attributes=attributes)
        mapped = self.mappings().mapped(self.sender, asked, content).attributes
        return mapped.service if mapped is not None else service

    async def _name_service(self, request: event_pb.CreateEventRequest) -> None:
        if request.attributes is not None:
            service, labels = request.attributes.service, request.attributes.labels
            request.attributes.service = await self.known_service(service, labels)

    def _mapped(
        self, request: event_pb.CreateEventRequest, content: object, *, changes: bool = False
    ) -> event_pb.CreateEventRequest:
        mapped = self.mappings().mapped(self.sender, request, content, changes=changes)
        receipt = RECEIPT.get()
        if receipt is not None:
            receipt.latest = max(receipt.latest, latest_time(mapped))
        return mapped

    async def id_of(self, number: int) -> str | None:
        """Return the id of the event with a number, or None.

        A number may be the one that clients in JavaScript have instead, whose numbers have 53 bits.

        Raises:
            TrackerError: ABORTED, several events have it.
        """
        if not 0 <= number < 1 << 63:
            return None
        beginnings = dict.fromkeys(beginning_of(max(0, number + each)) for each in (0, -_ROUNDED, _ROUNDED))
        near = [each for beginning in beginnings for each in await self._ids_that_begin(beginning)]
        ids = [each for each in near if number_of(each) == number]
        ids = ids or [each for each in near if float(number_of(each)) == float(number)]
        if len(ids) > 1:
            message = f"{len(ids)} events have the number {number}; their ids are in the list of events"
            raise TrackerError(Reason.EVENT_NUMBER_SHARED, message)
        return ids[0] if ids else None

    def address_of(self, event: event_pb.Event, call: Call) -> str:
        """Return the address of the page of an event."""
        return f"{self.server(call)}/events/{metadata_of(event).id}"

    def server(self, call: Call) -> str:
        """Return the address of this server."""
        return self._public_url.rstrip("/") or f"http://{call.headers.get('host', '')}"


def _has_ended(event: event_pb.Event, reopened_at: int | None) -> bool:
    """Return whether an event has ended, and was not reopened since."""
    if attributes_of(event).status not in FINISHED:
        return False
    return reopened_at is None or reopened_at < (ended_at(event) or reopened_at)


def _identity(request: event_pb.CreateEventRequest) -> object:
    """Return what requests for one event have in common, or None for an event of its own."""
    attributes = attributes_of(event_pb.Event(attributes=request.attributes))
    return (attributes.source, attributes.external_id) if attributes.external_id else None
