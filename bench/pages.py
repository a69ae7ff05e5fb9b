"""How long the Explorer takes in a real browser, and what a page of it costs the server.

    python -m bench.pages [--events 100000] [--times 15] [--database FILE]

Fills a store with sample events, or takes one that `tracker demo` has filled, starts a server on it, and
opens the Explorer in Chromium, all on the loopback interface. The browser has the files of the page already,
as readers have. Times are medians, in milliseconds:

* `opened` is from the start of a navigation to when the whole page is painted;
* `list`, `facets` and `chart` are from a click on a period to when that part has changed and is painted;
* `HTML` and `files` are what a first visit transfers, in kB: the page, and its styles and scripts;
* `CPU` is what the server uses for a whole page.

Beside them stand the three calls over REST that ask the same: how long each takes, and the CPU of all three.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from bench.load import http_request
from bench.server import serving
from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import RestConnection
    from bench.server import Server
    from playwright.async_api import Browser, Page

_QUERIES = (
    ("7 days", "from=7d", ""),
    ("all time", "from=all", ""),
    ("failures", "from=all&q=status:failure", "status:failure"),
    (
        "one service",
        "from=all&q=service:payments+environment:production",
        "service:payments environment:production",
    ),
    ("a word", "from=all&q=timed", "timed"),
)
_WEEK, _YEAR = 7, 366
"""Days of the calls over REST; sample events are at most a year old."""
_PATIENCE = 600
"""Seconds within which all times of a query are measured."""
_PARTS = ("list", "facets", "chart")
_PAINTED = """() => new Promise((done) => {
  const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", painted) : painted();
})"""
_CHANGED = """(parts) => new Promise((done) => {
  const times = {}, left = new Set(parts);
  for (const part of parts) document.getElementById(part).dataset.old = "so that it is another";
  document.addEventListener("swapped", () => {
    for (const part of left) {
      if (document.getElementById(part).dataset.old) continue;
      left.delete(part);
      requestAnimationFrame(() => requestAnimationFrame(() => {
        times[part] = performance.now() - start;
        if (Object.keys(times).length === parts.length) done(parts.map((each) => times[each]));
      }));
    }
  });
  const start = performance.now();
  document.querySelector(".segments a[aria-current]").click();
})"""
_BYTES = """() => [
  performance.getEntriesByType("navigation")[0].encodedBodySize,
  performance.getEntriesByType("resource").filter((each) => each.name.includes("/assets/"))
    .reduce((sum, each) => sum + each.encodedBodySize, 0),
]"""


class _Row(NamedTuple):
    """What is measured of a query, in milliseconds and kB."""

    opened: float
    parts: Sequence[float]
    html: float
    files: float
    cpu: float
    rest: Sequence[float]
    rest_cpu: float


async def _page(browser: Browser, server: Server) -> Page:
    origin = f"http://127.0.0.1:{server.http_port}"
    context = await browser.new_context(base_url=origin, viewport={"width": 1280, "height": 900})
    await context.add_cookies([{"name": "zone", "value": "UTC", "url": origin}])
    return await context.new_page()


async def _measure(browser: Browser, server: Server, times: int, asked: str, query: str) -> _Row:
    page = await _page(browser, server)
    await page.goto(f"/events?{asked}")
    html, files = await page.evaluate(_BYTES)
    opened: list[float] = []
    async with asyncio.timeout(_PATIENCE):
        for _ in range(times):
            await page.goto(f"/events?{asked}", wait_until="commit")
            opened.append(await page.evaluate(_PAINTED))
        parts: list[list[float]] = [await page.evaluate(_CHANGED, _PARTS) for _ in range(times)]
    await page.context.close()
    connection = await server.rest()
    whole = http_request("GET", f"/events?{asked}", b"", **{"accept-encoding": "gzip"})
    _, cpu = await _asked(connection, server, [whole], times)
    calls, rest_cpu = await _asked(connection, server, _calls(asked, query), times)
    await connection.close()
    return _Row(
        median(opened),
        [median(each) for each in zip(*parts, strict=True)],
        html / 1e3,
        files / 1e3,
        cpu,
        calls,
        rest_cpu,
    )


def _calls(asked: str, query: str) -> list[bytes]:
    """Return the calls over REST that ask what a page asks."""
    days = _WEEK if "7d" in asked else _YEAR
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86_400))
    given = [("query", query), ("start_date", since)]
    fields = [("fields", name) for name in ("status", "service", "environment", "type", "priority", "impact")]
    return [
        http_request("GET", f"/api/v1alpha1/events/{path}?{urlencode([*given, *more])}")
        for path, more in (
            ("search", [("per_page", "100")]),
            ("facets", [*fields, ("limit", "8")]),
            ("histogram", [("by", "status")]),
        )
    ]


async def _asked(
    connection: RestConnection, server: Server, requests: Sequence[bytes], times: int
) -> tuple[list[float], float]:
    """Return the median time of each request, and the server's CPU for all of them, in milliseconds."""
    took: list[list[float]] = [[] for _ in requests]
    for request in requests:
        await connection.send(request)
    before = server.cpu()
    for _ in range(times):
        for request, each in zip(requests, took, strict=True):
            begun = time.perf_counter()
            await connection.send(request)
            each.append((time.perf_counter() - begun) * 1e3)
    return [median(each) for each in took], (server.cpu() - before) / times * 1e3


async def _all(server: Server, chromium: str, times: int) -> None:
    print(
        f"{'':14}{'opened':>8}{'list':>8}{'facets':>8}{'chart':>8}{'HTML':>8}{'files':>8}{'CPU':>8}"
        f"   {'REST list':>10}{'facets':>8}{'chart':>8}{'CPU':>8}"
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, asked, query in _QUERIES:
            row = await _measure(browser, server, times, asked, query)
            page = (row.opened, *row.parts, row.html, row.files, row.cpu)
            print(
                f"{name:14}{''.join(f'{each:8.1f}' for each in page)}"
                f"   {row.rest[0]:10.1f}{''.join(f'{each:8.1f}' for each in (*row.rest[1:], row.rest_cpu))}",
                flush=True,
            )
        await browser.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=15, help="how often each is measured")
    parser.add_argument("--database", type=Path, help="a store that `tracker demo` has filled")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no chromium here")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        database = options.database or Path(folder, "tracker.db")
        if options.database is None:
            command = [
                sys.executable,
                "-m",
                "tracker",
                "demo",
                str(database),
                "--events",
                str(options.events),
            ]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        with serving(database) as server:
            asyncio.run(_all(server, chromium, options.times))


if __name__ == "__main__":
    main()
