"""Fixtures that many tests share: a whole server in this process, and a client for each wire."""

from __future__ import annotations

import gc
import os
import signal
from ipaddress import ip_network
from typing import TYPE_CHECKING

import grpc.aio
import httpx2
import hypothesis
import pytest
import structlog
from tests import timeouts
from tests.canaries import files_with_secrets
from tests.clients import STRICT, GrpcClient, RestClient, http_client
from tests.clocks import StoppedClock
from tests.memory import pytest_configure  # noqa: F401 - for pytest, which looks for it here
from tests.mongo_servers import MongoServers, mongod
from tests.pairs import chosen

from tracker.app import App
from tracker.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.clients import Client

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Random input is about what comes out, not about how long the first of many takes on a busy machine.
hypothesis.settings.register_profile("tracker", deadline=None)
hypothesis.settings.load_profile("tracker")


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServers]:
    """Give a MongoDB server alone."""
    _require_mongod()
    with MongoServers(tmp_path_factory.mktemp("mongo")) as servers:
        yield servers


@pytest.fixture(scope="session")
def mongo_replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServers]:
    """Give a replica set of three MongoDB servers."""
    _require_mongod()
    with MongoServers(tmp_path_factory.mktemp("mongo"), members=3) as servers:
        yield servers


def _require_mongod() -> None:
    if mongod() is None:
        pytest.skip(_NO_MONGOD)


_NO_MONGOD = "there is no mongod that runs here"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = chosen(items)
    timeouts.pytest_collection_modifyitems(config, items)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what all tests have in common: it takes a quarter of their time."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """Run one test more at a time than there are processors: for half of its time, a test waits."""
    return (os.cpu_count() or 1) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what a run without a MongoDB server has left out."""
    skipped = terminalreporter.getreports("skipped")
    left_out = sum(isinstance(each.longrepr, tuple) and _NO_MONGOD in each.longrepr[2] for each in skipped)
    if left_out:
        terminalreporter.section("MONGODB LEFT OUT", red=True, bold=True)
        terminalreporter.line(
            f"{left_out} tests did not run: {_NO_MONGOD}. Set MONGOD to the program, or put it on the path.",
            red=True,
        )


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run on the event loop that `tracker serv` runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
async def _one_event_loop(anyio_backend: object) -> None:
    """Keep it for all tests: gRPC has things to tell it of a server and its calls after they have ended."""


@pytest.fixture(scope="session", autouse=True)
def _no_secret_is_written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Look, after all tests of a process, for secrets in what the servers of all of them have written."""
    yield
    assert files_with_secrets(tmp_path_factory.getbasetemp()) == []


@pytest.fixture
def mongo_uri() -> str | None:
    """Give the address of a MongoDB database to use in place of the embedded store; for tests to override."""
    return None


@pytest.fixture
def settings(tmp_path: Path, mongo_uri: str | None) -> Settings:
    return Settings(
        host="127.0.0.1",
        grpc_port=0,
        http_port=0,
        metrics_port=0,
        database_path=tmp_path / "tracker.db",
        mongo_uri=mongo_uri,
        webhook_allowed_networks=(ip_network("127.0.0.0/8"),),
        rate_limit_enabled=False,  # a test calls more often than a person does
        shutdown_grace=0,  # for which no server waits between two tests
    )


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
async def app(settings: Settings, clock: StoppedClock) -> AsyncIterator[App]:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log, clock) as app:
        yield app


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(app.http_address, limits=httpx2.Limits(max_connections=None)) as http:
        yield http


@pytest.fixture(params=["grpc", "rest"])
async def client(request: pytest.FixtureRequest, app: App, http: httpx2.AsyncClient) -> AsyncIterator[Client]:
    if request.param == "rest":
        yield RestClient(http)
    else:
        host, port = app.grpc_address
        async with grpc.aio.insecure_channel(f"{host}:{port}", options=STRICT) as channel:
            yield GrpcClient(channel)
