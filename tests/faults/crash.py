"""Write to a store from another process, end that, and look what is left."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

import apsw
from tests.patience import PATIENCE
from tests.stores.observations import Observations
from tests.stores.samples import comments

from tracker.domain.events import EventId
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import Clock

if TYPE_CHECKING:
    from pathlib import Path


class Writer:
    """The program `tests.faults.writer` at work; killed at the end of the `with` block, if not before."""

    def __init__(self, database: Path, synchronous: str = "FULL") -> None:
        self._command = [sys.executable, "-m", "tests.faults.writer", str(database), synchronous]
        self._lines: list[str] = []
        self._told = threading.Condition()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> list[str]:
        """End the program by SIGKILL and return all that it had acknowledged."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._lines

    def acknowledged(self, writes: int) -> list[str]:
        """Wait for a number of acknowledged writes; return those that there are by then."""
        with self._told:
            done = self._told.wait_for(lambda: len(self._lines) >= writes, PATIENCE)
            assert done, f"{len(self._lines)} of {writes} writes in {PATIENCE} s"
            return list(self._lines)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                with self._told:
                    self._lines.append(line.rstrip())
                    self._told.notify()


async def lost(database: Path, acknowledged: list[str]) -> list[str]:
    """Open a store after a crash; return the acknowledged writes that it doesn't have."""
    store = SqliteStore(database, Observations())
    await store.open()
    missing = [line for line in acknowledged if not await _has(store, line)]
    by_words = await store.events.count(EventFilter(parse('"an event"', Clock(0, ZoneInfo("UTC")))))
    assert by_words == await store.events.count(EventFilter())
    await store.close()
    with apsw.Connection(str(database)) as connection:
        assert connection.pragma("integrity_check") == "ok"
    connection.close()
    return missing


async def _has(store: SqliteStore, line: str) -> bool:
    noun, event_id, *lock_id = line.split()
    event = await store.events.get(EventId(event_id))
    if noun == "event":
        return event is not None
    return comments(event) == ["locked"] and await store.locks.get(lock_id[0]) is not None
