"""What a failure of the database means for the caller, and for the outcome of a change."""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from tracker.errors import Reason, TrackerError
from tracker.stores.base import overloaded, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOT_PRIMARY = frozenset({10107, 13435, 13436})
"""NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary: refused before anything was done."""

_CHANGING_PRIMARY = frozenset({91, 189, 11600, 11602})
"""ShutdownInProgress, PrimarySteppedDown, Interrupted…: the change may have been made before."""

_OUT_OF_DISK_SPACE = 14031

_REFUSED = {13: "the user in MONGO_URI may not do it", 18: "the user in MONGO_URI can't log in"}


class Fate(Enum):
    """The outcome of a change whose command failed."""

    NEVER = "it was not made"
    AGAIN = "it was not made, and may be tried again"
    MAYBE = "it may have been made, or still be"
    MAYBE_FOR_GOOD = "it may have been made, and there is no time left to find out"


def fate_of(failure: PyMongoError) -> Fate:
    """Return the outcome of the change whose command failed."""
    code = _code(failure)
    if isinstance(failure, (ServerSelectionTimeoutError, WaitQueueTimeoutError)):
        return Fate.NEVER
    if failure.timeout and not isinstance(failure, WriteConcernError):
        return Fate.MAYBE_FOR_GOOD
    if code in _NOT_PRIMARY:
        return Fate.AGAIN
    if isinstance(failure, (AutoReconnect, WriteConcernError)) or code in _CHANGING_PRIMARY:
        return Fate.MAYBE
    return Fate.NEVER


def store_error(failure: PyMongoError) -> Exception:
    """Return the error that a caller gets for a failure; one that only a defect explains stays as it is."""
    code = _code(failure)
    if isinstance(failure, WaitQueueTimeoutError):
        return overloaded()
    if isinstance(failure, ExecutionTimeout):
        return TrackerError(Reason.QUERY_TOO_LONG, "the query took longer than the database may take")
    if code == _OUT_OF_DISK_SPACE:
        return TrackerError(Reason.STORE_FULL, "the disk of the database is full")
    if code in _REFUSED:
        return unavailable(f"the database refuses a command: {_REFUSED[code]}")
    if isinstance(failure, (AutoReconnect, WriteConcernError)) or code in _NOT_PRIMARY | _CHANGING_PRIMARY:
        reached = not isinstance(failure, ServerSelectionTimeoutError)
        return unavailable(
            "the connection to the database was lost" if reached else "the database can't be reached"
        )
    return failure


def change_error(failure: PyMongoError) -> Exception:
    """Return the error that a caller gets for a failure before a change was made.

    What a change reads takes too long for a slow database alone, and not for what it was asked.
    """
    if isinstance(failure, ExecutionTimeout):
        return unavailable("the database took longer than a change may take; it was not made")
    return store_error(failure)


@contextmanager
def store_errors(error_of: Callable[[PyMongoError], Exception] = store_error) -> Iterator[None]:
    """Raise the errors that callers get for failures of the database."""
    try:
        yield
    except PyMongoError as failure:
        raise error_of(failure) from failure


def unknown() -> TrackerError:
    """Return the error for a change that may or may not have been made."""
    return TrackerError(
        Reason.STORE_OUTCOME_UNKNOWN, "the database did not confirm the change; it may or may not last"
    )


def _code(failure: PyMongoError) -> int | None:
    details = getattr(failure, "details", None)
    code = details.get("code") if isinstance(details, dict) else None
    return code if isinstance(code, int) else None
