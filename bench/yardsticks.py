"""The same questions asked of the same events as lines of JSON, by `grep` and DuckDB."""

from __future__ import annotations

import subprocess
import time
from statistics import median
from typing import TYPE_CHECKING, Final

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tracker.pb import event_pb

NAMES: Final = ("grep", "duckdb, file", "duckdb, table")

_FIELDS: Final = ("service", "status", "environment", "type", "priority")
_COLUMNS: Final = (
    "{title: 'VARCHAR', metadata: 'STRUCT(id VARCHAR, createdAt TIMESTAMPTZ)',"
    " attributes: 'STRUCT(message VARCHAR, startDate TIMESTAMPTZ,"
    f" {', '.join(f'{field} VARCHAR' for field in _FIELDS)})'}}"
)
_EVENTS: Final = (
    "SELECT metadata.id AS id, coalesce(attributes.startDate, metadata.createdAt) AS time, title,"
    f" attributes.message AS message, {', '.join(f'attributes.{f} AS {f}' for f in _FIELDS)}"
    f" FROM read_json(?, format = 'newline_delimited', columns = {_COLUMNS})"
)


class Yardsticks:
    """Events in a file, to be asked in several ways; each answer is the milliseconds that it took."""

    def __init__(self, file: Path, events: Iterable[event_pb.Event]) -> None:
        with file.open("w") as lines:
            lines.writelines(f"{event.to_json()}\n" for event in events)
        self._file = file
        self._duckdb = duckdb.connect(str(file.with_suffix(".duckdb")))
        self._duckdb.execute(f"CREATE TABLE events AS {_EVENTS}", [str(file)])

    def close(self) -> None:
        """Let the files go."""
        self._duckdb.close()

    def word(self, word: str) -> Mapping[str, float]:
        """Find the 100 newest events that have a word, and how many have it; `grep` only counts lines."""
        asked = (
            "SELECT id, count(*) OVER () FROM {events}"
            f" WHERE regexp_matches(concat_ws(' ', title, message), '\\b{word}\\b', 'i')"
            " ORDER BY time DESC LIMIT 100"
        )
        return {"grep": _milliseconds(lambda: self._grep(word)), **self._duckdbs([asked])}

    def facets(self) -> Mapping[str, float]:
        """Count all events by five fields."""
        return self._duckdbs(
            [
                f"SELECT {f}, count(*) AS n FROM {{events}} GROUP BY 1 ORDER BY n DESC LIMIT 10"
                for f in _FIELDS
            ]
        )

    def histogram(self, since: str, until: str) -> Mapping[str, float]:
        """Count the events of a period by the hour and by status."""
        by_hour = (
            "SELECT date_trunc('hour', time), status, count(*) FROM {events}"
            f" WHERE time >= '{since}' AND time < '{until}' GROUP BY ALL"
        )
        return self._duckdbs([by_hour])

    def _duckdbs(self, asked: Sequence[str]) -> Mapping[str, float]:
        def ask(events: str, *bindings: str) -> None:
            for sql in asked:
                self._duckdb.execute(sql.format(events=events), bindings).fetchall()

        return {
            "duckdb, file": _milliseconds(lambda: ask(f"({_EVENTS})", str(self._file))),
            "duckdb, table": _milliseconds(lambda: ask("events")),
        }

    def _grep(self, word: str) -> None:
        # Not to /dev/null, which would have it stop at the first line.
        subprocess.run(["grep", "-ciw", word, self._file], check=False, stdout=subprocess.PIPE)


def _milliseconds(ask: Callable[[], object]) -> float:
    """Return the milliseconds that a question takes, the median of three."""
    times: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return median(times) * 1e3
