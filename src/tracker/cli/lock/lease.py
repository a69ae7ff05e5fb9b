"""A lease from the view of its holder: what it means for a command, and how it is renewed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protobuf.wkt import Duration

from tracker.client import ApiError, UnreachableError
from tracker.client.locks import RENEW_LOCK, UN_LOCK
from tracker.errors import Reason
from tracker.guardian import clock
from tracker.guardian.protocol import Deadlines

if TYPE_CHECKING:
    from datetime import timedelta

    from tracker.cli.lock.running import GuardedCommand
    from tracker.client import Connection

_SECOND = 1_000_000_000

_LONGEST_MARGIN = 2.0
"""Longest time in seconds between killing a command and the end of its lease."""

_LOST = (Reason.LOCK_LOST, Reason.LOCK_NOT_FOUND, Reason.LOCK_TOKEN_MISMATCH)
"""Reasons of refused renewals that a retry can't change."""

_LONGEST_ANSWER = 10.0
"""Longest time in seconds to wait for the answer to a renewal."""

_LONGEST_PAUSE = 1.0
"""Longest time in seconds between a failed renewal and the next."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The length of a lease, and how much of it a command has to end after SIGTERM."""

    ttl: timedelta
    grace: timedelta

    def deadlines(self, asked: int) -> Deadlines:
        """Return when a command must end if the lease that was asked for at a moment is not renewed.

        It is killed a fifth of the lease, at most 2 seconds, before the end of the lease, so that it has
        ended by then also on a busy machine; SIGTERM precedes that by the grace.
        """
        ttl = self.ttl.total_seconds()
        kill = asked + int((ttl - min(ttl / 5, _LONGEST_MARGIN)) * _SECOND)
        return Deadlines(term=kill - int(self.grace.total_seconds() * _SECOND), kill=kill)


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
            UnreachableError: There was no answer.
        """
        asked = clock.now()
        ttl = Duration.from_timedelta(self.terms.ttl)
        request = RENEW_LOCK.request(id=self.lock_id, lock_token=self.token, ttl=ttl)
        self.connection.call(RENEW_LOCK, request, timeout=timeout, patience=0)
        return asked

    def release(self, *, timeout: float, patience: float) -> None:
        """Release the lock, trying again for `patience` seconds.

        Raises:
            ApiError: The lock was lost before, or the server can't release it now.
            UnreachableError: There was no answer.
        """
        request = UN_LOCK.request(id=self.lock_id, lock_token=self.token)
        self.connection.call(UN_LOCK, request, timeout=timeout, patience=patience)


class Renewer(threading.Thread):
    """Renews a lease after every third of its length, until it is stopped or the lock is lost.

    Without an answer it retries: the lease may still be valid when the server is back.
    """

    def __init__(self, lease: Lease, asked: int, guarded: GuardedCommand) -> None:
        super().__init__(name="renewer", daemon=True)
        self.trouble: ApiError | UnreachableError | None = None
        """Why the last renewal failed, if it did."""
        self.lost: ApiError | None = None
        """The error with which the server reported the lock as lost, if it did."""
        self._lease = lease
        self._asked = asked
        self._guarded = guarded
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Stop renewing."""
        self._stop_asked.set()

    def run(self) -> None:
        """Renew, in a thread of its own."""
        third = self._lease.terms.ttl.total_seconds() / 3
        pause = third - (clock.now() - self._asked) / _SECOND
        while not self._stop_asked.wait(max(0.0, pause)):
            pause = third if self._renew(min(third, _LONGEST_ANSWER)) else min(third / 4, _LONGEST_PAUSE)
            if self.lost is not None:
                self._guarded.end()
                return

    def _renew(self, timeout: float) -> bool:
        try:
            asked = self._lease.renew(timeout)
        except ApiError as error:
            self.trouble = error
            if error.reason in _LOST:
                self.lost = error
            return False
        except UnreachableError as error:
            self.trouble = error
            return False
        self.trouble = None
        self._guarded.renewed(self._lease.terms.deadlines(asked))
        return True
