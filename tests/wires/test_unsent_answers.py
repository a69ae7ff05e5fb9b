"""Answers that are not yet sent share one budget of memory, whatever wire they are for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest
from tests.unread import unread
from tests.wires.standin import BOUND, StandIn, unary

from tracker.api.calls.answers import Answer
from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import grpc.aio
    import httpx2
    from protobuf import Message

    from tracker.api.http_server import HttpServer
    from tracker.services.context import Call

EVENTS = "/tracker.event.v1alpha1.EventService/"
LIST = b"GET /api/v1alpha1/events/list HTTP/1.1\r\nHost: x\r\n\r\n"
WATCH = b"GET /api/v1alpha1/events/watch HTTP/1.1\r\nHost: x\r\n\r\n"
TEXT = "x" * 60_000
MANY = 140
"""Events with that text: more than half of 16 MiB, and more than a kernel keeps for a connection."""


@pytest.fixture
def stand_in(request: pytest.FixtureRequest) -> StandIn:
    """Give services whose unsent answers may take 16 MiB, or as many as a test says."""
    return StandIn(unsent_mib=getattr(request, "param", 16))


def events(number: int) -> event_pb.ListEventsResponse:
    attributes = event_pb.EventAttributes(message=TEXT)
    return event_pb.ListEventsResponse(events=[event_pb.Event(attributes=attributes) for _ in range(number)])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():
            await asyncio.sleep(0.01)


async def test_calls_are_refused_while_others_leave_their_answers_unread(
    http_server: HttpServer, rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    async def answer(_request: Message, _call: Call) -> Message:
        return events(MANY)

    stand_in.answers["list_events"] = answer
    async with unread(http_server.bound[1], LIST, 8):
        await until(lambda: stand_in.observed.refused > 0)
        refused = await rest.get("/api/v1alpha1/events/list")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["details"][0]["reason"] == "UNSENT_ANSWERS"
        assert stand_in.observed.unsent() <= 16 * 2**20
        for always in ("/livez", "/readyz"):
            assert (await rest.get(always)).status_code == 200
    await until(lambda: stand_in.observed.unsent() == 0)


async def test_an_answer_in_parts_is_the_same(rest: httpx2.AsyncClient, stand_in: StandIn) -> None:
    texts = [f"{number} é" for number in range(3_000)]
    listed = event_pb.ListEventsResponse(
        events=[event_pb.Event(title=text) for text in texts], total_count=3_000, next_page_token="t"
    )
    stand_in.answer("list_events", listed)
    answer = await rest.get("/api/v1alpha1/events/list")
    assert int(answer.headers["content-length"]) == len(answer.content)
    body = answer.json()
    assert [event["title"] for event in body["events"]] == texts
    assert (body["totalCount"], body["nextPageToken"]) == (3_000, "t")


async def test_others_are_served_while_a_long_answer_is_encoded(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    first: list[str] = []

    async def answer(_request: Message, _call: Call) -> Message:
        return event_pb.ListEventsResponse(events=[event_pb.Event() for _ in range(4_000)])

    async def ask(path: str) -> None:
        assert (await rest.get(path)).status_code == 200
        first.append(path)

    stand_in.answers["list_events"] = answer
    (await rest.get("/livez")).raise_for_status()
    await asyncio.gather(ask("/api/v1alpha1/events/list"), ask("/livez"))
    assert first[0] == "/livez"


async def test_a_change_is_not_refused_once_it_is_made(rest: httpx2.AsyncClient, stand_in: StandIn) -> None:
    stand_in.answer("create_event", event_pb.CreateEventResponse(event=event_pb.Event(title=TEXT * 5 * MANY)))
    body = json.dumps({"title": "t", "attributes": {"service": "s", "type": "drift"}})
    assert (await rest.post("/api/v1alpha1/event", content=body)).status_code == 200
    assert stand_in.observed.unsent() == 0


@pytest.mark.parametrize("stand_in", [8], indirect=True)
@pytest.mark.parametrize("method", ["ListEvents", "GetEvent"])
async def test_a_grpc_answer_beyond_the_budget_is_refused(
    channel: grpc.aio.Channel, stand_in: StandIn, method: str
) -> None:
    stand_in.answer("list_events", events(MANY))
    stand_in.answer("get_event", event_pb.GetEventResponse(event=event_pb.Event(title=TEXT * MANY)))
    call = unary(channel, EVENTS + method)
    with pytest.raises(Exception, match="not yet sent") as refused:
        await call(event_pb.GetEventRequest(id="1").to_binary() if method == "GetEvent" else b"")
    assert refused.value.code().name == "RESOURCE_EXHAUSTED"  # type: ignore[attr-defined]  # an error of a call
    await until(lambda: stand_in.observed.unsent() == 0)


@pytest.mark.parametrize("stand_in", [1], indirect=True)
@pytest.mark.parametrize("wire", ["grpc", "rest"])
async def test_streams_that_nobody_reads_end_when_the_budget_is_used_up(
    http_server: HttpServer, channel: grpc.aio.Channel, stand_in: StandIn, wire: str
) -> None:
    async def watch(_request: Message, _call: Call) -> AsyncGenerator[Message, None]:
        while True:
            await asyncio.sleep(0)
            attributes = event_pb.EventAttributes(message=TEXT)
            yield event_pb.WatchEventsResponse(event=event_pb.Event(attributes=attributes))

    stand_in.watch = watch
    ended = (EVENTS.strip("/") + "/WatchEvents", wire, "RESOURCE_EXHAUSTED")
    async with contextlib.AsyncExitStack() as opened:
        if wire == "rest":
            await opened.enter_async_context(unread(http_server.bound[1], WATCH, 20))
        else:
            for _ in range(20):
                multi: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(
                    EVENTS + "WatchEvents"
                )
                call = multi(b"")
                opened.callback(call.cancel)
        await until(lambda: ended in stand_in.observed.finished)
        assert stand_in.observed.unsent() <= 2**20
    await until(lambda: stand_in.observed.under_way == 0)


async def test_a_call_that_has_ended_reads_no_further(stand_in: StandIn) -> None:
    memory = stand_in.unsent.answer()
    memory.add(10)
    memory.end()
    assert stand_in.observed.unsent() == 0
    with pytest.raises(TrackerError) as stopped:
        memory.add(10)
    assert stopped.value.reason is Reason.CANCELLED


def test_a_principal_holds_no_more_than_half_of_the_memory(stand_in: StandIn) -> None:
    first, second = (Answer(stand_in.unsent, refusable=True) for _ in range(2))
    first.owner, second.owner = "apikey:1", "apikey:2"
    half = 8 * 1024 * 1024
    first.hold(half)
    with pytest.raises(
        TrackerError, match="answers to apikey:1 that are not yet sent may take 8 MiB"
    ) as refused:
        first.add(1)
    assert refused.value.reason is Reason.UNSENT_ANSWERS
    second.hold(half)
    first.end()
    second.end()
    assert stand_in.observed.unsent() == 0
