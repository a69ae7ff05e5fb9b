"""What a failure of SQLite means to a caller."""

from __future__ import annotations

import errno

import apsw

from tracker.errors import Reason, TrackerError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNAVAILABLE = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.ProtocolError,
)


def store_error(failure: apsw.Error | UnicodeDecodeError, system_errno: int = 0) -> Exception:
    """Return what a caller gets for a failure of SQLite; one that only a defect explains stays as it is.

    `system_errno` is the operating system's reason for an I/O error (`Connection.system_errno`).
    """
    if isinstance(failure, (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError)):
        return TrackerError(Reason.STORE_CORRUPT, "the database file is damaged; restore it from a backup")
    if isinstance(failure, apsw.FullError) or (isinstance(failure, apsw.IOError) and system_errno in _FULL):
        return TrackerError(Reason.STORE_FULL, "the disk of the database is full")
    if isinstance(failure, apsw.ReadOnlyError) or (
        isinstance(failure, _UNAVAILABLE) and system_errno == errno.EROFS
    ):
        return TrackerError(Reason.STORE_READ_ONLY, "the database can only be read")
    if isinstance(failure, _UNAVAILABLE):
        return unavailable(f"the database can't be used: {failure}")
    return failure


def commit_error(failure: apsw.Error, system_errno: int = 0) -> Exception:
    """Return what the callers of a failed commit get.

    SQLite takes back a commit that could not be written. One that could not be synced stands complete in
    the write-ahead log until the next one overwrites it: a crash before that brings it back.
    """
    if getattr(failure, "extendedresult", None) == apsw.SQLITE_IOERR_FSYNC:
        return TrackerError(
            Reason.STORE_OUTCOME_UNKNOWN,
            "the database could not be synced to disk; the change may or may not last",
        )
    return store_error(failure, system_errno)


def unavailable(message: str) -> TrackerError:
    """Return the error for a store that can't work now."""
    return TrackerError(Reason.STORE_UNAVAILABLE, message)


def overloaded() -> TrackerError:
    """Return the error for a call that came while too many wait."""
    return TrackerError(Reason.STORE_OVERLOADED, "too many calls wait for the database")
