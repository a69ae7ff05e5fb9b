"""One server a database file, by a lock of the operating system."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tracker.stores.base import StoreOpenError

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """The lock of a database file: `<file>.lock`, which holds the id of the process that has it.

    It ends with the process, however that ends. The file stays: were it deleted, a process that has it
    open and one that creates it again would both hold the lock.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StoreOpenError: Another process has it.
            OSError: The lock file can't be made.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreOpenError(
                f"another Tracker (process {holder}) has it open;"
                " stop that one, or choose another DATABASE_PATH"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._note(f"{os.getpid()}\n")

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            self._note("")
            os.close(self._descriptor)
            self._descriptor = None

    def _note(self, text: str) -> None:
        """Replace what the file says. The lock doesn't depend on it, so a full disk is no reason to fail."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.truncate(self._descriptor, 0)
                os.pwrite(self._descriptor, text.encode(), 0)
