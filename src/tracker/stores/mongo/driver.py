"""A correction of the driver for Python 3.11."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, TypeVar

import pymongo.lock

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def _wait_for(awaitable: Awaitable[T], seconds: float | None) -> T:
    async with asyncio.timeout(seconds):
        return await awaitable


def correct_waits() -> None:
    """Make commands that wait for a primary safe to cancel.

    They wait for a condition in `asyncio.wait_for`. Before Python 3.12, that runs the wait in a task of its
    own; if the command is cancelled just when its time is over, the task gets the lock of the condition and
    nobody releases it. All later commands of the client would wait for ever.
    """
    if sys.version_info < (3, 12):
        vars(pymongo.lock)["wait_for"] = _wait_for
