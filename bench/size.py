"""How answers take longer as the store grows: from 10,000 events over 100,000 to a million.

    python -m bench.size [--events 10000 100000 1000000] [--seconds 1]

The events are those of `tracker demo`. Beside free text stands `grep` over the same events as lines of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import psutil
import uuid_utils
import uvloop
from bench.store_at_rest import Silent

from tracker import demo
from tracker.domain.events import EventFilter
from tracker.domain.intervals import read_interval
from tracker.domain.query import Clock, fields, parse
from tracker.domain.times import MICROS
from tracker.stores.base import Slice
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tracker.stores.base import Store

_END = datetime(2026, 6, 1, tzinfo=UTC)
_UNTIL = int(_END.timestamp()) * MICROS
_CLOCK = Clock(_UNTIL, ZoneInfo("UTC"))
_FIVE = (fields.SERVICE, fields.STATUS, fields.ENVIRONMENT, fields.TYPE, fields.PRIORITY)
_PAGE = Slice(100)
_WORD = "exhausted"
"""A word that one event in some hundred has."""
_CREATED = 4_000
_CALLERS = 16


class Row(NamedTuple):
    """What was measured, and how to print it."""

    name: str
    unit: str
    value: float


async def _measure(database: Path, number: int, seconds: float) -> list[Row]:
    store = SqliteStore(database, Silent())
    await store.open()
    rows: list[Row] = []

    async def took(name: str, call: Callable[[], Awaitable[object]]) -> None:
        times: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 3:  # noqa: PLR2004 - enough for a median
            began = time.perf_counter()
            await call()
            times.append(time.perf_counter() - began)
        rows.append(Row(name, "ms", median(times) * 1e3))

    def find(query: str, part: Slice = _PAGE) -> Callable[[], Awaitable[object]]:
        where = EventFilter(query=parse(query, _CLOCK))
        return lambda: store.events.find(where, part)

    middle = await store.events.find(EventFilter(), Slice(1, offset=number // 2))
    month = _month()
    await took("newest page of 100", lambda: store.events.find(EventFilter(), _PAGE))
    await took(
        "page of 100 in the middle", lambda: store.events.find(EventFilter(), Slice(100, after=middle.next))
    )
    await took("three fields", find("service:ledger status:failure env:production"))
    await took("three fields and a time", find("service:payments status:success type:deployment since:7d"))
    await took("a word in every other event", find("deploy"))
    await took(f"a rare word: {_WORD}", find(_WORD))
    await took("a word that is nowhere", find("nonsense"))
    await took("facets of five fields", lambda: store.events.count_by(EventFilter(), _FIVE, 10))
    last = EventFilter(query=parse("since:30d", _CLOCK))
    await took("facets of five fields, 30 days", lambda: store.events.count_by(last, _FIVE, 10))
    await took("a month by the hour", lambda: store.events.count_between(EventFilter(), month, None))
    await took(
        "a month by the hour, by status",
        lambda: store.events.count_between(EventFilter(), month, fields.STATUS),
    )
    rows.extend(
        (
            Row("create, 16 callers", "/s", await _create(store)),
            Row("memory of the process", "MiB", psutil.Process().memory_info().rss / 2**20),
        )
    )
    await store.close()
    return rows


def _month() -> Sequence[int]:
    hour = read_interval("1h")
    assert hour is not None
    since = _UNTIL - 30 * 24 * 3_600 * MICROS
    return [*hour.starts(since, _UNTIL, _CLOCK.zone), _UNTIL]


async def _create(store: Store) -> float:
    """Return how many new events are stored in a second."""
    made = list(demo.events(_CREATED, seed=2, until=_UNTIL, days=1))
    for place, event in enumerate(made):
        assert event.metadata is not None
        assert event.attributes is not None
        event.metadata.id = str(uuid_utils.uuid7())
        event.attributes.external_id = f"new {place}" if event.attributes.external_id else ""
    new = iter(made)

    async def some() -> None:
        for event in new:
            await store.events.create(event, None)

    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(_CALLERS)))
    return _CREATED / (time.perf_counter() - began)


def _grep(number: int, folder: Path) -> float:
    """Return the milliseconds that `grep` takes to count the lines with a word."""
    lines = folder / "events.ndjson"
    with lines.open("w") as file:
        for event in demo.events(number, seed=1, until=_UNTIL, days=demo.days_for(number)):
            file.write(f"{event.to_json()}\n")
    times: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        # Not to /dev/null, which would have it stop at the first line.
        subprocess.run(["grep", "-ciw", _WORD, lines], check=True, stdout=subprocess.PIPE)  # noqa: S607 - the one in PATH
        times.append(time.perf_counter() - began)
    lines.unlink()
    return median(times) * 1e3


def main() -> None:
    """Fill stores of each size, and measure each in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--database", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.database is not None:
        for row in uvloop.run(_measure(options.database, options.events[0], options.seconds)):
            print(*row, sep="\t")
        return
    table: dict[tuple[str, str], list[float]] = {}
    for number in options.events:
        with tempfile.TemporaryDirectory() as folder:
            for row in _one_size(number, Path(folder), options.seconds):
                table.setdefault((row.name, row.unit), []).append(row.value)
    print(f"{'events':36}{'':4}" + "".join(f"{number:>12,}" for number in options.events))
    for (name, unit), values in table.items():
        print(f"{name:36}{unit:4}" + "".join(f"{value:>12,.1f}" for value in values))


def _one_size(number: int, folder: Path, seconds: float) -> list[Row]:
    database = folder / "tracker.db"
    began = time.perf_counter()
    fill = [
        "-m",
        "tracker",
        "demo",
        str(database),
        "--events",
        str(number),
        "--until",
        f"{_END:%Y-%m-%dT%H:%MZ}",
    ]
    subprocess.run([sys.executable, *fill], check=True, stdout=subprocess.DEVNULL)
    rows = [Row("made and stored by `tracker demo`", "/s", number / (time.perf_counter() - began))]
    measure = ["-m", "bench.size", "--database", str(database), "--events", str(number)]
    done = subprocess.run(
        [sys.executable, *measure, "--seconds", str(seconds)], check=True, stdout=subprocess.PIPE, text=True
    )
    for line in done.stdout.splitlines():
        name, unit, value = line.split("\t")
        rows.append(Row(name, unit, float(value)))
    rows.append(Row(f"grep -ciw {_WORD}", "ms", _grep(number, folder)))
    return rows


if __name__ == "__main__":
    main()
