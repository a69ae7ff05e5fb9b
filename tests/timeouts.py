"""Ends a test that takes too long, and no other.

Tests share an event loop, which an exception out of a signal handler leaves unusable. So a coroutine is ended
by the loop itself. Where that can't, as in a fixture or while the loop is blocked, pytest-timeout ends the
process, and pytest-xdist continues in a new one.
"""

from __future__ import annotations

import asyncio
import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_PART = 0.9
"""The part of the time for a test that its coroutine has."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seconds = float(config.getoption("timeout") or config.getini("timeout"))
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            own = item.get_closest_marker("timeout")
            within = seconds if own is None else own.args[0]
            item.obj = _ending(item.obj, within * _PART)
            item.add_marker(pytest.mark.timeout(within, method="thread"), append=False)


def _ending(
    test: Callable[..., Coroutine[Any, Any, None]], seconds: float
) -> Callable[..., Coroutine[Any, Any, None]]:
    @wraps(test)
    async def ending(**fixtures: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(**fixtures)

    return ending
