"""Backups of a store: made while its server may run, restored while no server runs; and its compaction."""

from __future__ import annotations

import errno
import os
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from tracker.stores.base import StoreOpenError
from tracker.stores.sqlite import migrations
from tracker.stores.sqlite.opening import FileLock, connect, open_database, require_one_name, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STEP_PAGES = 4_096
_BUSY_MS = 5_000
_LOGS = ("-wal", "-shm")


class BackupError(Exception):
    """A backup can't be made or restored; the message says why and what to do about it."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A verified copy of a store: its size, its number of events, the renamed file that it replaced."""

    bytes: int
    events: int
    kept: Path | None = None


def backup(source: Path, target: Path, progress: Callable[[int, int], None] = lambda *_: None) -> Copied:
    """Write a consistent copy of a store to `target`, whether or not a server runs on it.

    The copy is a snapshot: it has every change answered before the call. The server is not disturbed, and the
    copy is verified before it gets its name. `progress` gets the number of bytes copied, and of all bytes.

    Raises:
        BackupError: There is no sound store at `source`, or `target` exists or can't be written.
    """
    if target.exists():
        raise BackupError(f"{target} exists; choose another name")
    if source.is_file():
        with _explained(source):
            require_one_name(source)
    with _temporary(target) as temporary:
        copied = _copy(source, temporary, progress)
        _name(temporary, target)
    return copied


def restore(source: Path, target: Path, *, force: bool = False) -> Copied:
    """Replace a store on which no server runs with a backup.

    The replaced file is kept next to it, under a name that ends in `.before-restore-<time>`; without `force`
    no file is replaced.

    Raises:
        BackupError: `source` is not a sound backup, a server runs on `target`, or `target` exists.
    """
    target = target.resolve()
    lock = FileLock(target)
    try:
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire()
        except StoreOpenError as error:
            raise BackupError(f"can't restore to {target}: {error}") from None
        except OSError as error:
            raise BackupError(f"can't restore to {target}: {error.strerror}") from error
        if target.exists() and not force:
            raise BackupError(f"{target} exists; --force moves it aside and keeps it")
        with _temporary(target) as temporary:
            copied = _copy(source, temporary, lambda *_: None)
            kept = _set_aside(target)
            temporary.replace(target)
            sync(target.parent)
    finally:
        lock.release()
    return replace(copied, kept=kept)


def compact(path: Path) -> tuple[int, int]:
    """Rewrite the file of a store on which no server runs, without its free pages.

    From then on, free pages are given back while a server runs. Returns the bytes before and after.

    Raises:
        BackupError: There is no sound store, a server runs on it, or the disk has no room for a second copy.
    """
    path = path.resolve()
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    lock = FileLock(path)
    try:
        with _explained(path):
            open_database(path, lock).close()
        before = path.stat().st_size
        try:
            with closing(connect(path)) as db:
                db.pragma("journal_mode", "delete")
                db.pragma("auto_vacuum", "incremental")
                db.execute("VACUUM")
        except apsw.Error as error:
            raise BackupError(f"{path} can't be compacted, and is as it was: {error}") from error
        return before, sync(path)
    finally:
        lock.release()


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> Copied:
    """Copy a snapshot of a store and verify the copy."""
    source = source.resolve()
    if not source.is_file():
        raise BackupError(f"there is no file {source}")
    with _explained(source), closing(connect(source)) as origin:
        # Otherwise closing the last connection would checkpoint: the file may belong to a server.
        origin.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        origin.set_busy_timeout(_BUSY_MS)
        migrations.require_ours(origin)
        if origin.pragma("application_id") != migrations.APPLICATION_ID:
            raise StoreOpenError("it is empty")
        _copy_pages(origin, target, progress)
        with closing(connect(target)) as copy:
            problem = copy.pragma("integrity_check", 1)
            if problem != "ok":
                raise apsw.CorruptError(str(problem))
            events = int(copy.execute("SELECT count(*) FROM events").get)
    return Copied(sync(target), events)


def _copy_pages(origin: apsw.Connection, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a snapshot of a database page by page.

    Without the read transaction, every commit of the server would restart the copy.

    Raises:
        OSError: The disk of the target is full, for which SQLite has no message here.
    """
    origin.execute("BEGIN; SELECT count(*) FROM sqlite_schema").fetchall()
    page_size = origin.pragma("page_size")
    with closing(apsw.Connection(str(target))) as copy:
        copy.pragma("synchronous", "off")  # synced as a whole when it is complete
        with copy.backup("main", origin, "main") as pages:
            while not pages.done:
                try:
                    pages.step(_STEP_PAGES)
                except apsw.FullError:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
                progress((pages.page_count - pages.remaining) * page_size, pages.page_count * page_size)
        copy.pragma("journal_mode", "delete")  # one file, without a log
    origin.execute("ROLLBACK")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Map errors about a file to a BackupError that names it."""
    try:
        yield
    except StoreOpenError as error:
        raise BackupError(f"{path} is not usable: {error}") from None
    except apsw.NotADBError:
        raise BackupError(f"{path} is not a database file") from None
    except apsw.CorruptError as error:
        raise BackupError(f"{path} is damaged: {error}") from error
    except apsw.Error as error:
        raise BackupError(f"{path} can't be copied: {error}") from error


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Yield the name of a file next to `target` that is deleted at the end."""
    temporary = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield temporary
    except OSError as error:
        raise BackupError(f"can't write {target}: {error.strerror}") from error
    finally:
        for suffix in ("", "-journal", *_LOGS):
            Path(f"{temporary}{suffix}").unlink(missing_ok=True)


def _name(temporary: Path, target: Path) -> None:
    """Rename a complete copy, unless another file has got the name meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise BackupError(f"{target} exists; choose another name") from None
    except PermissionError:  # a file system without hard links, as memory sticks have
        temporary.rename(target)
    sync(target.parent)


def _set_aside(target: Path) -> Path | None:
    """Keep the file at `target` under another name too, and leave no write-ahead log.

    A log left there would be replayed onto the new file. It is checkpointed into its own file first; the log
    of a file too damaged for that is kept with it.
    """
    if not target.exists():
        for suffix in _LOGS:
            Path(f"{target}{suffix}").unlink(missing_ok=True)
        return None
    with suppress(apsw.Error), closing(connect(target)) as connection:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    kept = target.with_name(f"{target.name}.before-restore-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    os.link(target, kept)
    for suffix in _LOGS:
        with suppress(FileNotFoundError):
            Path(f"{target}{suffix}").rename(f"{kept}{suffix}")
    sync(target.parent)
    return kept
