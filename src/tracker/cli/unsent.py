"""Requests that had no answer, kept in files until a command reaches their server.

Each is in a file of its own, readable only by its user, which is complete whenever a process ends. They are
sent in the order of their names, by one process at a time. A repeated request changes nothing: it has an
idempotency key, and names an event by its id or its external id.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.cli.printing import fields_of, say
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.client.connection import ApiError, Connection
    from tracker.client.rpc import A, Q, Rpc

_MOST = 1_000
"""Files that are kept."""

_SECONDS = 2.0
"""Seconds that the answer to a kept request may take."""


def _folder() -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    home = Path(os.path.expanduser("~/.local/state"))  # noqa: PTH111 - raises nothing if there is no home
    return (state if state.is_absolute() else home) / "tracker" / "unsent"


class KeptRequest:
    """A request that is kept in a file, and stays there while this process `holds` it."""

    def __init__(self) -> None:
        """Prepare it; there is no file yet."""
        self._name = f"{time.time_ns()}-{uuid.uuid4().hex}.json"
        self._key = str(uuid.uuid4())
        self._held: int | None = None

    def keep(self, server: str, rpc: Rpc[Q, A], request: Q, *, hold: bool = False) -> Path:
        """Write the request to its file, in place of an earlier one, and return the file.

        Raises:
            OSError: It can't be kept.
        """
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._held is None and len([*folder.iterdir()]) >= _MOST:
            raise OSError(f"there are {_MOST} files in {folder}")
        kept = {"server": server, "rpc": rpc.method.name, "key": self._key, "request": fields_of(request)}
        file, new = folder / self._name, folder / f".{self._name}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as text:
                json.dump(kept, text)
            os.fsync(descriptor)
            new.replace(file)
            _sync(folder)
        except BaseException:
            os.close(descriptor)
            new.unlink(missing_ok=True)
            raise
        self._let_go()
        self._held = descriptor
        if not hold:
            self._let_go()
        return file

    @property
    def is_held(self) -> bool:
        """Whether there is a file that this process holds."""
        return self._held is not None

    def discard(self) -> None:
        """Remove the file, if there is one that this process holds."""
        if self._held is not None:
            (_folder() / self._name).unlink(missing_ok=True)
            self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_transient(error: ApiError) -> bool:
    """Return whether the same call may succeed later, as far as one can say."""
    from tracker.errors import Code

    final = (Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.FAILED_PRECONDITION)
    return error.code not in (*final, Code.OUT_OF_RANGE, Code.UNIMPLEMENTED)


def send_kept(connection: Connection) -> None:
    """Send what is kept for a server, the oldest first; what can't be read or is refused is set aside.

    Raises:
        ApiError: The server can't take it now.
    """
    with suppress(OSError):  # there is no such folder
        files = sorted(file for file in _folder().iterdir() if file.suffix == ".json" and file.name[0] != ".")
        if not files:
            return
        sent = 0
        with _locked(files[0].with_name(".lock"), os.O_RDWR | os.O_CREAT) as alone:
            try:
                for file in files if alone is not None else ():
                    sent += _send(connection, file)
            finally:
                if sent:
                    say(f"sent {number_of(sent, 'kept record')} to {connection.server}")


def _send(connection: Connection, file: Path) -> bool:
    """Send a kept request unless its process still holds it; return whether it was sent."""
    from tracker.client.connection import ApiError
    from tracker.client.rpcs import CREATE_EVENT, UPDATE_EVENT
    from tracker.errors import Code

    with _locked(file, os.O_RDONLY) as descriptor:
        if descriptor is None:
            return False
        try:
            with os.fdopen(descriptor, encoding="utf-8", closefd=False) as text:
                kept = json.load(text)
            server, key = str(kept["server"]), str(kept["key"])
            rpcs: dict[str, Rpc[Any, Any]] = {each.method.name: each for each in (CREATE_EVENT, UPDATE_EVENT)}
            rpc = rpcs[kept["rpc"]]
            request = rpc.of(kept["request"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            _set_aside(file, "damaged", "it is damaged")
            return False
        if server != connection.server:
            return False
        try:
            connection.call(rpc, request, timeout=_SECONDS, patience=0, idempotency_key=key)
        except ApiError as error:
            if error.code is Code.PERMISSION_DENIED:  # it stays for a command with another token
                return False
            if is_transient(error):
                raise
            _set_aside(file, "refused", f"{server} refused it: {error}")
            return False
        file.unlink()
        return True


def _set_aside(file: Path, suffix: str, why: str) -> None:
    aside = file.with_suffix(f".{suffix}")
    file.replace(aside)
    say(f"a kept record was not sent, and is set aside as {aside}: {why}")


@contextmanager
def _locked(file: Path, flags: int) -> Iterator[int | None]:
    """Open and lock a file; None if another process has it, or it is gone."""
    try:
        descriptor = os.open(file, flags, 0o600)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = os.path.samestat(os.fstat(descriptor), file.stat())
        except (BlockingIOError, FileNotFoundError):
            taken = False
        yield descriptor if taken else None
    finally:
        os.close(descriptor)
