"""Copies all records of one store into another, and verifies the copy."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tracker.stores.base import StoreOpenError
from tracker.stores.contents import Kind, digest
from tracker.supervision import stop_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.stores.contents import Records, StoreContents, StoredRecord

_DIGESTS = 2**256


class MigrationError(Exception):
    """The copy differs from the source; the message says what to do."""


class Summary(NamedTuple):
    """How many records there are, and the sum of their digests modulo 2^256."""

    records: int
    digest: int


Progress: TypeAlias = "Callable[[str, int, int], None]"
"""Receives the name of a step, how many records it has processed, and about how many there are."""


async def migrate(source: StoreContents, target: StoreContents, progress: Progress) -> Mapping[Kind, Summary]:
    """Copy all records of a store into an empty one, compare the two, and return what both have.

    No server may use either. After an interruption it is called again, and skips what the target has. No
    server starts on the target before all is copied and compared.

    Raises:
        StoreOpenError: The source can't be read, or the target can't be filled.
        MigrationError: The two differ at the end.
        TrackerError: A store became unavailable, or has a record that can't be read.
    """
    if source.name == target.name:
        raise StoreOpenError("both are the same store")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(source.close)
        await source.open_to_read()
        stack.push_async_callback(target.close)
        await target.open_to_fill(source.name)
        for kind in Kind:
            await _copy(kind, source.records(kind), target.records(kind), progress)
        summaries = {kind: await _compared(kind, source, target, progress) for kind in Kind}
        await target.finish()
    return summaries


async def _copy(
    kind: Kind, source: Records[StoredRecord], target: Records[StoredRecord], progress: Progress
) -> None:
    done, total = 0, await source.count()
    async for batch in source.batches():
        await target.add(batch)
        stop_if_cancelled()
        done += len(batch)
        progress(f"copying {kind}", done, max(done, total))


async def _compared(kind: Kind, source: StoreContents, target: StoreContents, progress: Progress) -> Summary:
    """Read a kind of records from both stores, and return what both have."""
    total = 2 * await source.records(kind).count()
    step = f"comparing {kind}"
    ours = await _summary(source.records(kind), lambda done: progress(step, done, max(done, total)))
    theirs = await _summary(
        target.records(kind),
        lambda done: progress(step, ours.records + done, max(ours.records + done, total)),
    )
    if ours != theirs:
        raise MigrationError(
            f"the {kind} differ: {ours.records} in {source.name}, {theirs.records} in {target.name}, digests"
            f" {ours.digest:064x} and {theirs.digest:064x}. One of the two was changed meanwhile, or since"
            " a migration that was interrupted: stop all servers on them, empty the target, and begin again"
        )
    return ours


async def _summary(records: Records[StoredRecord], progress: Callable[[int], None]) -> Summary:
    number, total = 0, 0
    async for batch in records.batches():
        stop_if_cancelled()
        number += len(batch)
        total += sum(map(digest, batch))
        progress(number)
    return Summary(number, total % _DIGESTS)
