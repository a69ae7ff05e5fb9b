"""A transaction of the writer: its changes, each undone alone if it fails, and its commit."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Generic, TypeVar

import apsw

from tracker.stores.sqlite.failures import store_error

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from contextvars import Context


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bulk(Generic[T]):
    """The part of a change that runs in the thread that commits: a few large statements.

    They run without the interpreter lock, so the event loop works meanwhile.
    """

    run: Callable[[apsw.Connection], T]


class PartlyMadeError(Exception):
    """A change has failed after some of its statements."""


@dataclass(slots=True)
class Change:
    """A change in a transaction; its caller awaits `done`."""

    step: Callable[[apsw.Connection], object]
    done: asyncio.Future[object]
    context: Context = field(default_factory=copy_context)
    result: object = None
    error: Exception | None = None

    @property
    def in_bulk(self) -> bool:
        """Whether the change is still to be made, in the thread."""
        return isinstance(self.result, Bulk)

    def run(self, connection: apsw.Connection, *, savepoint: bool) -> None:
        """Run the step, or its `Bulk`, in the context of its caller; an error undoes its statements.

        Raises:
            PartlyMadeError: They can't be undone without a savepoint.
            apsw.Error: The whole transaction is undone.
        """
        step = self.result.run if isinstance(self.result, Bulk) else self.step
        self.error = None
        before = connection.total_changes()
        if savepoint:
            connection.execute("SAVEPOINT change")
        try:
            self.result = self.context.run(step, connection)
        except Exception as error:
            # After some errors (disk full, I/O) SQLite has undone the whole transaction.
            if isinstance(error, apsw.Error) and not connection.in_transaction:
                raise
            if savepoint:
                connection.execute("ROLLBACK TO change")
            elif connection.total_changes() != before:
                raise PartlyMadeError from error
            self.result = None
            self.error = store_error(error, connection.system_errno)
        if savepoint:
            connection.execute("RELEASE change")

    def answer(self, failure: Exception | None = None) -> None:
        """Give the caller, if it still waits, the result of the change or the failure of its transaction."""
        error = failure or self.error
        if self.done.done():
            return
        if error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(error)


def finish(connection: apsw.Connection, batch: Sequence[Change]) -> tuple[apsw.Error | None, float]:
    """Run the `Bulk` of the last change, if it has one, and commit as `commit` does."""
    try:
        if batch[-1].in_bulk:
            batch[-1].run(connection, savepoint=True)
    except apsw.Error as failure:
        return failure, 0.0
    return commit(connection)


def commit(connection: apsw.Connection) -> tuple[apsw.Error | None, float]:
    """Commit; return the failure, if any, and the duration in seconds."""
    started = perf_counter()
    try:
        connection.execute("COMMIT")
    except apsw.Error as failure:
        return failure, 0.0
    return None, perf_counter() - started
