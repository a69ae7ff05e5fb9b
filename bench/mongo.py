"""How much Tracker adds to MongoDB: its calls beside the bare PyMongo calls that they make.

    python -m bench.mongo [--events 20000] [--seconds 2] [--rounds 3]

Takes the database of `MONGO_URI`, which should be empty, or else runs a `mongod` of the development
environment. What a call sends to MongoDB is recorded once, and repeated by PyMongo alone: the same insert
with another id, the same query. Each kind of call is measured in turns: bare, by the store in this process,
and over each wire by a server process.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import itertools
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uuid_utils
import uvloop
from bench.api import EVENTS
from bench.events import NEEDLE, believable, fill_store
from bench.load import Closable, http_request, middle, run
from bench.server import serving
from bench.store_at_rest import Silent
from protobuf import message_from_json_value
from pymongo import AsyncMongoClient, monitoring
from tests.mongo_servers import MongoServers

from tracker.domain.events import EventId
from tracker.domain.query import fields
from tracker.domain.query.tree import EventFilter, one_of
from tracker.pb import event_pb
from tracker.stores.mongo import MongoStore, event_records
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from bench.load import Result
    from bench.server import Server
    from protobuf import Message
    from pymongo.asynchronous.database import AsyncDatabase

    from tracker.transcoding.json_text import JsonValue

    Document = dict[str, Any]
    Call = Callable[[], Awaitable[object]]

CLIENTS = (1, 16)
_NEW_EVENTS = 1_000
_SERVICE = "service-7"


class Recorder(monitoring.CommandListener):
    """Keeps what clients sent last: inserts and finds."""

    def __init__(self) -> None:
        self.sent: dict[str, Document] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep a command for events; what puts changes into the log goes on beside them."""
        if event.command.get(event.command_name) == event_records.NAME:
            self.sent[event.command_name] = copy.deepcopy(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Pass over an answer."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Pass over a failure."""


class Process(Closable):
    """What calls of this process need in place of a connection."""

    async def close(self) -> None:
        """Leave it be."""


async def _process() -> Process:
    return Process()


def store_calls(store: MongoStore, event_id: str) -> dict[str, Call]:
    """Return what is measured, done by the store."""
    new_events = itertools.cycle(list(believable(_NEW_EVENTS)))

    async def create() -> None:
        event = copy.copy(next(new_events))
        event.metadata = copy.copy(event.metadata)
        assert event.metadata is not None
        event.metadata.id = str(uuid_utils.uuid7())
        event.attributes = copy.copy(event.attributes)
        assert event.attributes is not None
        event.attributes.source, event.attributes.service = "bench", "bench"
        await store.events.create(event, None)

    return {
        "create": create,
        "get": lambda: store.events.get(EventId(event_id)),
        "search, 1 found": lambda: store.events.find(EventFilter(one_of(fields.SOURCE, [NEEDLE])), Page()),
        "search, many found": lambda: store.events.find(
            EventFilter(one_of(fields.SERVICE, [_SERVICE])), Page(10_000)
        ),
    }


def requests(event_id: str) -> dict[str, Mapping[str, object]]:
    """Return what is measured, as a request over each wire."""
    create: dict[str, JsonValue] = {
        "title": "Deployment of payments",
        "attributes": {
            "service": "payments",
            "type": "drift",
            "message": "version 1.42.0 by the pipeline",
            "source": "bench",
        },
    }
    search = "/api/v1alpha1/events/search"
    return {
        "create": {
            "REST": http_request("POST", "/api/v1alpha1/event", json.dumps(create).encode()),
            "gRPC": _grpc("CreateEvent", message_from_json_value(event_pb.CreateEventRequest, create)),
        },
        "get": {
            "REST": http_request("GET", f"/api/v1alpha1/event/{event_id}"),
            "gRPC": _grpc("GetEvent", event_pb.GetEventRequest(id=event_id)),
        },
        "search, 1 found": {
            "REST": http_request("GET", f"{search}?source={NEEDLE}"),
            "gRPC": _grpc("SearchEvents", event_pb.SearchEventsRequest(source=NEEDLE)),
        },
        "search, many found": {
            "REST": http_request("GET", f"{search}?service={_SERVICE}"),
            "gRPC": _grpc("SearchEvents", event_pb.SearchEventsRequest(service=_SERVICE)),
        },
    }


def _grpc(method: str, message: Message) -> tuple[str, bytes]:
    return EVENTS + method, message.to_binary()


def bare_call(database: AsyncDatabase[Document], sent: Mapping[str, Document]) -> Call:
    """Return the PyMongo call that sends what was recorded of one call of the store."""
    if "insert" in sent:
        into = database[sent["insert"]["insert"]]
        document = sent["insert"]["documents"][0]
        del document["outbox"]  # which the reconciler would deliver

        async def insert() -> None:
            await into.insert_one({**document, "_id": str(uuid_utils.uuid7())})

        return insert
    query = sent["find"]
    options = {name: query[name] for name in ("limit", "sort", "hint", "projection") if name in query}
    collection = database[query["find"]]
    return lambda: collection.find(query["filter"], **options).to_list()


async def measure(uri: str, server: Server, options: argparse.Namespace, recorder: Recorder) -> None:
    """Fill the store, then measure each call in each way and print the figures."""
    store = MongoStore(uri, Silent())
    await store.open()
    event_id, _, seconds = await fill_store(store, options.events)
    print(f"filled with {options.events} events: {options.events / seconds:.0f} a second")
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        uri, w="majority", journal=True, readConcernLevel="majority", retryWrites=False
    )
    asked = requests(event_id)
    print(f"{'':20}{'':8}{'callers':>8}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}{'/bare':>8}")
    for name, call in store_calls(store, event_id).items():
        recorder.sent.clear()
        await call()
        bare = bare_call(client.get_default_database(), recorder.sent)
        for callers in CLIENTS:
            results: dict[str, list[Result]] = {"bare": [], "store": [], "REST": [], "gRPC": []}
            for _ in range(options.rounds):
                results["bare"].append(await _repeat(bare, callers, options.seconds))
                results["store"].append(await _repeat(call, callers, options.seconds))
                for wire, request in asked[name].items():
                    asking = run(
                        server.rest if wire == "REST" else server.grpc,
                        lambda connection, request=request: connection.send(request),  # type: ignore[misc] # the default binds the loop's value
                        connections=callers,
                        seconds=options.seconds,
                    )
                    results[wire].append(await asking)
            _tell(name, callers, {way: middle(of) for way, of in results.items()})
    await client.close()
    await store.close()


async def _repeat(call: Call, callers: int, seconds: float) -> Result:
    return await run(_process, lambda _: call(), connections=callers, seconds=seconds)


def _tell(name: str, callers: int, results: Mapping[str, Result]) -> None:
    for way, result in results.items():
        print(
            f"{name:20}{way:8}{callers:8}{result.rate:9.0f}{result.p50 * 1e3:9.2f}{result.p99 * 1e3:9.2f}"
            f"{result.rate / results['bare'].rate:8.2f}",
            flush=True,
        )


@contextlib.contextmanager
def _database(folder: Path) -> Iterator[str]:
    if given := os.environ.get("MONGO_URI"):
        yield given
        return
    with MongoServers(folder / "mongo") as servers:
        yield servers.new_database()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000, help="events in the store beforehand")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements, of which the middle one counts")
    options = parser.parse_args()
    recorder = Recorder()
    monitoring.register(recorder)
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        _database(Path(folder)) as uri,
        serving(Path(folder) / "unused.db", MONGO_URI=uri) as server,
    ):
        uvloop.run(measure(uri, server, options, recorder))


if __name__ == "__main__":
    main()
