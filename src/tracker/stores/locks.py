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
    """Locks: at most one at a time for each `domain.locks.lock_key`, including an expired one.

    `decide_claim`, `decide_move` and `decide_end` of `domain.locks` decide who gets a lock, and what its end
    leads to. The store keeps the last fencing token of each key for ever, and the ends of locks to be
    remembered until `forget_ended`. A principal may hold `locks_per_owner` locks, expired ones left out;
    further ones, of calls or of events, are refused with RESOURCE_EXHAUSTED.
    """

    in_order: bool
    """Whether changes are made in the order of the calls, many to a commit."""

    async def acquire(
        self, claim: HeldLock, entry: event_pb.ChangelogEntry | None, once: Once[Acquired] | None = None
    ) -> Acquired:
        """Store a new lock with the next fencing token of its key, and append `entry` to the event it names.

        For a replay, nothing changes, `once` is not used, and the held lock is returned. The event need not
        exist. If the call is cancelled, the lock may have been acquired, or may still be; a later `release`
        sees the result.

        Raises:
            LockHeldError: The key is held, or its lock expired and waits for its delay to end.
            LockTokenUsedError: A lock of this key with this token hash has ended, and that is remembered.
        """

    async def get(self, lock_id: str) -> lock_pb.Lock | None:
        """Return the lock of an id, or None."""

    async def holder(self, key: LockKey, token_hash: bytes = b"") -> lock_pb.Lock | None:
        """Return the lock of a key, or None; a lock that was acquired before the call is seen.

        With `token_hash`, a lock that was taken with another token is not returned.
        """

    async def ended(self, lock_id: str) -> EndedLock | None:
        """Return how a lock ended, if that is remembered."""

    async def modify(
        self,
        lock_id: str,
        change: Callable[[HeldLock], lock_pb.Lock | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """Replace a lock with what `change` returns for it; None leaves the lock as it is.

        A lock that moves to another key gets the next fencing token of that key. Returns the new document, or
        None if there is no such lock or it stayed as it is.

        Raises:
            LockHeldError: The new key is held by another lock.
        """

    async def release(
        self,
        lock_id: str,
        decide: Callable[[HeldLock], Release | None],
        once: Once[lock_pb.Lock] | None = None,
    ) -> lock_pb.Lock | None:
        """End a lock as `decide` says, and return it, or None if there is none or `decide` returns None."""

    async def find(self, where: LockFilter, page: Page) -> Found[lock_pb.Lock]:
        """Return a page of the matching locks, newest first: by descending (creation time, id)."""

    async def leases(self) -> Sequence[LeaseState]:
        """Return the state of every lock, in no particular order."""

    async def forget_ended(self, before: int) -> None:
        """Forget the ends of locks that ended before a moment (microseconds since the epoch)."""
