"""Servers that share a store, or wrongly do not, each behind proxies that can lose its answers."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc.aio
from tests.clients import GrpcClient, RestClient, http_client
from tests.mongo_servers import MongoServers
from tests.patience import PATIENCE
from tests.server_process import ServerEndedError, ServerProcess
from tests.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AsyncExitStack
    from pathlib import Path

    from tests.clients import Client
    from tests.mongo_servers import MongoServer

STORES = ("sqlite", "mongo", "split-brain")
"""One server on SQLite, three on one MongoDB, and two on a SQLite store each that pass for one."""

_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
]


class Replica:
    """One server and its proxies."""

    def __init__(self, server: ServerProcess, stack: ExitStack) -> None:
        self.server = stack.enter_context(server)
        self._grpc = stack.enter_context(TcpProxy(server.grpc_port))
        self._rest = stack.enter_context(TcpProxy(server.http_port))

    def start(self) -> None:
        """Start the server again, as often as it takes: it ends where its database is gone."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.server.start()
            except ServerEndedError:
                if time.monotonic() > deadline:
                    raise

    def lose_answers(self) -> None:
        """Lose the next answer on each wire, and break the connection it was to go by."""
        self._grpc.lose_next_answer()
        self._rest.lose_next_answer()

    async def connect(self, wire: str, stack: AsyncExitStack) -> Client:
        """Return a client with a connection of its own, which ends with the stack."""
        if wire == "rest":
            http = http_client(("127.0.0.1", self._rest.port))
            return RestClient(await stack.enter_async_context(http))
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._grpc.port}", options=_RECONNECT)
        return GrpcClient(await stack.enter_async_context(channel))


@dataclass(frozen=True, slots=True)
class Cluster:
    """What serves the locks."""

    replicas: Sequence[Replica]
    databases: Sequence[MongoServer] = ()


@contextmanager
def cluster(store: str, folder: Path) -> Iterator[Cluster]:
    """Run one of `STORES` with its data in a folder."""
    with ExitStack() as stack:

        def replica(number: int, **settings: str) -> Replica:
            database = folder / f"server-{number}.db"
            return Replica(ServerProcess(database, LOG_LEVEL="error", **settings), stack)

        match store:
            case "sqlite":
                yield Cluster([replica(0)])
            case "split-brain":
                yield Cluster([replica(0), replica(1)])
            case "mongo":
                mongo = stack.enter_context(MongoServers(folder / "mongo"))
                uri = mongo.new_database()
                yield Cluster([replica(number, MONGO_URI=uri) for number in range(3)], mongo.members)
            case _:
                raise ValueError(store)
