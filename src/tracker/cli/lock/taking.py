"""Takes a lock: waits for it call by call, reports its holder meanwhile, and outlasts a server restart."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import typer
from protobuf.wkt import Duration

from tracker.cli.lock import shown
from tracker.client import ApiError, UnreachableError
from tracker.client.locks import CREATE_LOCK
from tracker.errors import Code, Reason
from tracker.guardian import clock

if TYPE_CHECKING:
    from tracker.client import Connection
    from tracker.pb import lock_pb

_FIRST_WAIT, _WAIT = 0.5, 5.0
"""Seconds of waiting in one call: the first is short, so that the user soon learns who holds the lock. The
server keeps the place in its queue for 10 seconds between two calls with the same token."""

_PATIENCE = 5.0
"""Seconds for which a call without an answer is repeated if the command does not wait."""

_PAUSE = 0.5
"""Seconds between two calls without an answer."""

_TOO_SHORT = 0.05
"""Seconds of waiting that are not worth a call."""

_ANSWER = 10.0
"""Seconds that an answer may take in addition to the waiting."""

_BUSY = (Reason.LOCK_HELD, Reason.LOCK_DELAY, Reason.LOCK_WAIT_TIMEOUT)


class Taken(NamedTuple):
    """A lock that was taken, and when it was asked for (`clock.now`), which is when its lease began."""

    answer: lock_pb.CreateLockResponse
    asked: int


def take(connection: Connection, request: lock_pb.CreateLockRequest, wait: timedelta | None) -> Taken:
    """Take a lock, waiting for it up to `wait`; the request must have a token.

    Raises:
        ApiError: The server refused it to the end.
        UnreachableError: It gave no answer to the end.
    """
    return _Attempt(connection, request, wait).run()


class _Attempt:
    def __init__(
        self, connection: Connection, request: lock_pb.CreateLockRequest, wait: timedelta | None
    ) -> None:
        self._connection = connection
        self._request = request
        self._wait = wait
        now = time.monotonic()
        self._give_up = now + (wait.total_seconds() if wait is not None else 0)
        self._outage_ends = now + _PATIENCE
        self._said = ""

    def run(self) -> Taken:
        longest = _FIRST_WAIT
        while True:
            left = max(0.0, self._give_up - time.monotonic())
            now = min(longest, left)
            if self._wait is not None:
                self._request.wait = Duration.from_timedelta(timedelta(seconds=now))
            asked = clock.now()
            try:
                answer = self._connection.call(CREATE_LOCK, self._request, timeout=now + _ANSWER, patience=0)
            except ApiError as error:
                self._refused(error)
            except UnreachableError as error:
                self._no_answer(error)
            else:
                return Taken(answer, asked)
            longest = _WAIT

    def _refused(self, error: ApiError) -> None:
        if error.code is Code.UNAVAILABLE:
            self._no_answer(error)
            return
        if error.reason not in _BUSY or self._wait is None:
            raise error
        if time.monotonic() + _TOO_SHORT >= self._give_up:
            raise ApiError(error.code, error.message, Reason.LOCK_WAIT_TIMEOUT, error.metadata)
        self._outage_ends = max(self._give_up, time.monotonic() + _PATIENCE)
        known = (shown.holder(error.metadata), shown.place(error.metadata))
        self._say(f"waiting: {'; '.join(filter(None, known))}")
        if error.reason != Reason.LOCK_WAIT_TIMEOUT:
            time.sleep(_PAUSE)

    def _no_answer(self, error: ApiError | UnreachableError) -> None:
        if time.monotonic() + _PAUSE > self._outage_ends:
            raise error
        self._say(f"{error}; trying again")
        time.sleep(_PAUSE)

    def _say(self, text: str) -> None:
        if text != self._said:
            typer.echo(f"tracker: {text}", err=True)
            self._said = text
