"""A fresh store of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from pymongo import monitoring
from tests.docs.pages import code, table

from tracker.stores.mongo import MongoStore
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tracker.stores.base import Store


@dataclass
class Observations:
    """What a store told of its work."""

    commits: list[int] = field(default_factory=list)
    most_queued: int = 0

    def committed(self, seconds: float, changes: int) -> None:
        assert seconds > 0
        self.commits.append(changes)

    def queued(self, changes: int) -> None:
        self.most_queued = max(self.most_queued, changes)


@pytest.fixture
def observations() -> Observations:
    return Observations()


class Commands(monitoring.CommandListener):
    """Remembers the commands that are sent while it listens: their names, or what is strange about one."""

    def __init__(self) -> None:
        self.listening = False
        self.seen: set[str] = set()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.listening:
            self.seen.add(event.command_name)
            self.seen |= {"txnNumber", "startTransaction", "autocommit"} & event.command.keys()
            self.seen |= {stage for each in event.command.get("pipeline", ()) for stage in each}

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


COMMANDS = Commands()
monitoring.register(COMMANDS)  # a client has the listeners of when it was made: there is no other way to it


@pytest.fixture(scope="session")
def documented_commands() -> frozenset[str]:
    rows = table("docs/operations.md", "command", "for")
    return frozenset(name for row in rows for cell in row for name in code(cell))


@pytest.fixture(params=["sqlite", "mongo", "mongo-replica-set"])
async def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    observations: Observations,
    documented_commands: frozenset[str],
) -> AsyncIterator[Store]:
    """Give an empty store; what is sent to a MongoDB database for it must be documented."""
    if request.param == "sqlite":
        store: Store = SqliteStore(tmp_path / "tracker.db", observations)
        await store.open()
        yield store
        await store.close()
        return
    uri = request.getfixturevalue(request.param.replace("-", "_")).emptied_database()
    COMMANDS.seen.clear()
    COMMANDS.listening = True
    store = MongoStore(uri, observations)
    await store.open()
    yield store
    await store.close()
    COMMANDS.listening = False
    assert COMMANDS.seen > {"hello", "buildInfo"}
    assert COMMANDS.seen <= documented_commands
