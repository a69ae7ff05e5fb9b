"""What a server counts and measures of locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from tracker.errors import Reason

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_WAIT_SECONDS: Final = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_HOLD_SECONDS: Final = (0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400)
_REFUSALS: Final = (Reason.LOCK_HELD, Reason.LOCK_WAIT_TIMEOUT, Reason.LOCK_DELAY, Reason.LOCK_TOKEN_USED)


class LockMetrics:
    """The metrics of locks, on the registry of a server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._held = Gauge("tracker_locks_held", "Locks held.", registry=registry)
        self._waiting = Gauge("tracker_locks_waiting", "Calls that wait for a lock.", registry=registry)
        self._acquired = Counter(
            "tracker_lock_acquired", "Locks taken, by calls or events.", registry=registry
        )
        self._expired = Counter("tracker_lock_expired", "Locks whose lease expired.", registry=registry)
        self._forced = Counter("tracker_lock_forced", "Locks released by force.", registry=registry)
        self._refused = Counter(
            "tracker_lock_refused",
            "Locks refused to calls or events, by reason of the error.",
            ("reason",),
            registry=registry,
        )
        for reason in _REFUSALS:
            self._refused.labels(reason)
        self._wait_seconds = Histogram(
            "tracker_lock_wait_seconds",
            "Time that calls with `wait` took to get their lock or give up.",
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._hold_seconds = Histogram(
            "tracker_lock_hold_seconds",
            "Time that locks were held, without those of deleted events.",
            buckets=_HOLD_SECONDS,
            registry=registry,
        )

    def locks_held(self, locks: int) -> None:
        """Set how many locks are held."""
        self._held.set(locks)

    def locks_waiting(self, calls: int) -> None:
        """Set how many calls wait for a lock."""
        self._waiting.set(calls)

    def lock_acquired(self) -> None:
        """Count a lock that was taken."""
        self._acquired.inc()

    def lock_refused(self, reason: str) -> None:
        """Count a lock that was refused; `reason` is that of the error."""
        self._refused.labels(reason).inc()

    def lock_waited(self, seconds: float) -> None:
        """Measure a call that was ready to wait."""
        self._wait_seconds.observe(seconds)

    def lock_ended(self, seconds: float) -> None:
        """Measure a lock that ended."""
        self._hold_seconds.observe(seconds)

    def lock_expired(self) -> None:
        """Count a lock whose lease ran out."""
        self._expired.inc()

    def lock_forced(self) -> None:
        """Count a lock that was released by force."""
        self._forced.inc()
