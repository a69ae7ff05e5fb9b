"""How answers take longer as the store grows: from 10,000 events over 100,000 to a million.

    python -m bench.size [--mongo] [--events 10000 100000 1000000] [--seconds 1]

The events are those of `tracker demo`. At last, free text and counts of the largest store stand beside what
`grep` and DuckDB take for them over the same events as lines of JSON. With `--mongo`, the store is a `mongod`
of the development environment, with up to 100,000 events unless `--events` says otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import psutil
import uuid_utils
import uvloop
from bench.store_at_rest import Silent
from bench.yardsticks import NAMES, Yardsticks
from tests.mongo_servers import MongoServers

from tracker import demo
from tracker.domain.query import fields
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.domain.times import read_interval
from tracker.stores.mongo import MongoStore
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS, Clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from tracker.stores.base import Store

_END = datetime(2026, 6, 1, tzinfo=UTC)
_UNTIL = int(_END.timestamp()) * MICROS
_CLOCK = Clock(_UNTIL, ZoneInfo("UTC"))
_FIVE = tuple(fields.BY_NAME[name] for name in ("service", "status", "environment", "type", "priority"))
_PAGE = Page(100)
_OFTEN, _RARE, _NEVER = "deploy", "exhausted", "nonsense"
"""Words that most events have, one in some hundred, and none."""
_FACETS: Final = "facets of five fields"
_HISTOGRAM: Final = "a month by the hour, by status"
_CREATED = 4_000
_TURNS = 5
_CALLERS = 16


class Row(NamedTuple):
    """What was measured, and how to print it."""

    name: str
    unit: str
    value: float


def _word(word: str) -> str:
    """Return the name of the row for a word."""
    return {_OFTEN: "a word that most have", _RARE: "a rare word", _NEVER: "a word that is nowhere"}[word]


async def _measure(store: Store, number: int, seconds: float) -> list[Row]:
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

    def find(query: str, part: Page = _PAGE) -> Callable[[], Awaitable[object]]:
        where = EventFilter(parse(query, _CLOCK))
        return lambda: store.events.find(where, part)

    middle = await store.events.find(EventFilter(), Page(1, offset=number // 2))
    month = _month()
    await took("newest page of 100", lambda: store.events.find(EventFilter(), _PAGE))
    await took(
        "page of 100 in the middle", lambda: store.events.find(EventFilter(), Page(100, after=middle.next))
    )
    await took("three fields", find("service:ledger status:failure env:production"))
    await took("three fields and a time", find("service:payments status:success type:deployment since:7d"))
    for word in (_OFTEN, _RARE, _NEVER):
        await took(_word(word), find(word))
    await took("a rare word and a field", find(f"{_RARE} service:ledger"))
    await took("a frequent word and a status", find(f"{_OFTEN} status:failure"))
    await took("a frequent word, 24 hours", find(f"{_OFTEN} since:24h"))
    await took("a ticket", find("ticket:LOGISTICS-6392"))
    await took("a label and a status", find("label.team:logistics status:failure"))
    await took("a duration and a type", find("duration:>30m type:deployment"))
    await took(_FACETS, lambda: store.events.count_by(EventFilter(), _FIVE, 10))
    last = EventFilter(parse("since:30d", _CLOCK))
    await took("facets of five fields, 30 days", lambda: store.events.count_by(last, _FIVE, 10))
    await took("a month by the hour", lambda: store.events.count_between(EventFilter(), month, None))
    await took(_HISTOGRAM, lambda: store.events.count_between(EventFilter(), month, fields.STATUS))
    await took("a month by the hour, durations", lambda: store.events.durations_between(EventFilter(), month))
    rows.extend(
        (
            Row("create, 16 callers", "/s", median([await _create(store, turn) for turn in range(_TURNS)])),
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


async def _create(store: Store, turn: int) -> float:
    """Return how many new events are stored in a second; each turn has other ones."""
    made = list(demo.events(_CREATED, seed=2, until=_UNTIL, days=1))
    for place, event in enumerate(made):
        assert event.metadata is not None
        assert event.attributes is not None
        event.metadata.id = str(uuid_utils.uuid7())
        event.attributes.external_id = f"new {turn}-{place}" if event.attributes.external_id else ""
    new = iter(made)

    async def some() -> None:
        for event in new:
            await store.events.create(event, None)

    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(_CALLERS)))
    return _CREATED / (time.perf_counter() - began)


def main() -> None:
    """Fill stores of each size, and measure each in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mongo", action="store_true")
    parser.add_argument("--events", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store is not None:
        store: Store = (MongoStore if options.mongo else SqliteStore)(options.store, Silent())
        for row in uvloop.run(_measure(store, options.events[0], options.seconds)):
            print(*row, sep="\t")
        return
    sizes: list[int] = options.events or [10_000, 100_000, *([] if options.mongo else [1_000_000])]
    table: dict[tuple[str, str], list[float]] = {}
    beside: Mapping[str, Mapping[str, float]] = {}
    for number in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for row in _one_size(number, Path(folder), options.seconds, mongo=options.mongo):
                table.setdefault((row.name, row.unit), []).append(row.value)
            if number == max(sizes):
                beside = _beside(number, Path(folder))
    print(f"{'events':36}{'':4}" + "".join(f"{number:>12,}" for number in sizes))
    for (name, unit), values in table.items():
        print(f"{name:36}{unit:4}" + "".join(f"{value:>12,.1f}" for value in values))
    largest = sizes.index(max(sizes))
    print(f"\n{f'ms, {max(sizes):,} events':36}" + "".join(f"{name:>15}" for name in ("tracker", *NAMES)))
    for name, others in beside.items():
        shown = [f"{others[each]:,.1f}" if each in others else "-" for each in NAMES]
        print(
            f"{name:36}" + "".join(f"{each:>15}" for each in (f"{table[name, 'ms'][largest]:,.1f}", *shown))
        )


def _one_size(number: int, folder: Path, seconds: float, *, mongo: bool) -> list[Row]:
    database = folder / "tracker.db"
    began = time.perf_counter()
    _run("tracker", "demo", str(database), "--events", str(number), "--until", f"{_END:%Y-%m-%dT%H:%MZ}")
    rows = [Row("made and stored by `tracker demo`", "/s", number / (time.perf_counter() - began))]
    with _moved(database) if mongo else contextlib.nullcontext(str(database)) as store:
        asked = ["--store", store, "--events", str(number), "--seconds", str(seconds)]
        printed = _run("bench.size", *asked, *(["--mongo"] if mongo else []))
    for line in printed.splitlines():
        name, unit, value = line.split("\t")
        rows.append(Row(name, unit, float(value)))
    return rows


@contextlib.contextmanager
def _moved(database: Path) -> Iterator[str]:
    """Move a store into a MongoDB database; give its address."""
    with MongoServers(database.parent / "mongo") as servers:
        uri = servers.new_database()
        _run("tracker", "migrate", "--from", str(database), "--to", uri)
        yield uri


def _run(module: str, *arguments: str) -> str:
    """Run a program of ours and return what it prints."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _beside(number: int, folder: Path) -> Mapping[str, Mapping[str, float]]:
    """Return the milliseconds that others take for some rows."""
    events = demo.events(number, seed=1, until=_UNTIL, days=demo.days_for(number))
    with contextlib.closing(Yardsticks(folder / "events.ndjson", events)) as others:
        since = datetime.fromtimestamp(_month()[0] / MICROS, UTC)
        return {
            **{_word(word): others.word(word) for word in (_OFTEN, _RARE, _NEVER)},
            _FACETS: others.facets(),
            _HISTOGRAM: others.histogram(f"{since:%Y-%m-%dT%H:%MZ}", f"{_END:%Y-%m-%dT%H:%MZ}"),
        }


if __name__ == "__main__":
    main()
