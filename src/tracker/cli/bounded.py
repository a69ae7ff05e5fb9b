"""Bounds how long a command waits for a server."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Never, TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call returns, or raise what it raises, if it ends within some seconds.

    Resolving a name can take longer than any timeout of a connection.

    Raises:
        TimeoutError: It goes on in its thread, which ends with this process.
    """
    done: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()

    def work() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - raised where the call is waited for
            done.put(partial(_raise, error))
        else:
            done.put(lambda: result)

    threading.Thread(target=work, daemon=True).start()
    try:
        return done.get(timeout=seconds)()
    except queue.Empty:
        raise TimeoutError(f"no end within {seconds:g} seconds") from None


def _raise(error: BaseException) -> Never:
    raise error
