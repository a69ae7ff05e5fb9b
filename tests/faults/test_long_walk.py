"""A walk through many events by page tokens, page after page, while others arrive all the time."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from bench.events import believable
from bench.load import RestConnection, http_request
from tests.server_process import ServerProcess
from tests.soak import size, soaks
from tests.stores.observations import Observations

from tracker.domain.events import event_time
from tracker.stores.mongo import MongoStore
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.pb import event_pb
    from tracker.stores.base import Store

EVENTS = size(5_000, soak=100_000)
PER_PAGE = size(50, soak=250)
PER_SECOND, WRITERS = 500, 8
_AT_ONCE = 1_000


async def filled(store: Store) -> list[event_pb.Event]:
    """Fill a store and return what is in it."""
    await store.open()
    events = list(believable(EVENTS))
    for start in range(0, EVENTS, _AT_ONCE):
        assert all(outcome is True for outcome in await store.events.add(events[start : start + _AT_ONCE]))
    await store.close()
    return events


async def arrive(
    connection: RestConnection, numbers: Iterator[int], span: range, enough: asyncio.Event
) -> None:
    """Record events until there are enough: every other one of now, the rest of all times of a span."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for own, number in enumerate(numbers, 1):
        attributes: dict[str, object] = {"service": "arriving", "type": "drift"}
        if number % 2:
            at = span[number * 7_919 % 1_000 * len(span) // 1_000]
            attributes["startDate"] = datetime.fromtimestamp(at / MICROS, UTC).isoformat()
        body = json.dumps({"title": f"new {number}", "attributes": attributes}).encode()
        await connection.send(http_request("POST", "/api/v1alpha1/event", body))
        if enough.is_set():
            return
        await asyncio.sleep(begun + own * WRITERS / PER_SECOND - loop.time())


async def walked(connection: RestConnection, path: str) -> list[str]:
    """Return the ids of all pages, in the order in which they were shown."""
    ids: list[str] = []
    token = ""
    while True:
        asked = http_request("GET", f"{path}perPage={PER_PAGE}&pageToken={token}")
        page: Any = json.loads(await connection.send(asked))
        ids += [event["metadata"]["id"] for event in page["events"]]
        if not (token := page["nextPageToken"]):
            return ids
        await asyncio.sleep(0.01)  # a reader does something with a page


@soaks
@pytest.mark.parametrize("kind", ["sqlite", "mongo"])
async def test_a_walk_through_many_events_shows_none_twice_and_misses_none(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "tracker.db"
    store: Store = SqliteStore(path, Observations())
    settings = {}
    if kind == "mongo":
        mongo: MongoServers = request.getfixturevalue("mongo")
        settings["MONGO_URI"] = mongo.emptied_database()
        store = MongoStore(settings["MONGO_URI"], Observations())
    events = await filled(store)
    times = [event_time(event) for event in events]
    span, numbers, enough = range(min(times), max(times)), itertools.count(), asyncio.Event()
    with ServerProcess(path, LOG_LEVEL="warning", **settings) as server:
        reader, *writers = [
            await RestConnection.open("127.0.0.1", server.http_port) for _ in range(WRITERS + 1)
        ]
        arriving = [asyncio.create_task(arrive(each, numbers, span, enough)) for each in writers]
        ids = await walked(reader, "/api/v1alpha1/events/list?")
        enough.set()
        await asyncio.gather(*arriving)
        for connection in (reader, *writers):
            await connection.close()
    there = {event.metadata.id for event in events if event.metadata is not None}
    assert len(set(ids)) == len(ids)
    assert there <= set(ids)
    assert len(ids) > EVENTS  # some of those that came
    assert next(numbers) > size(100, soak=1_000)
