"""A lease from the side of who holds it: what its times mean for a command, and what keeps it going."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from protobuf.wkt import Duration

from tracker.client import ApiError, UnreachableError
from tracker.client.locks import RENEW_LOCK, UN_LOCK
from tracker.errors import Reason
from tracker.guardian import clock
from tracker.guardian.protocol import Deadlines

if TYPE_CHECKING:
    from datetime import timedelta

    from tracker.client import Connection

_SECOND = 1_000_000_000

_LONGEST_MARGIN = 2.0
"""Seconds between the killing of a command and the end of its lease, where the lease has the time."""

_LOST = (Reason.LOCK_LOST, Reason.LOCK_NOT_FOUND, Reason.LOCK_TOKEN_MISMATCH)
"""Reasons of a renewal's refusal that no second try would change."""

_LONGEST_ANSWER = 10.0
"""Seconds to wait for the answer to a renewal, where the lease has the time."""

_LONGEST_PAUSE = 1.0
"""Seconds between a renewal that failed and the next."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lease lasts, and how much of that a command has to end itself when it is told to."""

    ttl: timedelta
    grace: timedelta

    def deadlines(self, asked: int) -> Deadlines:
        """Return when a command must end if nothing renews the lease that was asked for at a moment.

        It is killed a fifth of the lease before its end, or 2 seconds where that is less, so that it is
        gone by then also on a busy machine; and told to end by SIGTERM the grace earlier.
        """
        ttl = self.ttl.total_seconds()
        kill = asked + int((ttl - min(ttl / 5, _LONGEST_MARGIN)) * _SECOND)
        return Deadlines(term=kill - int(self.grace.total_seconds() * _SECOND), kill=kill)


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock that is held with a lease."""

    connection: Connection
    lock_id: str
    token: str
    terms: Terms

    def renew(self, timeout: float) -> int:
        """Begin the lease anew; return from which moment it counts, which is before it was asked for.

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


class Listener(Protocol):
    """Who wants to know of renewals."""

    def renewed(self, deadlines: Deadlines) -> None:
        """The lease has become longer."""

    def end(self) -> None:
        """The lock is lost."""


class Renewer(threading.Thread):
    """Renews a lease every third of its time, until it is told to stop or the lock is lost.

    Where there is no answer it goes on trying: the lease may still be good when the server is back.
    """

    def __init__(self, lease: Lease, asked: int, listener: Listener) -> None:
        super().__init__(name="renewer", daemon=True)
        self.trouble: ApiError | UnreachableError | None = None
        """Why the last renewal failed, if it did."""
        self.lost: ApiError | None = None
        """How the server said that the lock is lost, if it did."""
        self._lease = lease
        self._asked = asked
        self._listener = listener
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Renew no more."""
        self._stop_asked.set()

    def run(self) -> None:
        """Renew, in a thread of its own."""
        third = self._lease.terms.ttl.total_seconds() / 3
        pause = third - (clock.now() - self._asked) / _SECOND
        while not self._stop_asked.wait(max(0.0, pause)):
            pause = third if self._renew(min(third, _LONGEST_ANSWER)) else min(third / 4, _LONGEST_PAUSE)
            if self.lost is not None:
                self._listener.end()
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
        self._listener.renewed(self._lease.terms.deadlines(asked))
        return True
