"""Events told while they happen, over both wires."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
import structlog
from tests.clients import GrpcClient, Refused, RestClient, http_client
from tests.patience import PATIENCE

from tracker.app import App
from tracker.services.events import watches as event_watches
from tracker.services.paging import page_token, parse_page_token
from tracker.stores.mongo import courier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2
    from tests.clients import Client
    from tests.mongo_servers import MongoServers

    from tracker.config.settings import Settings

WATCH = "EventService/WatchEvents"


async def record(client: Client, title: str, **attributes: Any) -> str:
    attributes = {"service": "payments", "type": "drift", **attributes}
    request = {"title": title, "attributes": attributes}
    answer = await client.call("EventService/CreateEvent", request)
    return str(answer["event"]["metadata"]["id"])


async def heard(watch: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(watch) for _ in range(count)]


def told(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["kind"], each["event"]["title"]) for each in messages]


async def test_a_watch_tells_what_happens_to_events_from_its_first_message_on(client: Client) -> None:
    await record(client, "before")
    async with aclosing(client.stream(WATCH)) as watch:
        (first,) = await heard(watch, 1)
        assert set(first) == {"resumeToken"}
        id_ = await record(client, "one")
        await client.call("EventService/AddSlackId", {"id": id_, "slackId": "17.1"})
        await client.call("EventService/DeleteEvents", {"id": id_})
        created, updated, deleted = await heard(watch, 3)
    assert told([created, updated, deleted]) == [("created", "one"), ("updated", "one"), ("deleted", "one")]
    assert created["event"]["metadata"]["id"] == id_
    assert updated["event"]["metadata"]["slackId"] == "17.1"
    assert created["changedAt"] <= updated["changedAt"] <= deleted["changedAt"]
    assert len({each["resumeToken"] for each in (first, created, updated, deleted)}) == 4


async def test_a_watch_tells_only_what_its_query_matches_as_it_then_is(client: Client) -> None:
    async with aclosing(client.stream(WATCH, {"query": "status:failure env:production"})) as watch:
        await heard(watch, 1)
        await record(client, "elsewhere", status="failure", environment="development")
        id_ = await record(client, "mine", status="start", environment="production")
        change = {"status": "failure", "type": "drift", "service": "payments", "environment": "production"}
        await client.call("EventService/UpdateEvent", {"id": id_, "title": "mine", "attributes": change})
        await record(client, "new", status="failure", environment="production")
        assert told(await heard(watch, 2)) == [("updated", "mine"), ("created", "new")]


async def test_a_watch_goes_on_where_it_was_cut_off_without_gaps_or_repeats(client: Client) -> None:
    count, seen = 60, list[str]()
    async with aclosing(client.stream(WATCH)) as watch:
        token = (await heard(watch, 1))[0]["resumeToken"]

    async def work() -> None:
        for number in range(count):
            await record(client, str(number))

    working = asyncio.create_task(work())
    while len(seen) < count:
        async with aclosing(client.stream(WATCH, {"resumeToken": token})) as watch:
            await heard(watch, 1)
            for message in await heard(watch, min(7, count - len(seen))):
                seen.append(message["event"]["title"])
                token = message["resumeToken"]
    await working
    assert seen == [str(number) for number in range(count)]


async def test_a_watch_says_from_time_to_time_that_there_is_nothing_to_tell(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_watches, "_QUIET_SECONDS", 0.05)
    async with aclosing(client.stream(WATCH, {"query": "service:cart"})) as watch:
        (first,) = await heard(watch, 1)
        await record(client, "not mine")
        token = first["resumeToken"]
        while token == first["resumeToken"]:
            (quiet,) = await heard(watch, 1)
            assert set(quiet) == {"resumeToken"}
            token = quiet["resumeToken"]
    async with aclosing(client.stream(WATCH, {"resumeToken": token})) as watch:
        await heard(watch, 1)
        await record(client, "next")
        (message,) = await heard(watch, 1)
        while "event" not in message:
            (message,) = await heard(watch, 1)
        assert told([message]) == [("created", "next")]


async def test_watches_do_not_disturb_each_other(client: Client) -> None:
    watches = [client.stream(WATCH, {"query": f"service:s{number}"}) for number in range(50)]
    firsts = await asyncio.gather(*(heard(watch, 1) for watch in watches))
    assert len(firsts) == 50
    for number in range(50):
        await record(client, str(number), service=f"s{number}")
    heards = await asyncio.gather(*(heard(watch, 1) for watch in watches))
    assert [told(each) for each in heards] == [[("created", str(number))] for number in range(50)]
    await asyncio.gather(*(watch.aclose() for watch in watches))


@pytest.mark.parametrize(
    ("request_", "code", "reason", "field"),
    [
        ({"query": "status:nope"}, "INVALID_ARGUMENT", "INVALID_QUERY", "query"),
        ({"resumeToken": "abc"}, "INVALID_ARGUMENT", "INVALID_FIELD", "resume_token"),
        ({"query": "x" * 5000}, "INVALID_ARGUMENT", "INVALID_FIELD", "query"),
    ],
)
async def test_a_watch_that_asks_for_what_there_is_not_is_refused(
    client: Client, request_: dict[str, Any], code: str, reason: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        await heard(client.stream(WATCH, request_), 1)
    assert (refused.value.code, refused.value.reason) == (code, reason)
    assert [name.replace("resumeToken", "resume_token") for name in refused.value.fields] == [field]


@pytest.mark.parametrize("place", [("another", 0, 0), (None, 7, 0), (None, 0, 7), (None, 0)])
async def test_a_token_from_which_nobody_can_go_on_is_refused(
    client: Client, place: tuple[str | None, int]
) -> None:
    async with aclosing(client.stream(WATCH)) as watch:
        (name, *_) = parse_page_token((await heard(watch, 1))[0]["resumeToken"], "events watched") or ("",)
    await refused_as_forgotten(client, page_token((place[0] or name, *place[1:]), "events watched"))


@pytest.mark.parametrize("mongo_uri", [None])
@pytest.mark.parametrize("wire", ["grpc", "rest"])
async def test_a_token_of_changes_that_an_older_copy_lacks_is_refused_and_none_is_skipped(
    settings: Settings, wire: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    async with served(settings, wire) as client, aclosing(client.stream(WATCH)) as watch:
        await heard(watch, 1)
        await record(client, "kept")
        kept = (await heard(watch, 1))[-1]["resumeToken"]
    shutil.copyfile(settings.database_path, copy)
    async with served(settings, wire) as client, aclosing(client.stream(WATCH)) as watch:
        await heard(watch, 1)
        await record(client, "lost")
        lost = (await heard(watch, 1))[-1]["resumeToken"]
    shutil.copyfile(copy, settings.database_path)
    async with served(settings, wire) as client:
        await refused_as_forgotten(client, lost)
        await record(client, "new")
        await refused_as_forgotten(client, lost)
        async with aclosing(client.stream(WATCH, {"resumeToken": kept})) as watch:
            assert told((await heard(watch, 2))[1:]) == [("created", "new")]


@pytest.mark.parametrize("mongo_uri", [None])
async def test_a_watch_of_a_database_that_is_put_back_while_it_is_served_ends(
    settings: Settings, mongo: MongoServers
) -> None:
    settings = replace(settings, mongo_uri=mongo.emptied_database())
    changes = mongo.members[0].client.get_database("emptied")[courier.NAME]
    async with served(settings, "grpc") as client, aclosing(client.stream(WATCH)) as watch:
        await heard(watch, 1)
        await record(client, "kept")
        await heard(watch, 1)
        kept = list(changes.find())
        await record(client, "lost")
        await heard(watch, 1)
        changes.delete_many({})
        changes.insert_many(kept)
        await record(client, "new")
        with pytest.raises(Refused) as refused:
            await heard(watch, 1)
        assert refused.value.reason == "CHANGES_FORGOTTEN"


@asynccontextmanager
async def served(settings: Settings, wire: str) -> AsyncIterator[Client]:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log) as app, AsyncExitStack() as stack:
        yield await _client(wire, app, stack)


async def refused_as_forgotten(client: Client, token: str) -> None:
    with pytest.raises(Refused) as refused:
        await heard(client.stream(WATCH, {"resumeToken": token}), 1)
    assert (refused.value.code, refused.value.reason) == ("OUT_OF_RANGE", "CHANGES_FORGOTTEN")


async def test_over_http_a_watch_can_be_asked_for_its_headers(http: httpx2.AsyncClient) -> None:
    answer = await http.head("/api/v1alpha1/events/watch")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert not answer.content


@pytest.mark.parametrize("wire", ["grpc", "rest"])
async def test_a_server_that_stops_lets_watches_go(settings: Settings, wire: str) -> None:
    settings = replace(settings, shutdown_grace=20)
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with AsyncExitStack() as stack:
        async with App(settings, log) as app:
            client = await _client(wire, app, stack)
            watch = client.stream(WATCH)
            await heard(watch, 1)
            rest = asyncio.create_task(_to_the_end(watch))
            stopping = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - stopping < settings.shutdown_grace / 2
        assert await rest == ("DRAINING" if wire == "grpc" else "")


async def _client(wire: str, app: App, stack: AsyncExitStack) -> Client:
    if wire == "grpc":
        host, port = app.grpc_address
        return GrpcClient(await stack.enter_async_context(grpc.aio.insecure_channel(f"{host}:{port}")))
    return RestClient(await stack.enter_async_context(http_client(app.http_address)))


async def _to_the_end(watch: AsyncIterator[dict[str, Any]]) -> str:
    """Hear a watch to its end, and return why it ended."""
    try:
        async for message in watch:
            assert "event" not in message
    except Refused as refused:
        return refused.reason
    return ""
