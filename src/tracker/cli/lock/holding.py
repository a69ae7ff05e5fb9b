"""Holds a lock while a command runs: takes, renews and releases it, and reports its loss."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from protobuf.wkt import Duration

from tracker.cli.exits import LOCKED, CommandError
from tracker.cli.lock import shown
from tracker.cli.lock.options import Terms
from tracker.cli.lock.running import GuardedCommand
from tracker.cli.printing import say
from tracker.client.connection import ApiError, Connection
from tracker.client.rpcs import CREATE_LOCK, RENEW_LOCK, UN_LOCK
from tracker.errors import Code, Reason
from tracker.guardian.protocol import SECOND, Deadlines, End, Gone, Renewed, lease_clock
from tracker.pb import lock_pb
from tracker.time_text import rounded_text

_LOST_REASONS = (Reason.LOCK_LOST, Reason.LOCK_NOT_FOUND, Reason.LOCK_TOKEN_MISMATCH)
"""Reasons of refused renewals that a retry can't change."""

_LONGEST_ANSWER = 10.0
"""Longest time in seconds to wait for the answer to a renewal."""

_LONGEST_PAUSE = 1.0
"""Longest time in seconds between a failed renewal and the next."""

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

_RELEASING = 5.0
"""Seconds that a release may take, and for which it is retried without an answer."""

_RELEASING_LOST = 1.0
"""Seconds that it may take if the lease is about to expire: others may be waiting for the lock."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock held with a lease."""

    connection: Connection
    lock_id: str
    token: str
    terms: Terms

    def renew(self, timeout: float) -> int:
        """Renew the lease; return the moment from which it counts, which is before the request.

        Raises:
            ApiError: The lock is lost, or the server can't renew it now.
        """
        asked = lease_clock()
        ttl = Duration.from_timedelta(self.terms.ttl)
        request = RENEW_LOCK.request(id=self.lock_id, lock_token=self.token, ttl=ttl)
        self.connection.call(RENEW_LOCK, request, timeout=timeout, patience=0)
        return asked

    def release(self, *, timeout: float, patience: float) -> None:
        """Release the lock, trying again for `patience` seconds.

        Raises:
            ApiError: The lock was lost before, or the server can't release it now.
        """
        request = UN_LOCK.request(id=self.lock_id, lock_token=self.token)
        self.connection.call(UN_LOCK, request, timeout=timeout, patience=patience)


class Renewer(threading.Thread):
    """Renews a lease after every third of its length, until it is stopped or the lock is lost.

    Without an answer it retries: the lease may still be valid when the server is back.
    """

    def __init__(self, lease: Lease, asked: int, guarded: GuardedCommand) -> None:
        super().__init__(name="renewer", daemon=True)
        self.trouble: ApiError | None = None
        """Why the last renewal failed, if it did."""
        self.lost: ApiError | None = None
        """The error with which the server reported the lock as lost, if it did."""
        self._lease = lease
        self._asked = asked
        self._guarded = guarded
        self.stop = threading.Event()

    def run(self) -> None:
        """Renew, in a thread of its own."""
        third = self._lease.terms.ttl.total_seconds() / 3
        pause = third - (lease_clock() - self._asked) / SECOND
        while not self.stop.wait(max(0.0, pause)):
            pause = third if self._renew(min(third, _LONGEST_ANSWER)) else min(third / 4, _LONGEST_PAUSE)
            if self.lost is not None:
                self._guarded.send(End())
                return

    def _renew(self, timeout: float) -> bool:
        try:
            asked = self._lease.renew(timeout)
        except ApiError as error:
            self.trouble = error
            if error.reason in _LOST_REASONS:
                self.lost = error
            return False
        self.trouble = None
        self._guarded.send(Renewed(self._lease.terms.deadlines(asked)))
        return True


def take(
    connection: Connection, request: lock_pb.CreateLockRequest, wait: timedelta | None
) -> tuple[lock_pb.CreateLockResponse, int]:
    """Take a lock, waiting for it up to `wait`; the request must have a token.

    Returns the answer, and the moment of the request (`lease_clock`), which is when the lease began.
    """
    attempt, longest = _Attempt(wait), _FIRST_WAIT
    while True:
        now = min(longest, max(0.0, attempt.give_up - time.monotonic()))
        if wait is not None:
            request.wait = Duration.from_timedelta(timedelta(seconds=now))
        asked = lease_clock()
        try:
            return connection.call(CREATE_LOCK, request, timeout=now + _ANSWER, patience=0), asked
        except ApiError as error:
            attempt.failed(error)
        longest = _WAIT


