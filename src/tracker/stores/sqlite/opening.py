"""Opens a database file, with its lock and its connections; creates a missing file, refuses a damaged one."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import apsw

from tracker.stores.base import StoreOpenError
from tracker.stores.sqlite import migrations
from tracker.stores.sqlite.search import word_index
from tracker.stores.sqlite.search.queries import add_functions

if TYPE_CHECKING:
    from pathlib import Path

SYNCHRONOUS: Final = "FULL"
"""A commit is on disk when it returns; NORMAL would lose the last commits in a power failure."""

_READ_BUSY_MS: Final = 100
_JOURNAL_LIMIT: Final = 32 * 2**20
_WRITE_CACHE_KIB: Final = 8 * 1024
_READ_CACHE_KIB: Final = 4 * 1024
_CHECK_SECONDS = 0.5
_CHECK_STEPS = 1_000
_SOUND = "ok"
_TABLES = ("catalog", "facets", "health", "links", "lock_keys", "locks", "words_indexed", "words_outdated")
_EVENT_ORDERS = ("number", "id", "time", "service", "source")
_DAMAGED = "put the last backup in its place with `tracker restore FILE`"


class FileLock:
    """The lock of a database file, under whatever name.

    `<file>.lock` contains the id of the process that holds it, and is there before the database file is. The
    file itself is locked too, since it may be moved, linked or mounted elsewhere: SQLite's log would then
    have another name, and two servers would each miss the changes of the other.

    The lock ends with the process, however that ends. `<file>.lock` is never deleted: otherwise a process
    that has it open and one that creates it again would both hold the lock.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptors: list[int] = []

    def acquire(self) -> None:
        """Acquire the lock, and that of the database file if it exists.

        Raises:
            StoreOpenError: Another process holds it, or the file has more than one name.
            OSError: The lock file can't be created.
        """
        descriptor = self._open(self._path, os.O_RDWR | os.O_CREAT)
        if not _locks(descriptor):
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise StoreOpenError(
                f"another Tracker (process {holder}) has it open;"
                " stop that one, or choose another DATABASE_PATH"
            )
        with suppress(OSError):  # a full disk: the lock does not depend on what the file says
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        if self._database.is_file():
            self.acquire_file()

    def acquire_file(self) -> None:
        """Acquire the lock of the database file itself.

        Raises:
            StoreOpenError: Another process holds it, or the file has more than one name.
        """
        require_one_name(self._database)
        if sys.platform != "linux":
            return  # this lock and those of SQLite may exclude each other
        with suppress(OSError):  # network file systems have no such lock for a file that is read
            if not _locks(self._open(self._database, os.O_RDONLY)):
                raise StoreOpenError(
                    "another Tracker has it open under another name;"
                    " stop that one, or choose another DATABASE_PATH"
                )

    def release(self) -> None:
        """Release the lock, as far as it is held."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _open(self, path: Path, flags: int) -> int:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        self._descriptors.append(descriptor)
        return descriptor


def _locks(descriptor: int) -> bool:
    """Return whether a file can be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def require_one_name(database: Path) -> None:
    """Refuse a file with hard links: under another name, SQLite would not find its log.

    Raises:
        StoreOpenError: The file has more than one name.
    """
    if database.stat().st_nlink > 1:
        raise StoreOpenError(
            "the file has another name too, a hard link, under which its latest changes would be missing;"
            " delete that name (find it with `find DIRECTORY -samefile FILE`), or use a copy of the file"
        )


