"""Opening a database file: made if missing, refused if it can't be trusted."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import apsw

from tracker.stores.base import StoreOpenError
from tracker.stores.sqlite import migrations
from tracker.stores.sqlite.connections import connect, set_for_writing
from tracker.stores.sqlite.search import word_index

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.stores.sqlite.file_lock import FileLock

_CHECK_SECONDS = 0.5
_CHECK_STEPS = 1_000
_SOUND = "ok"
_TABLES = ("catalog", "facets", "health", "links", "lock_keys", "locks", "words_indexed", "words_outdated")
_EVENT_ORDERS = ("number", "id", "time", "service", "source")
_DAMAGED = "put the last backup in its place with `tracker restore FILE`"


def open_database(path: Path, lock: FileLock, *, filled_from: str | None = None) -> apsw.Connection:
    """Take a file's lock and return the connection that writes; the file is sound, of the newest schema.

    With `filled_from`, a file that a migration from there has not filled to its end is opened as well.

    Raises:
        StoreOpenError: The file can't be served; the message says what to do.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
        try:
            return _open_locked(path, filled_from)
        except BaseException:
            lock.release()
            raise
    except StoreOpenError as error:
        raise StoreOpenError(refusal(path, str(error))) from None
    except apsw.NotADBError:
        why = f"it is not a database file; choose another DATABASE_PATH, or {_DAMAGED}"
        raise StoreOpenError(refusal(path, why)) from None
    except (apsw.CorruptError, apsw.SQLError) as error:
        raise StoreOpenError(refusal(path, f"it is damaged ({error}); {_DAMAGED}")) from error
    except apsw.Error as error:
        why = (
            f"{error}; make the file and its directory writable for this user, and see that the disk has room"
        )
        raise StoreOpenError(refusal(path, why)) from error
    except OSError as error:
        raise StoreOpenError(refusal(path, _explain(error))) from error


def refusal(path: Path, why: str) -> str:
    """Return the message for a database that is not served."""
    return f"can't open the database {path}: {why}"


def _open_locked(path: Path, filled_from: str | None) -> apsw.Connection:
    _make(path)
    connection = connect(path)
    try:
        migrations.require_ours(connection, filled_from=filled_from)
        set_for_writing(connection)
        _require_wal(connection)
        _require_whole(connection, path)
        migrations.upgrade(connection)
        _require_sound(connection)
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def _make(path: Path) -> None:
    """Create the file if it is missing, readable by this user only."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        return
    os.close(descriptor)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Sync a directory, so that new names in it survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: OSError) -> str:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{error.strerror}; make the file and its directory writable for this user"
    if error.errno == errno.EROFS:
        return f"{error.strerror}; choose a DATABASE_PATH on a file system that can be written"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{error.strerror}; free some space"
    return f"{error.strerror or error}; choose another DATABASE_PATH"


def _require_wal(connection: apsw.Connection) -> None:
    if connection.pragma("journal_mode") != "wal":
        raise StoreOpenError(
            "its file system can't share memory between connections, as network file systems can't;"
            " choose a DATABASE_PATH on a local disk"
        )


def _require_whole(connection: apsw.Connection, path: Path) -> None:
    """Refuse a file that was cut off.

    What a crash left in the write-ahead log goes into the file first: only then must all pages be there.
    """
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.FullError:
        return  # the log still has its pages: whole enough to be read
    pages, page_size = connection.pragma("page_count"), connection.pragma("page_size")
    if path.stat().st_size < pages * page_size:
        raise apsw.CorruptError("it was cut off")


def _require_sound(connection: apsw.Connection) -> None:
    """Refuse a damaged file.

    Small tables are checked whole, and both ends of every index of the events. The rest is checked for
    half a second, enough for some 500,000 events on a warm disk: a server must be ready within two.
    Damage beyond shows when the record is read (`STORE_CORRUPT`), and in a backup, which is checked whole.
    An index of words that is damaged, or outdated, is rebuilt while the file is served.
    """
    for table in _TABLES:
        _require_ok(connection.pragma("quick_check", table))
    for column in _EVENT_ORDERS:
        for end in ("ASC", "DESC"):
            connection.execute(f"SELECT document FROM events ORDER BY {column} {end} LIMIT 1")  # noqa: S608 - our own columns
    give_up = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > give_up, _CHECK_STEPS)
    try:
        problem = str(connection.pragma("quick_check", 1))
    except apsw.InterruptError:
        problem = _SOUND
    finally:
        connection.set_progress_handler(None)
    if word_index.NAMED in problem or not word_index.is_usable(connection):
        with connection:
            word_index.reset(connection)
    else:
        _require_ok(problem)


def _require_ok(problem: object) -> None:
    if problem != _SOUND:
        raise apsw.CorruptError(str(problem))
