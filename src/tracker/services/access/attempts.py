"""Limits attempts to guess credentials."""

from __future__ import annotations

import time
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, Literal, NamedTuple

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable

PER_ACCOUNT = 5
PER_ADDRESS = 100
_SECONDS = 60.0
"""The time in which so many attempts may fail."""

MOST_REMEMBERED = 10_000
"""Accounts and addresses whose attempts are remembered, at most."""


class _Origin(NamedTuple):
    """What attempts are counted by; the account is empty where all of an address count."""

    kind: Literal["login", "credentials"]
    address: str
    account: str = ""


class FailedAttempts:
    """The attempts of the last minute that failed: logins by account and address, and all by address.

    The address of this machine is not counted by itself, since it may be everybody's, behind a proxy.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: dict[_Origin, list[float]] = {}

    def begin(self, address: str, account: str) -> None:
        """Count an attempt to log in as failed, unless `succeeded` is called: others may be under way.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED; too many have failed, and this one must not be made.
        """
        logins, of_account = _Origin("login", address), _login(address, account)
        self._require_fewer(of_account, PER_ACCOUNT)
        self._count(logins)
        self._add(of_account)

    def succeeded(self, address: str, account: str) -> None:
        """Forget the failed attempts to log in to an account from an address."""
        self._failed.pop(_login(address, account), None)

    def refused(self, address: str) -> None:
        """Count a call that was refused because of its credentials.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED; there were too many from this address.
        """
        self._count(_Origin("credentials", address))

    def _count(self, origin: _Origin) -> None:
        if not origin.address.startswith("127.") and origin.address != "::1":
            self._require_fewer(origin, PER_ADDRESS)
            self._add(origin)

    def _add(self, origin: _Origin) -> None:
        if len(self._failed) >= MOST_REMEMBERED and origin not in self._failed:
            self._forget()
        self._failed.setdefault(origin, []).append(self._now())

    def _require_fewer(self, origin: _Origin, most: int) -> None:
        times = self._failed.get(origin, [])
        now = self._now()
        times[:] = [at for at in times if at > now - _SECONDS]
        if len(times) >= most:
            message = "too many failed attempts, retry later"
            wait = max(1, ceil(times[-most] + _SECONDS - now))
            raise TrackerError(Reason.TOO_MANY_FAILED_ATTEMPTS, message, retry_seconds=wait)

    def _forget(self) -> None:
        """Forget what is older than a minute, and where that is not enough, what is known longest."""
        earliest = self._now() - _SECONDS
        kept = {origin: times for origin, times in self._failed.items() if times and times[-1] > earliest}
        if len(kept) > MOST_REMEMBERED // 2:
            kept = dict(islice(kept.items(), MOST_REMEMBERED // 2, None))
        self._failed = kept


def _login(address: str, account: str) -> _Origin:
    return _Origin("login", address, f"account {account.lower()}")
