"""How fast events go in and out by lines of JSON, and what other callers notice of it.

    python -m bench.archive [--events 100000]

Runs `tracker import` and `tracker export` beside a server on SQLite, on the loopback interface. Meanwhile one
caller asks for the newest event every 10 ms: `others` is how long that takes. The events are those of
`tracker demo`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from bench.load import http_request
from bench.server import serving

from tracker.demo.company import Company, days_for
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.server import Server

_UNTIL = 1_780_000_000 * MICROS
_PAUSE = 0.01
_ASKED = http_request("GET", "/api/v1alpha1/events/list?perPage=1")


async def _measure(name: str, arguments: Sequence[str], server: Server, number: int) -> None:
    others = await server.rest()
    took: list[float] = []
    before, began = server.cpu(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracker", *arguments),
        env={**os.environ, "TRACKER_SERVER": f"http://127.0.0.1:{server.http_port}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ended = asyncio.ensure_future(process.wait())
    while not ended.done():
        asked = time.perf_counter()
        await others.send(_ASKED)
        took.append((time.perf_counter() - asked) * 1e3)
        await asyncio.wait([ended], timeout=_PAUSE)
    seconds = time.perf_counter() - began
    assert await ended == 0
    await others.close()
    took.sort()
    cpu = (server.cpu() - before) / number * 1e6
    times = (took[len(took) // 2], took[int(len(took) * 0.99)], took[-1])
    print(f"{name:24}{number / seconds:>10,.0f}/s{cpu:>8,.0f} us", *(f"{each:>8,.1f} ms" for each in times))


async def _all(folder: Path, server: Server, number: int) -> None:
    lines, out = folder / "events.ndjson", folder / "out.ndjson"
    with lines.open("w") as file:
        for event in Company(1).events(number, until=_UNTIL, days=days_for(number)):
            file.write(f"{event.to_json()}\n")
    print(f"{f'{number:,} events':24}{'rate':>12}{'server':>11}{'others p50':>12}{'p99':>12}{'most':>12}")
    await _measure("import", ("import", str(lines)), server, number)
    await _measure("import again", ("import", str(lines)), server, number)
    await _measure("export", ("export", "-o", str(out)), server, number)
    await _measure("export, packed", ("export", "-o", f"{out}.gz"), server, number)


def main() -> None:
    """Start a server, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder, "tracker.db")) as server:
        uvloop.run(_all(Path(folder), server, options.events))


if __name__ == "__main__":
    main()
