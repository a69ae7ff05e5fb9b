"""Sessions of people in browsers, by random tokens, of which the hash is stored."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.times import micros, timestamp
from tracker.pb import access_pb
from tracker.stores.access import StoredAccess
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.access import Principal
    from tracker.services.access.directory import Directory
    from tracker.services.context import Call, Context

_LONGEST_USER_AGENT: Final = 200


class NewSession(NamedTuple):
    """The token of a session that has begun, and how many seconds it lasts."""

    token: str
    seconds: int


class Sessions:
    """Begins, finds and ends sessions, which last `seconds`."""

    def __init__(self, directory: Directory, context: Context, seconds: float) -> None:
        self._directory = directory
        self._context = context
        self._seconds = round(seconds)

    async def begin(self, user_id: str, call: Call) -> NewSession:
        """Begin a session of a user, for the browser that calls."""
        token, now = secrets.token_urlsafe(32), self._context.now()
        session = access_pb.Session(
            user_id=user_id,
            created_at=timestamp(now),
            expires_at=timestamp(now + self._seconds * MICROS),
            user_agent=call.user_agent[:_LONGEST_USER_AGENT],
            last_used_at=timestamp(now),
            last_used_from=call.address,
        )

        def begin(stored: StoredAccess | None) -> StoredAccess:
            if stored is not None and self._is_under_way(stored):  # another server was faster
                return stored
            return StoredAccess(access_pb.Access(id=record_id, session=session), _hash(token))

        over = (each.record.id for each in self._directory.sessions if not self._is_under_way(each))
        record_id = next(over, "") or f"session:{secrets.token_hex(12)}"
        stored = await self._directory.modify(record_id, begin, logged=False)
        if stored.secret_hash != _hash(token):
            record_id = f"session:{secrets.token_hex(12)}"
            await self._directory.modify(record_id, begin, logged=False)
        return NewSession(token, self._seconds)

    async def principal_with(self, token: str, call: Call) -> Principal | None:
        """Return the principal of a session, and note that a call uses it.

        None if there is no such session, or it is over.
        """
        if self._directory.session_with(_hash(token)) is None:
            await self._directory.catch_up()
        stored, principal = self._directory.session_with(_hash(token)), self.principal_now(token)
        if stored is not None and principal is not None:
            self._directory.note_use(stored, call.address)
        return principal

    def principal_now(self, token: str) -> Principal | None:
        """Return the principal of a session, as far as this server knows."""
        stored = self._directory.session_with(_hash(token))
        return None if stored is None else self._user_of(stored)

    async def of_same_user(self, token: str) -> Sequence[StoredAccess]:
        """Return all sessions under way of the user of this one, newest first; none if this one is over."""
        await self._directory.catch_up()
        current = self._directory.session_with(_hash(token))
        if current is None or current.record.session is None or not self._is_under_way(current):
            return ()
        user_id = current.record.session.user_id
        found = [each for each in self._directory.sessions if _user_id_of(each) == user_id]
        return sorted(filter(self._is_under_way, found), key=_beginning, reverse=True)

    def with_use(self, stored: StoredAccess) -> access_pb.Session:
        """Return a session that was found, with its last use as far as this server knows."""
        return self._directory.with_use(stored).session or access_pb.Session()

    async def end(self, token: str) -> None:
        """End a session, if it is under way."""
        stored = self._directory.session_with(_hash(token))
        if stored is not None:
            await self.end_stored(stored)

    async def end_stored(self, stored: StoredAccess) -> None:
        """End a session that was found."""

        def end(there: StoredAccess | None) -> StoredAccess:
            if there is not None and there.secret_hash != stored.secret_hash:
                return there
            over = access_pb.Access(id=stored.record.id, session=access_pb.Session())
            return StoredAccess(over, stored.secret_hash)

        await self._directory.modify(stored.record.id, end, logged=False)

    def _is_under_way(self, stored: StoredAccess) -> bool:
        return self._user_of(stored) is not None

    def _user_of(self, stored: StoredAccess) -> Principal | None:
        session = stored.record.session
        return None if session is None else self._directory.user_of(session)


def csrf_token(token: str) -> str:
    """Return what a page must send with changes to prove that it can read the cookies of this server."""
    digest = hashlib.sha256(b"csrf:" + token.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_of(stored: StoredAccess, token: str) -> bool:
    """Return whether a session is the one with a token."""
    return stored.secret_hash == _hash(token)


def _user_id_of(stored: StoredAccess) -> str:
    return "" if stored.record.session is None else stored.record.session.user_id


def _beginning(stored: StoredAccess) -> int:
    session = stored.record.session
    return 0 if session is None or session.created_at is None else micros(session.created_at)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
