"""The contract of a store for locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.domain.locks import Acquired, EndedLock, HeldLock, LeaseState, LockFilter, LockKey, Release
    from tracker.pb import event_pb, lock_pb
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page


class LockStore(Protocol):
    """Locks; at any moment at most one for each `domain.locks.lock_key`, an expired one included.

    Who gets a lock, and what its end leads to, is decided by `decide_claim`, `decide_move` and `decide_end`
    of `domain.locks`. For each key the store remembers, for ever, the last fencing token it gave; the ends
    that are to be remembered it keeps until `forget_ended`.
    """

    async def acquire(
        self, claim: HeldLock, entry: event_pb.ChangelogEntry | None, once: Once[Acquired] | None = None
    ) -> Acquired:
        """Store a new lock with the next fencing token of its key, and append `entry` to the event it names.

        Where the claim is a replay, nothing changes, `once` is not used, and the answer is the lock that is
        held. The event need not exist. Where the call is cancelled, the lock may have been taken, or may
        still be: a `release` that follows sees what came of it.

        Raises:
            LockHeldError: The key is held, or its lock expired and waits for its delay to end.
            LockTokenUsedError: A lock of this key with this token hash has ended, and that is remembered.
        """

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        """Return the lock of an id, or None."""

    async def holder(self, key: LockKey) -> lock_pb.Lock | None:
        """Return the lock of a key, or None. Never answers with a state from before an acquired lock."""

    async def ended(self, lock_id: str) -> EndedLock | None:
        """Return what is remembered of the end of a lock, or None."""

    async def modify(
        self,
        lock_id: str,
        change: Callable[[HeldLock], lock_pb.Lock | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """Replace a lock by what `change` makes of it; where that is None, the lock stays as it is.

        A lock that moves to another key gets the next fencing token of that key. Returns the new
        document, or None where there is no such lock or it stayed as it is.

        Raises:
            LockHeldError: The new key is held by another lock.
        """

    async def release(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], Release | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """End a lock the way that `decide` says; where that is None, it stays.

        Returns the lock that ended, or None where there is no such lock or it stayed.
        """

    async def find(self, where: LockFilter, page: Page) -> Found[lock_pb.Lock]:
        """Return a page of the matching locks, newest first: by descending (creation time, id)."""

    async def leases(self) -> Sequence[LeaseState]:
        """Return the state of every lock, in no particular order."""

    async def forget_ended(self, before: int) -> None:
        """Forget the ends of locks that ended before a moment (microseconds since the epoch)."""