def open_database(path: Path, lock: FileLock, *, filled_from: str | None = None) -> apsw.Connection:
    """Acquire a file's lock, check and upgrade the file, and return the connection that writes.

    With `filled_from`, a file that is partly filled from there is opened as well.

    Raises:
        StoreOpenError: The file can't be served; the message says what to do.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock.acquire()
            if _made(path):
                lock.acquire_file()
            return _open_locked(path, filled_from)
        except BaseException:
            lock.release()
            raise
    except (StoreOpenError, apsw.Error, OSError) as error:
        raise StoreOpenError(refusal(path, _explain(error))) from error


def connect(path: Path) -> apsw.Connection:
    """Open a file that exists, without changing it."""
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)


def open_for_writing(path: Path) -> apsw.Connection:
    """Open the one connection that writes and checkpoints."""
    connection = connect(path)
    set_for_writing(connection)
    return connection


def set_for_writing(connection: apsw.Connection) -> None:
    """Configure the one connection that writes and checkpoints.

    A write-ahead log that grew during a long read is truncated to 32 MiB. The file isn't mapped into memory:
    an I/O error would then kill the process, and every page read would count as memory of the server.
    """
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", SYNCHRONOUS)
    connection.pragma("journal_size_limit", _JOURNAL_LIMIT)
    connection.pragma("cache_size", -_WRITE_CACHE_KIB)
    connection.pragma("temp_store", "memory")


def open_for_reading(path: Path) -> apsw.Connection:
    """Open a connection that only reads.

    It is opened for writing and then set to `query_only`: SQLite shares the index of the write-ahead log only
    with such a connection, whatever the file's permissions.
    """
    connection = connect(path)
    connection.set_busy_timeout(_READ_BUSY_MS)
    connection.pragma("query_only", value=True)
    connection.pragma("cache_size", -_READ_CACHE_KIB)
    connection.pragma("temp_store", "memory")
    add_functions(connection)
    return connection


def refusal(path: Path, why: str) -> str:
    """Return the message for a database that is not served."""
    return f"can't open the database {path}: {why}"


def _open_locked(path: Path, filled_from: str | None) -> apsw.Connection:
    connection = connect(path)
    try:
        migrations.require_ours(connection, filled_from=filled_from)
        connection.pragma("auto_vacuum", "incremental")  # of a new file; others stay as they are
        set_for_writing(connection)
        _require_wal(connection)
        _require_whole(connection, path)
        migrations.upgrade(connection)
        _require_sound(connection)
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def _made(path: Path) -> bool:
    """Return whether the file was missing; if so, it is created, readable by this user only."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists():
        return False
    path.touch(mode=0o600)
    sync(path.parent)
    return True


def sync(path: Path) -> int:
    """Sync a file, or a directory so that new names in it survive a power failure; return its size."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _explain(error: StoreOpenError | apsw.Error | OSError) -> str:
    match error:
        case StoreOpenError():
            return str(error)
        case apsw.NotADBError():
            return f"it is not a database file; choose another DATABASE_PATH, or {_DAMAGED}"
        case apsw.CorruptError() | apsw.SQLError():
            return f"it is damaged ({error}); {_DAMAGED}"
        case apsw.Error():
            why = "make the file and its directory writable for this user, and see that the disk has room"
        case OSError(errno=errno.EACCES | errno.EPERM):
            why = "make the file and its directory writable for this user"
        case OSError(errno=errno.EROFS):
            why = "choose a DATABASE_PATH on a file system that can be written"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            why = "free some space"
        case _:
            why = "choose another DATABASE_PATH"
    return f"{(isinstance(error, OSError) and error.strerror) or error}; {why}"


def _require_wal(connection: apsw.Connection) -> None:
    if connection.pragma("journal_mode") != "wal":
        raise StoreOpenError(
            "its file system can't share memory between connections, as network file systems can't;"
            " choose a DATABASE_PATH on a local disk"
        )


def _require_whole(connection: apsw.Connection, path: Path) -> None:
    """Refuse a truncated file.

    Pages that a crash left in the write-ahead log are written into the file first: then it must have all.
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

    Small tables and both ends of every index of the events are checked completely. The rest is checked for
    half a second, enough for some 500,000 events on a warm disk: a server must be ready within two seconds.
    Other damage is reported when the record is read (`STORE_CORRUPT`), and by a backup, which checks all.
    A damaged or outdated index of words is rebuilt while the file is served.
    """
    for table in _TABLES:
        _require_ok(connection.pragma("quick_check", table))
    for column in _EVENT_ORDERS:
        for end in ("ASC", "DESC"):
            connection.execute(f"SELECT document FROM events ORDER BY {column} {end} LIMIT 1")
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
