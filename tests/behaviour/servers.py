"""Servers that a test starts itself, and what they report."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from tests.clients import RestClient, http_client
from tests.patience import PATIENCE

from tracker.app import App
from tracker.services.context import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from tests.clients import Client

    from tracker.config.settings import Settings
    from tracker.services.context import MakeClock

SOON = PATIENCE


@asynccontextmanager
async def server(settings: Settings, clock: MakeClock = SystemClock) -> AsyncIterator[Client]:
    async with pages(settings, clock) as http:
        yield RestClient(http)


@asynccontextmanager
async def pages(settings: Settings, clock: MakeClock = SystemClock) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of the pages of a server."""
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log, clock) as app, http_client(app.http_address) as http:
        yield http


async def metrics(app: App) -> str:
    async with http_client(app.metrics_address) as http:
        return (await http.get("/metrics")).text


async def waiting(app: App, number: int) -> None:
    """Wait until so many calls wait for a lock."""
    async with asyncio.timeout(PATIENCE):
        while f"tracker_locks_waiting {number}.0" not in await metrics(app):
            await asyncio.sleep(0.01)  # between two polls
