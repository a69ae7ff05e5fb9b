"""Pictures of every page, at three widths, in light and dark: `make screenshots`.

Starts a server with sample data, and shoots each page of the menu, an event, an incident, an entry of
the catalog and others in Chromium into build/screenshots, as PAGE-WIDTH-THEME.png, the way from an
incident to its cause as walk-*.png, and what `tracker why` and `tracker event related` print as why.svg.
Those that README.md or a file in docs/ shows are copied to docs/pictures; so that the repository stays small,
none of these may have more than 150 kB.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from termios import tcsetwinsize
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from bench.server import ROOT, serving
from playwright.async_api import async_playwright
from rich.console import Console
from rich.text import Text

from tracker.web.pages import NAVIGATION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from playwright.async_api import Browser

_EVENTS: Final = 5_000
_EXPLAINED: Final = "type:incident has:caused_by"
_ROWS, _COLUMNS = 40, 140
_DOUBTFUL, _SURE = 0.7, 0.97
"""Shares between which a picture says most."""
_PAIR = 2
"""The events of an incident and its cause alone."""
_MOST_BYTES: Final = 150_000
_WALK: Final = (1000, 620)
"""The window of the pictures that lead from an incident to its cause."""
_SIZES: Final = {360: 800, 1280: 720, 2560: 1440}
"""Heights of windows by their widths."""
_THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
_FOLDER: Final = ROOT / "build" / "screenshots"
_PICTURES: Final = ROOT / "docs" / "pictures"


async def _addresses(browser: Browser, origin: str) -> Mapping[str, str]:
    """Return the addresses of the pages by the names of their pictures."""
    page = await browser.new_page(base_url=origin)
    await page.goto("/events?q=status:failure&from=30d")
    id_ = await page.locator("#list tr[data-event]").first.get_attribute("data-event")
    await page.goto(f"/events?q={quote(_EXPLAINED)}&from=30d")
    incident = await page.locator("#list tr[data-event]").first.get_attribute("data-event")
    await page.goto("/locks")
    lock = await page.locator("#locks th a").first.get_attribute("href")
    await page.close()
    named = {name.lower(): path for path, name in NAVIGATION}
    others = {
        "event": f"/events/{id_}",
        "incident": f"/events/{incident}",
        "open-event": f"/events?event={id_}",
        "entry": "/catalog/payments",
        "graph": "/catalog?view=graph",
        "matrix": "/matrix?than=1d",
        "delivery": "/insights/delivery",
        "states": "/states",
        "lock": lock or "/locks",
        "webhooks": "/webhooks",
        "deploy-check": "/deploy-check?service=payments&environment=production",
        "week": f"/calendar?week={time.strftime('%Y-%m-%d', time.gmtime())}&first=Monday",
    }
    return {**named, **others}


async def _walk(browser: Browser, origin: str) -> AsyncIterator[Path]:
    """Click from the first open incident to the change that most likely caused it."""
    width, height = _WALK
    page = await browser.new_page(
        base_url=origin,
        viewport={"width": width, "height": height},
        color_scheme="light",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    await page.goto("/", wait_until="load")
    clicks = (
        ("incident", page.locator("#incidents li a").first),
        ("why", page.get_by_role("link", name="Why?")),
        ("cause", page.locator("#why .suspect a").first),
    )
    for number, (name, link) in enumerate((("now", None), *clicks)):
        if link is not None:
            await link.click()
            await page.wait_for_load_state("load")
        file = _FOLDER / f"walk-{number}-{name}.png"
        await page.screenshot(path=file)
        yield file
    await page.close()


async def _shoot(origin: str, chromium: str) -> AsyncIterator[Path]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        addresses = await _addresses(browser, origin)
        for width, height in _SIZES.items():
            for theme in _THEMES:
                page = await browser.new_page(
                    base_url=origin,
                    viewport={"width": width, "height": height},
                    color_scheme=theme,
                    timezone_id="UTC",
                    reduced_motion="reduce",
                )
                for name, address in addresses.items():
                    file = _FOLDER / f"{name}-{width}-{theme}.png"
                    await page.goto(address, wait_until="load")
                    await page.screenshot(path=file)
                    yield file
                await page.close()
        async for file in _walk(browser, origin):
            yield file
        await browser.close()


def _terminal(origin: str) -> None:
    """Draw what `tracker why` said of an incident, and what was related to it in the end."""
    environ = os.environ | {"TRACKER_SERVER": origin, "TERM": "xterm-256color", "TZ": "UTC"}
    asked, related = _explained(environ)
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    for command in (asked, related):
        console.print(Text.from_ansi(f"$ tracker {' '.join(command)}\n{_printed(command, environ)}"))
    drawn = console.export_svg(title="tracker")
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)  # fonts of other hosts
    (_FOLDER / "why.svg").write_text(re.sub(r"terminal-\d+", "terminal", drawn))


def _explained(environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the commands for the newest incident whose cause was suspected, and taken back in the end."""
    for event in _json(["event", "search", *_EXPLAINED.split(), "since:30d", "--limit", "50"], environ)[
        "events"
    ]:
        began = datetime.fromisoformat(event["metadata"]["createdAt"])
        id_ = event["metadata"]["id"][:13]
        asked = ["why", id_, f"--as-of={began + timedelta(minutes=3):%Y-%m-%dT%H:%M:%S}"]
        related = ["event", "related", id_]
        suspect = _json(asked, environ)["suspects"][0]
        right = suspect["change"]["metadata"]["id"] in event["metadata"]["causedBy"]
        if right and _DOUBTFUL < suspect["share"] < _SURE and len(_json(related, environ)["events"]) > _PAIR:
            return asked, related
    raise SystemExit("no incident of the sample data makes a picture")


