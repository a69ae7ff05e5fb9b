"""Both wires over stand-in services, each on a free port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc.aio
import pytest
import structlog
from tests.clients import STRICT, http_client
from tests.wires.grpc_reference import Reference
from tests.wires.limits import SHORT_GRPC
from tests.wires.standin import StandIn

from tracker.api.grpc import GrpcServer
from tracker.api.http_protocol import HttpLimits
from tracker.api.http_server import HttpServer
from tracker.api.rest import RestApi
from tracker.api.routes import Readiness, probes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tracker.api.grpc_call import GrpcLimits


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.fixture
def limits() -> HttpLimits:
    return HttpLimits()


@pytest.fixture
async def http_server(stand_in: StandIn, limits: HttpLimits) -> AsyncIterator[HttpServer]:
    async def check() -> None:
        pass

    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    routes = [*probes(Readiness(check)), *stand_in.routes]
    api = RestApi(stand_in.chain, stand_in.methods, routes, log=log)
    server = HttpServer(api, "127.0.0.1", 0, stand_in.unsent, limits)
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def rest(http_server: HttpServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(http_server.bound) as client:
        yield client


@pytest.fixture
def grpc_limits() -> GrpcLimits:
    return SHORT_GRPC


@pytest.fixture
async def grpc_server(stand_in: StandIn, grpc_limits: GrpcLimits) -> AsyncIterator[GrpcServer]:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    server = GrpcServer(
        stand_in.chain,
        stand_in.methods,
        "127.0.0.1",
        0,
        streams=stand_in.streams,
        log=log,
        limits=grpc_limits,
    )
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def channel(grpc_server: GrpcServer) -> AsyncIterator[grpc.aio.Channel]:
    host, port = grpc_server.bound
    async with grpc.aio.insecure_channel(f"{host}:{port}", options=STRICT) as channel:
        yield channel


@pytest.fixture(params=["tracker", "grpc.aio"])
async def port(
    request: pytest.FixtureRequest, grpc_server: GrpcServer, stand_in: StandIn, grpc_limits: GrpcLimits
) -> AsyncIterator[int]:
    """Give the port of our server, and that of one of `grpc.aio` with the same endpoints."""
    if request.param == "tracker":
        yield grpc_server.bound[1]
        return
    reference = Reference(stand_in.chain, stand_in.methods, grpc_limits)
    await reference.start()
    yield reference.bound[1]
    await reference.stop(0)
