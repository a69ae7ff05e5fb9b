"""A browser, a server with sample data, and readers who look at it: one of each for all tests here."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from playwright.async_api import async_playwright, expect
from tests.clients import http_client
from tests.forks import forks
from tests.web.browser.readers import PATIENCE, Readers

from tracker.app import App
from tracker.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2
    from playwright.async_api import Browser
    from tests.mongo_servers import MongoServers

EVENTS = 400
FREEZE = {
    "title": "Christmas",
    "type": "soft",
    "startsAt": "2026-12-20T00:00:00Z",
    "duration": "P14D",
    "rrule": "FREQ=YEARLY",
    "services": ["none-of-the-sample"],
    "active": True,
}
NO_CHROMIUM = "there is no chromium that runs here"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give Debian's Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip(NO_CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=60_000)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[App]:
    """Give a server with sample data, which every caller may read and change."""
    database = tmp_path_factory.mktemp("demo") / "demo.db"
    mongo_uri = None
    if getattr(request, "param", "sqlite") == "mongo":
        servers: MongoServers = request.getfixturevalue("mongo")
        mongo_uri = servers.new_database()
    _fill(mongo_uri or str(database), database.with_suffix(".log"))
    settings = Settings(
        host="127.0.0.1",
        grpc_port=0,
        http_port=0,
        metrics_port=0,
        database_path=database,
        mongo_uri=mongo_uri,
        rate_limit_enabled=False,
        shutdown_grace=0,
    )
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log) as app:
        async with http_client(app.http_address) as http:
            (await http.post("/api/v1alpha1/freeze-window", json=FREEZE)).raise_for_status()
        yield app


def _fill(store: str, log: Path) -> None:
    with log.open("ab") as written, log.open("rb") as nothing:
        streams = (nothing.fileno(), written.fileno(), written.fileno())
        code = forks().start(["demo", store, "--events", str(EVENTS)], os.environ, None, streams).wait(60)
    assert code == 0, log.read_text()


@pytest.fixture
async def readers(browser: Browser) -> AsyncIterator[Readers]:
    """Give what opens pages, each reader in a window of its own; what goes wrong in one fails the test."""
    async with Readers(browser) as readers:
        yield readers
    assert readers.troubles == []


@pytest.fixture
async def api(demo: App) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of the server with sample data."""
    async with http_client(demo.http_address) as http:
        yield http


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what a run without a browser has left out."""
    skipped = terminalreporter.getreports("skipped")
    left_out = sum(isinstance(each.longrepr, tuple) and NO_CHROMIUM in each.longrepr[2] for each in skipped)
    if left_out:
        terminalreporter.section("BROWSER LEFT OUT", red=True, bold=True)
        terminalreporter.line(f"{left_out} tests did not run: {NO_CHROMIUM}.", red=True)