def _json(arguments: list[str], environ: Mapping[str, str]) -> Any:  # noqa: ANN401  # whatever a command answers
    command = [sys.executable, "-m", "tracker", *arguments, "--output", "json"]
    return json.loads(subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE).stdout)


def _printed(arguments: list[str], environ: Mapping[str, str]) -> str:
    """Return what a command prints on a terminal."""
    ours, its = pty.openpty()
    tcsetwinsize(its, (_ROWS, _COLUMNS))
    command = [sys.executable, "-m", "tracker", *arguments]
    with subprocess.Popen(command, env=environ, stdout=its, stderr=its, stdin=its):
        os.close(its)
        printed = b""
        with suppress(OSError):  # the end of a terminal
            while part := os.read(ours, 65_536):
                printed += part
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


async def _all(origin: str, chromium: str) -> int:
    return len([file async for file in _shoot(origin, chromium)])


def _shown() -> set[str]:
    """Return the names of the pictures that the documents show."""
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    return {
        name for file in documents for name in re.findall(r"pictures/([\w-]+\.(?:png|svg))", file.read_text())
    }


def main() -> None:
    """Shoot all, and copy those that are shown."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no chromium here: install it, or put it on the path")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    _PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "demo.db")
        now = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime())
        command = [sys.executable, "-m", "tracker", "demo", str(database), "--events", str(_EVENTS)]
        command += ["--until", now]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        with serving(database, TIMEZONE="UTC") as server:
            origin = f"http://127.0.0.1:{server.http_port}"
            number = asyncio.run(_all(origin, chromium))
            _terminal(origin)
    print(f"{number} pictures in {_FOLDER.relative_to(ROOT)}")
    for name in sorted(_shown()):
        size = (_FOLDER / name).stat().st_size
        if size > _MOST_BYTES:
            raise SystemExit(f"{name} has {size:,} bytes, more than {_MOST_BYTES:,}: show a smaller page")
        shutil.copy(_FOLDER / name, _PICTURES / name)
        print(f"docs/pictures/{name}: {size:,} bytes")


if __name__ == "__main__":
    main()
