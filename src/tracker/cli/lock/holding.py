"""Holds a lock while a command runs: takes, renews and releases it, and reports what became of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tracker.cli.errors import CommandError
from tracker.cli.exits import LOCKED
from tracker.cli.lock.command import say
from tracker.cli.lock.lease import Lease, Renewer
from tracker.cli.lock.taking import take
from tracker.cli.output import printable
from tracker.client import ApiError, UnreachableError
from tracker.errors import Reason
from tracker.guardian import clock
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from tracker.cli.lock.lease import Terms
    from tracker.cli.lock.running import GuardedCommand
    from tracker.client import Connection
    from tracker.guardian.protocol import Deadlines, Gone
    from tracker.pb import lock_pb

_SECOND = 1_000_000_000

_RELEASING = 5.0
"""Seconds that a release may take, and for which it is retried without an answer."""

_RELEASING_LOST = 1.0
"""Seconds that it may take if the lease is about to expire: a courtesy to those who wait."""


def hold(  # noqa: PLR0913  # what a lock is held with, and for
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

    Raises:
        ApiError: The lock was refused.
        UnreachableError: The server gave no answer.
        CommandError: The lock was lost, or the command can't be started.
    """
    guarded.await_guardian()
    taken = take(connection, request, wait)
    if taken.answer.lock is None:
        raise CommandError("the server answered without a lock")
    lease = Lease(connection, taken.answer.lock.id, request.lock_token, terms)
    asked = _fresh(lease, taken.asked)
    environ = {
        "TRACKER_LOCK_ID": lease.lock_id,
        "TRACKER_FENCING_TOKEN": str(taken.answer.lock.fencing_token),
    }
    renewer = Renewer(lease, asked, guarded)
    renewer.start()
    try:
        end = work(taken.answer.lock, environ, terms.deadlines(asked))
    except BaseException:
        _release(lease)
        raise
    finally:
        renewer.stop()
    if end.leftovers:
        say("the command left processes behind; they were ended")
    if end.ended:
        raise _ended(end, lease, renewer)
    lost = _release(lease)
    if lost is not None and lost.metadata.get("ending") != "event_ended":
        raise CommandError(printable(f"the lock was lost while the command ran: {lost}"), LOCKED)
    return end


def _fresh(lease: Lease, asked: int) -> int:
    """Renew a lease of which the wait used a tenth or more; return the moment from which it counts."""
    ttl = lease.terms.ttl.total_seconds()
    return lease.renew(ttl) if clock.now() - asked > ttl / 10 * _SECOND else asked


def _ended(end: Gone, lease: Lease, renewer: Renewer) -> CommandError:
    """Return the failure of a command that the guardian ended."""
    if renewer.lost is None:
        with contextlib.suppress(ApiError, UnreachableError):
            lease.release(timeout=_RELEASING_LOST, patience=0)
    what = "was ended" if end.status is not None else "was not started"
    why = renewer.lost or renewer.trouble or "it was not renewed in time"
    return CommandError(printable(f"the lock was lost, the command {what}: {why}"), LOCKED)


def _release(lease: Lease) -> ApiError | None:
    """Release the lock; return the error with which the server reports it as lost, if it does."""
    try:
        lease.release(timeout=_RELEASING, patience=_RELEASING)
    except ApiError as error:
        if error.reason == Reason.LOCK_LOST:
            return error
        _say_not_released(lease, error)
    except UnreachableError as error:
        _say_not_released(lease, error)
    return None


def _say_not_released(lease: Lease, error: Exception) -> None:
    within = rounded_text(lease.terms.ttl)
    say(f"lock {lease.lock_id} was not released, and ends by itself within {within}: {error}")
