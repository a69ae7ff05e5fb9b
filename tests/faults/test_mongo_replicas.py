"""Whole servers on one MongoDB database: with a wrong clock, without the database, killed."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.faults.locks import DAY, FAKETIME, Locks
from tests.mongo_servers import MongoServers
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

from tracker.client.connection import Connection
from tracker.client.rpcs import WATCH_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracker.pb import event_pb

SECOND_MS = 1_000
TTL = 1.5


@contextmanager
def replica(folder: Path, name: str, uri: str, **environment: str) -> Iterator[ServerProcess]:
    with ServerProcess(folder / f"{name}.db", MONGO_URI=uri, **environment) as server:
        yield server


def status(server: ServerProcess, path: str, **body: Any) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{server.http_port}{path}"
    answer = httpx2.post(url, json=body, timeout=PATIENCE) if body else httpx2.get(url, timeout=PATIENCE)
    return answer.status_code, answer.json() if answer.content else None


def becomes(server: ServerProcess, *, ready: bool) -> None:
    """Wait until a server says that it is ready, or not."""
    deadline = time.monotonic() + PATIENCE
    while server.ready() is not ready:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two polls


@pytest.mark.parametrize("wrong", [-30 * DAY, 30 * DAY])
def test_a_server_with_a_wrong_clock_harms_nobody(mongo: MongoServers, tmp_path: Path, wrong: int) -> None:
    if not FAKETIME.exists():
        pytest.skip(f"LEFT OUT: servers with a wrong clock, for want of {FAKETIME} (Debian's `faketime`)")
    uri = mongo.emptied_database()
    false_time = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME": f"{wrong:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with (
        replica(tmp_path, "right", uri) as right_server,
        replica(tmp_path, "wrong", uri, **false_time) as wrong_server,
        Locks(right_server) as right,
        Locks(wrong_server) as wrong_one,
    ):
        started = datetime.fromisoformat(json.loads(wrong_server.log().splitlines()[0])["time"])
        assert abs(started.timestamp() - time.time()) > DAY
        tokens = []
        for locks in (right, wrong_one, right, wrong_one, right):
            before = time.time() * SECOND_MS
            held = locks.take(ttl=f"{TTL:g}s")
            tokens.append(int(held["fencingToken"]))
            assert abs(tokens[-1] - before) < DAY * SECOND_MS
            locks.release(held)
        assert tokens == sorted(set(tokens))

        began = time.monotonic()
        held = right.take(ttl=f"{TTL:g}s")
        wrong_one.wait_for_end(held)
        assert time.monotonic() - began >= TTL
        began = time.monotonic()
        held = wrong_one.take(ttl=f"{TTL:g}s")
        right.wait_for_end(held)
        assert time.monotonic() - began >= TTL


def test_a_server_outlives_its_database_and_says_when_it_is_away(mongo: MongoServers, tmp_path: Path) -> None:
    assert mongo.members
    with MongoServers(tmp_path / "mongo") as servers:
        (database,) = servers.members
        uri = servers.new_database() + "?serverSelectionTimeoutMS=500"
        with replica(tmp_path, "tracker", uri) as server:
            body = {"title": "deployed", "attributes": {"service": "payments", "type": "deployment"}}
            assert status(server, "/api/v1alpha1/event", **body)[0] == 200
            database.kill()
            code, answer = status(server, "/api/v1alpha1/event", **body)
            assert code == 503
            assert answer["details"][0]["reason"] in {"STORE_UNAVAILABLE", "STORE_OUTCOME_UNKNOWN"}
            code, answer = status(server, "/api/v1alpha1/events/search?service=payments")
            assert (code, answer["details"][0]["reason"]) == (503, "STORE_UNAVAILABLE")
            becomes(server, ready=False)
            assert status(server, "/livez")[0] == 200
            database.start()
            becomes(server, ready=True)
            assert status(server, "/api/v1alpha1/event", **body)[0] == 200
            _, answer = status(server, "/api/v1alpha1/events/search?service=payments")
            assert answer["totalCount"] in (2, 3)
            assert server.terminate() == 0


def test_another_server_goes_on_with_the_leases_of_one_that_was_killed(
    mongo: MongoServers, tmp_path: Path
) -> None:
    uri = mongo.emptied_database()
    with (
        replica(tmp_path, "one", uri) as one,
        replica(tmp_path, "other", uri) as other,
        Locks(other) as locks,
    ):
        with Locks(one) as of_one:
            held = of_one.take(ttl=f"{TTL:g}s")
        one.kill()
        began = time.monotonic()
        held = locks.renew(held)
        locks.wait_for_end(held)
        assert time.monotonic() - began >= TTL
        assert int(locks.take()["fencingToken"]) > int(held["fencingToken"])


def test_a_watch_at_one_server_hears_what_happens_at_another_and_goes_on_there(
    mongo: MongoServers, tmp_path: Path
) -> None:
    uri = mongo.emptied_database()
    with replica(tmp_path, "one", uri) as one, replica(tmp_path, "other", uri) as other:
        watched = heard(one)
        assert next(watched).event is None
        record(one, "1")
        record(other, "2")
        record(one, "3")
        messages = [next(watched) for _ in range(3)]
        assert sorted(titles(messages)) == ["1", "2", "3"]
        one.kill()
        record(other, "4")
        goes_on = heard(other, messages[0].resume_token)
        assert next(goes_on).event is None
        assert titles([next(goes_on) for _ in range(3)]) == [*titles(messages)[1:], "4"]
        _, counted = status(other, "/api/v1alpha1/events/facets?fields=service")
        assert counted["totalCount"] == 4


def record(server: ServerProcess, title: str) -> None:
    attributes = {"service": "payments", "type": "drift"}
    assert status(server, "/api/v1alpha1/event", title=title, attributes=attributes)[0] == 200


def heard(server: ServerProcess, resume_token: str = "") -> Iterator[event_pb.WatchEventsResponse]:
    """Watch at a server, which says something every 15 seconds: so every wait ends."""
    with Connection(f"http://127.0.0.1:{server.http_port}") as connection:
        request = WATCH_EVENTS.request(query="", resume_token=resume_token)
        yield from connection.stream(WATCH_EVENTS, request)


def titles(messages: list[event_pb.WatchEventsResponse]) -> list[str]:
    return [message.event.title if message.event is not None else "" for message in messages]
