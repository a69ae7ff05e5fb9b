"""How many calls each caller may make: a token bucket for each, within a bounded memory."""

from __future__ import annotations

from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from tracker.services.context import Call

MOST_CALLERS = 10_000
"""Callers whose buckets are remembered, at most."""

_POLICY = "calls"
"""The name of the limit in its headers."""


class CallRates:
    """Limits each caller to `rate` calls a second, after a burst of `burst` calls.

    Of each caller it knows when its bucket is full again (the generic cell rate algorithm of ATM). A full
    bucket is that of a new caller, so it is forgotten without loss.

    Callers are told of the limit once they have used half of the burst, by the headers `RateLimit` and
    `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11; over gRPC they are trailing metadata.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._interval = 1 / rate
        self._window = burst / rate
        self._full_at: dict[str, float] = {}
        self._policy = ("ratelimit-policy", f'"{_POLICY}";q={burst};w={ceil(self._window)}')

    def take(self, caller: str, now: float, call: Call) -> None:
        """Count a call of a caller at `now`, in seconds of a monotonic clock.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED; the caller makes too many.
        """
        full_at = self._full_at.get(caller, now)
        used = (full_at - now if full_at > now else 0.0) + self._interval
        if used > self._window:
            wait = max(1, ceil(used - self._window))
            self._note(call, 0, wait)
            message = f"more than {self._rate:g} calls a second: try again in {wait} s"
            raise TrackerError(Reason.TOO_MANY_CALLS, message, retry_seconds=wait)
        if len(self._full_at) >= MOST_CALLERS:
            self._forget(now)
        self._full_at[caller] = now + used
        if used + used > self._window:
            self._note(call, int((self._window - used) * self._rate), ceil(used))

    def _note(self, call: Call, remaining: int, seconds: int) -> None:
        limit = ("ratelimit", f'"{_POLICY}";r={remaining};t={seconds}')
        call.notes = (*call.notes, limit, self._policy)

    def _forget(self, now: float) -> None:
        """Forget full buckets, and where that is not enough, those of the callers known longest."""
        kept = {caller: at for caller, at in self._full_at.items() if at > now}
        if len(kept) > MOST_CALLERS // 2:
            kept = dict(islice(kept.items(), MOST_CALLERS // 2, None))
        self._full_at = kept