class _Attempt:
    """How long to try to take a lock, and what the user knows about that."""

    def __init__(self, wait: timedelta | None) -> None:
        self._waits = wait is not None
        now = time.monotonic()
        self.give_up = now + (wait.total_seconds() if wait is not None else 0)
        self._outage_ends = now + _PATIENCE
        self._said = ""

    def failed(self, error: ApiError) -> None:
        """Wait before the next call; raise the error if there should be none."""
        if error.code is Code.UNAVAILABLE:
            self._no_answer(error)
            return
        if error.reason not in _BUSY or not self._waits:
            raise error
        if time.monotonic() + _TOO_SHORT >= self.give_up:
            raise ApiError(error.code, error.message, Reason.LOCK_WAIT_TIMEOUT, error.metadata)
        self._outage_ends = max(self.give_up, time.monotonic() + _PATIENCE)
        known = (shown.holder(error.metadata), shown.place(error.metadata))
        self._say(f"waiting: {'; '.join(filter(None, known))}")
        if error.reason != Reason.LOCK_WAIT_TIMEOUT:
            time.sleep(_PAUSE)

    def _no_answer(self, error: ApiError) -> None:
        if time.monotonic() + _PAUSE > self._outage_ends:
            raise error
        self._say(f"{error}; trying again")
        time.sleep(_PAUSE)

    def _say(self, text: str) -> None:
        if text != self._said:
            say(text)
            self._said = text


def hold(
    connection: Connection,
    request: lock_pb.CreateLockRequest,
    guarded: GuardedCommand,
    work: Callable[[lock_pb.Lock, dict[str, str], Deadlines], Gone],
    *,
    wait: timedelta | None,
    terms: Terms,
) -> Gone:
    """Run a command while holding the requested lock; return how the command ended.

    `work` runs it with variables in addition to its own, until the given deadlines at most.
    """
    guarded.await_guardian()
    answer, asked = take(connection, request, wait)
    lock = answer.lock
    if lock is None:
        raise CommandError("the server answered without a lock")
    lease = Lease(connection, lock.id, request.lock_token, terms)
    ttl = terms.ttl.total_seconds()
    if lease_clock() - asked > ttl / 10 * SECOND:  # the wait used much of the lease
        asked = lease.renew(ttl)
    environ = {"TRACKER_LOCK_ID": lock.id, "TRACKER_FENCING_TOKEN": str(lock.fencing_token)}
    renewer = Renewer(lease, asked, guarded)
    renewer.start()
    try:
        end = work(lock, environ, terms.deadlines(asked))
    except BaseException:
        _release(lease)
        raise
    finally:
        renewer.stop.set()
    if end.leftovers:
        say("the command left processes behind; they were ended")
    if end.ended:
        raise _ended(end, lease, renewer)
    lost = _release(lease)
    if lost is not None and lost.metadata.get("ending") != "event_ended":
        raise CommandError(f"the lock was lost while the command ran: {lost}", LOCKED)
    return end


def _ended(end: Gone, lease: Lease, renewer: Renewer) -> CommandError:
    """Return the failure of a command that the guardian ended."""
    if renewer.lost is None:
        with contextlib.suppress(ApiError):
            lease.release(timeout=_RELEASING_LOST, patience=0)
    what = "was ended" if end.status is not None else "was not started"
    why = renewer.lost or renewer.trouble or "it was not renewed in time"
    return CommandError(f"the lock was lost, the command {what}: {why}", LOCKED)


def _release(lease: Lease) -> ApiError | None:
    """Release the lock; return the error with which the server reports it as lost, if it does."""
    try:
        lease.release(timeout=_RELEASING, patience=_RELEASING)
    except ApiError as error:
        if error.reason == Reason.LOCK_LOST:
            return error
        within = rounded_text(lease.terms.ttl)
        say(f"lock {lease.lock_id} was not released, and ends by itself within {within}: {error}")
    return None
