"""How answers take longer as the store grows: from 10,000 events over 100,000 to a million.

    python -m bench.size [--mongo] [--events 10000 100000 1000000] [--seconds 1]
    python -m bench.size --store mongodb://localhost/tracker [--against HEAD~1] [--only facets] [--seconds 1]

The events are those of `tracker demo`. At last, free text and counts of the largest store stand beside what
`grep` and DuckDB take for them over the same events as lines of JSON. With `--mongo`, the store is a `mongod`
of the development environment, with up to 100,000 events unless `--events` says otherwise. With `--store`, a
store that is filled already is measured instead, and gets new events; with `--against`, in turns by this
source and by another. `--only` measures the rows that have a text in their names.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import psutil
import structlog
import uuid_utils
import uvloop
from bench.server import ROOT, source_of
from bench.store_at_rest import Silent
from bench.yardsticks import NAMES, Yardsticks
from tests.mongo_servers import MongoServers

from tracker.demo.company import Company, days_for
from tracker.domain.query import fields
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.domain.times import read_interval
from tracker.errors import Reason, TrackerError
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
_CREATE: Final = "create, 16 callers"
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


async def _settle(store: Store) -> None:
    """Have a store do what it does after its start, so that it does not while it is measured."""
    await store.open()
    if isinstance(store, MongoStore) and hasattr(store, "event_counts"):  # earlier sources have none
        await store.event_counts.count_all()
    await store.close()


async def _measure(store: Store, seconds: float, only: str) -> list[Row]:
    await store.open()
    number = await store.events.count(EventFilter())
    gc.collect()
    gc.freeze()  # as `tracker serv` does
    rows: list[Row] = []

    async def took(name: str, call: Callable[[], Awaitable[object]]) -> None:
        if only not in name:
            return
        times: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 3:
            began = time.perf_counter()
            try:
                await call()
            except TrackerError as error:
                if error.reason != Reason.QUERY_TOO_LONG:
                    raise
                times = [inf]
                break
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
    await took("page of 400 of a service", find("service:ledger", Page(400)))
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
    for name, query in (("two values", "status:failure env:production"), ("a rare word", _RARE)):
        where = EventFilter(parse(query, _CLOCK))
        await took(f"facets of {name}", partial(store.events.count_by, where, _FIVE, 10))
    await took("a month by the hour", lambda: store.events.count_between(EventFilter(), month, None))
    await took(_HISTOGRAM, lambda: store.events.count_between(EventFilter(), month, fields.STATUS))
    await took("a month by the hour, durations", lambda: store.events.durations_between(EventFilter(), month))
    if only in _CREATE:
        rates, spent = zip(*[await _create(store) for _ in range(_TURNS)], strict=True)
        rows.append(Row(_CREATE, "/s", median(rates)))
        rows.append(Row("create, CPU of the process", "us", median(spent) * 1e6))
    rows.append(Row("memory of the process", "MiB", psutil.Process().memory_info().rss / 2**20))
    await store.close()
    return rows


def _month() -> Sequence[int]:
    hour = read_interval("1h")
    assert hour is not None
    since = _UNTIL - 30 * 24 * 3_600 * MICROS
    return [*hour.starts(since, _UNTIL, _CLOCK.zone), _UNTIL]


async def _create(store: Store) -> tuple[float, float]:
    """Return how many new events are stored in a second, and the CPU seconds of this process for one."""
    made = list(Company(2).events(_CREATED, until=_UNTIL, days=1))
    for event in made:
        assert event.metadata is not None
        assert event.attributes is not None
        event.metadata.id = str(uuid_utils.uuid7())
        event.attributes.external_id = event.attributes.external_id and event.metadata.id
    new = iter(made)

    async def some() -> None:
        for event in new:
            await store.events.create(event, None)

    began, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(some() for _ in range(_CALLERS)))
    return _CREATED / (time.perf_counter() - began), (time.process_time() - spent) / _CREATED


def main() -> None:
    """Fill stores of each size, and measure each in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mongo", action="store_true")
    parser.add_argument("--events", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--store", help="a file, or a MongoDB address")
    parser.add_argument(
        "--against", help="a revision, or a folder with a source tree, to measure --store too"
    )
    parser.add_argument("--only", default="", help="measure the rows of --store that have this text")
    options = parser.parse_args()
    if options.store is not None and options.against is not None:
        _compare(options.store, options.against, options.seconds, options.only)
        return
    if options.store is not None:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        kind = MongoStore if options.store.startswith("mongodb") else SqliteStore
        uvloop.run(_settle(kind(options.store, Silent())))
        for row in uvloop.run(_measure(kind(options.store, Silent()), options.seconds, options.only)):
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
        return [*rows, *_measured(store, seconds)]


def _measured(store: str, seconds: float, only: str = "", source: Path = ROOT) -> Iterator[Row]:
    """Measure a filled store in a process of its own."""
    asked = ["--store", store, "--seconds", str(seconds), "--only", only]
    for line in _run("bench.size", *asked, source=source).splitlines():
        name, unit, value = line.split("\t")
        yield Row(name, unit, float(value))


def _compare(store: str, against: str, seconds: float, only: str) -> None:
    """Measure a store by two sources in turns, and print the middle of what each took."""
    table: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    with source_of(against) as other:
        for place in (0, 1, 1, 0, 0, 1):
            for row in _measured(store, seconds, only, (other, ROOT)[place]):
                table.setdefault((row.name, row.unit), ([], []))[place].append(row.value)
    print(f"{'':40}{Path(against).name[-9:]:>12}{'now':>12}{'ratio':>8}")
    for (name, unit), values in table.items():
        before, now = map(median, values)
        print(f"{name:36}{unit:4}{before:>12,.1f}{now:>12,.1f}{now / before:>8.3f}")


@contextlib.contextmanager
def _moved(database: Path) -> Iterator[str]:
    """Move a store into a MongoDB database; give its address."""
    with MongoServers(database.parent / "mongo") as servers:
        uri = servers.new_database()
        _run("tracker", "migrate", "--from", str(database), "--to", uri)
        yield uri


def _run(module: str, *arguments: str, source: Path = ROOT) -> str:
    """Run a program of ours and return what it prints."""
    command = [sys.executable, "-m", module, *arguments]
    env = os.environ | {"PYTHONPATH": str(source / "src")}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout


def _beside(number: int, folder: Path) -> Mapping[str, Mapping[str, float]]:
    """Return the milliseconds that others take for some rows."""
    events = Company(1).events(number, until=_UNTIL, days=days_for(number))
    with contextlib.closing(Yardsticks(folder / "events.ndjson", events)) as others:
        since = datetime.fromtimestamp(_month()[0] / MICROS, UTC)
        return {
            **{_word(word): others.word(word) for word in (_OFTEN, _RARE, _NEVER)},
            _FACETS: others.facets(),
            _HISTOGRAM: others.histogram(f"{since:%Y-%m-%dT%H:%MZ}", f"{_END:%Y-%m-%dT%H:%MZ}"),
        }


if __name__ == "__main__":
    main()
