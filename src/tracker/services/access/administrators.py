"""Changes of users that leave an administrator, however many servers change users at the same time."""

from __future__ import annotations

import asyncio
import copy
import random
import secrets
from typing import TYPE_CHECKING, Final

from tracker.domain.people import is_administrator
from tracker.errors import Reason, TrackerError
from tracker.pb import access_pb
from tracker.stores.access import StoredAccess
from tracker.stores.base import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.services.access.directory import Directory

    Change = Callable[[StoredAccess | None], StoredAccess]

_RECORD: Final = "administrators"
"""Id of the record that says which removal of an administrator is under way."""
_ATTEMPTS: Final = 30
_PAUSE: Final = 0.02


class Administrators:
    """Removes administrators one at a time, over all servers of a store, each step a change of one record.

    A removal enters itself in the record `administrators` in place of the one that is there, which it then
    revokes: it takes that one's mark from its user, so that it can't be made any more. It marks its own user,
    and looks whether it is still the one that is entered. Only then does it look for another administrator,
    and change its user, if that is still marked. So no other removal is made between its look and its change:
    that one would have entered itself before, and been revoked, or later, and have revoked this one. Whatever
    is left of a removal whose server died is revoked by the next.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def modify(self, user_id: str, change: Change) -> StoredAccess:
        """Change a user as `Directory.modify` does; `change` may be called several times.

        Raises:
            TrackerError: FAILED_PRECONDITION (`LAST_ADMINISTRATOR`); nobody else is an administrator.
            NameTakenError: Another user has its new name.
        """
        try:
            return await self._directory.modify(f"user:{user_id}", _without_removal(change))
        except _RemovalError:
            pass
        for attempt in range(_ATTEMPTS):
            try:
                return await self._remove(user_id, secrets.token_hex(12), change)
            except _RevokedError:
                await asyncio.sleep(random.uniform(0, _PAUSE * (attempt + 1)))  # noqa: S311 - no secret
        raise unavailable("other administrators are being removed: try again")

    async def _remove(self, user_id: str, removal: str, change: Change) -> StoredAccess:
        entered = await self._put(_RECORD, lambda there: _entered(there, removal, user_id))
        for each in entered.record.revoked_removals:
            await self._revoke(each)
        record_id = f"user:{user_id}"
        await self._put(record_id, lambda there: _marked(there, removal))
        records = {stored.record.id: stored.record for stored in await self._directory.read_all()}
        if records[_RECORD].removal != removal:
            raise _RevokedError
        users = [record.user for record in records.values() if record.id != record_id]
        if not any(map(is_administrator, users)):
            await self._leave(removal)
            raise TrackerError(Reason.LAST_ADMINISTRATOR, "cannot remove the last administrator")
        new = await self._directory.modify(record_id, _if_marked(removal, change))
        await self._leave(removal)  # not after an error: the change may still be made
        return new

    async def _leave(self, removal: str) -> None:
        nobody = StoredAccess(access_pb.Access(id=_RECORD), b"")
        await self._put(
            _RECORD, lambda there: there if there is not None and there.record.removal != removal else nobody
        )

    async def _put(self, record_id: str, change: Change) -> StoredAccess:
        return await self._directory.modify(record_id, change, logged=False)

    async def _revoke(self, entry: str) -> None:
        user_id, _, removal = entry.partition(" ")

        def revoke(there: StoredAccess | None) -> StoredAccess:
            if there is None:
                raise LookupError("users are never deleted")
            if there.record.removal != removal:
                return there
            record = copy.deepcopy(there.record)
            record.removal = ""
            return StoredAccess(record, there.secret_hash)

        await self._put(f"user:{user_id}", revoke)


class _RemovalError(Exception):
    """A change would remove an administrator."""


class _RevokedError(Exception):
    """Another removal has begun since."""


def _without_removal(change: Change) -> Change:
    def changed(there: StoredAccess | None) -> StoredAccess:
        new = change(there)
        was = there is not None and is_administrator(there.record.user)
        if was and not is_administrator(new.record.user):
            raise _RemovalError
        return new

    return changed


def _entered(there: StoredAccess | None, removal: str, user_id: str) -> StoredAccess:
    before = access_pb.Access() if there is None else there.record
    revoked = list(before.revoked_removals)
    if before.removal:
        revoked.append(f"{before.subject} {before.removal}")
    record = access_pb.Access(id=_RECORD, removal=removal, subject=user_id, revoked_removals=revoked)
    return StoredAccess(record, b"")


def _marked(there: StoredAccess | None, removal: str) -> StoredAccess:
    if there is None:
        raise LookupError("users are never deleted")
    record = copy.deepcopy(there.record)
    record.removal = removal
    return StoredAccess(record, there.secret_hash)


def _if_marked(removal: str, change: Change) -> Change:
    def changed(there: StoredAccess | None) -> StoredAccess:
        if there is None or there.record.removal != removal:
            raise _RevokedError
        new = change(there)
        new.record.removal = ""
        return new

    return changed
