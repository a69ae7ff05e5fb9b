"""Calls that the Python client repeats after their answer was lost, on a real server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import pytest
from protobuf.wkt import Duration
from tests.tcp_proxy import TcpProxy

from tracker.client.connection import Connection
from tracker.client.rpcs import (
    CREATE_EVENT,
    CREATE_LOCK,
    CREATE_UPDATE_CATALOG,
    GET_CATALOG,
    GET_EVENT,
    GET_LOCK,
    RENEW_LOCK,
    UPDATE_DEPENDENCIES,
    UPDATE_EVENT,
    UPDATE_LOCK,
    UPDATE_VERSIONS,
)
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.app import App
    from tracker.pb import catalog_pb, lock_pb

TOKEN = "s3cret" * 5


class Record(NamedTuple):
    """How to create a record, how to set one of its fields to a number, and how to read that number."""

    create: Callable[[Connection], str]
    change: Callable[[Connection, str, int], object]
    read: Callable[[Connection, str], int]


def attributes(owner: str = "") -> event_pb.EventAttributes:
    return event_pb.EventAttributes(
        service="s", type=event_pb.Type.drift, source="ci", external_id="1", owner=owner
    )


def create_event(connection: Connection) -> str:
    event = connection.call(CREATE_EVENT, CREATE_EVENT.request(title="t", attributes=attributes())).event
    assert event is not None
    assert event.metadata is not None
    return event.metadata.id


def read_event(connection: Connection, id_: str) -> int:
    event = connection.call(GET_EVENT, GET_EVENT.request(id=id_)).event
    assert event is not None
    assert event.attributes is not None
    return int(event.attributes.owner)


def create_entry(connection: Connection) -> str:
    describe_entry(connection, "n", 0)
    return "n"


def describe_entry(connection: Connection, name: str, number: int) -> None:
    request = CREATE_UPDATE_CATALOG.request(name=name, owner="o", version="1", description=str(number))
    connection.call(CREATE_UPDATE_CATALOG, request)


def entry(connection: Connection, name: str) -> catalog_pb.Catalog:
    catalog = connection.call(GET_CATALOG, GET_CATALOG.request(name=name)).catalog
    assert catalog is not None
    return catalog


def create_lock(connection: Connection) -> str:
    ttl = Duration(seconds=60)
    lock = connection.call(CREATE_LOCK, CREATE_LOCK.request(service="s", ttl=ttl, lock_token=TOKEN)).lock
    assert lock is not None
    return lock.id


def lock(connection: Connection, id_: str) -> lock_pb.Lock:
    found = connection.call(GET_LOCK, GET_LOCK.request(id=id_)).lock
    assert found is not None
    return found


def read_ttl(connection: Connection, id_: str) -> int:
    ttl = lock(connection, id_).ttl
    assert ttl is not None
    return ttl.seconds


RECORDS = {
    "CreateEvent": Record(
        create_event,
        lambda c, _, n: c.call(CREATE_EVENT, CREATE_EVENT.request(title="t", attributes=attributes(str(n)))),
        read_event,
    ),
    "UpdateEvent": Record(
        create_event,
        lambda c, id_, n: c.call(
            UPDATE_EVENT, UPDATE_EVENT.request(id=id_, attributes=attributes(str(n)), merge=True)
        ),
        read_event,
    ),
    "CreateUpdateCatalog": Record(
        create_entry,
        describe_entry,
        lambda c, name: int(entry(c, name).description),
    ),
    "UpdateVersions": Record(
        create_entry,
        lambda c, name, n: c.call(UPDATE_VERSIONS, UPDATE_VERSIONS.request(name=name, latest_version=str(n))),
        lambda c, name: int(entry(c, name).latest_version),
    ),
    "UpdateDependencies": Record(
        create_entry,
        lambda c, name, n: c.call(
            UPDATE_DEPENDENCIES, UPDATE_DEPENDENCIES.request(name=name, dependencies_in=[str(n)])
        ),
        lambda c, name: int(entry(c, name).dependencies_in[0]),
    ),
    "UpdateLock": Record(
        create_lock,
        lambda c, id_, n: c.call(UPDATE_LOCK, UPDATE_LOCK.request(id=id_, who=str(n), lock_token=TOKEN)),
        lambda c, id_: int(lock(c, id_).who),
    ),
    "RenewLock": Record(
        create_lock,
        lambda c, id_, n: c.call(
            RENEW_LOCK, RENEW_LOCK.request(id=id_, ttl=Duration(seconds=n), lock_token=TOKEN)
        ),
        read_ttl,
    ),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
async def test_a_repeated_change_does_not_overwrite_what_another_caller_changed_meanwhile(
    app: App, record: Record
) -> None:
    host, port = app.http_address

    def lose_an_answer() -> int:
        with (
            TcpProxy(port) as proxy,
            Connection(f"http://{host}:{proxy.port}") as one,
            Connection(f"http://{host}:{port}") as other,
        ):
            name = record.create(other)
            proxy.lose_next_answer(lambda: record.change(other, name, 200))
            record.change(one, name, 100)
            return record.read(other, name)

    assert await asyncio.to_thread(lose_an_answer) == 200
