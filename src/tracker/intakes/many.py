"""Many events of one call, of which several are recorded at a time."""

from __future__ import annotations

from asyncio import TaskGroup
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_MOST: Final = 64
"""Events of a call that are recorded at a time, and share a commit."""


async def together(identities: Sequence[object], deliver: Callable[[int], Awaitable[None]]) -> None:
    """Deliver what there is by its index, many at a time, but what has one identity in its order.

    Raises:
        TrackerError: As `deliver` does; the rest is left out.
    """
    alike: dict[object, list[int]] = {}
    for index, each in enumerate(identities):
        alike.setdefault(index if each is None else (each,), []).append(index)
    waiting = iter(alike.values())

    async def work(most: int | None = None) -> None:
        for indexes in islice(waiting, most):
            for index in indexes:
                await deliver(index)

    await work(1)  # whose line in the log is that of the call
    try:
        async with TaskGroup() as tasks:
            for _ in range(min(_MOST, len(alike) - 1)):
                tasks.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
