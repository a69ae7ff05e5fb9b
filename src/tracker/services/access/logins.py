"""Logging in with a name and a password."""

from __future__ import annotations

import asyncio
import copy
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from tracker.domain.people import ADMINISTRATORS
from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import access_pb, auth_pb
from tracker.services.access.passwords import hash_password, require_policy, verify_password
from tracker.stores.access import NameTakenError, StoredAccess

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.services.access.attempts import FailedAttempts
    from tracker.services.access.directory import Directory
    from tracker.services.access.sessions import NewSession, Sessions
    from tracker.services.context import Call, Context

_ADMIN: Final = "0" * 23 + "2"
_ADMIN_NAME: Final = "admin"
_LOCAL: Final = "local"


class LoginObserver(Protocol):
    """What is reported of logins, for metrics."""

    def login_finished(self, method: str, result: str) -> None:
        """A login by `local` or `oidc` ended in `success`, `failure` or `rate_limited`."""


class Logins:
    """Checks passwords, one after the other: a hash takes memory and time."""

    def __init__(
        self,
        directory: Directory,
        sessions: Sessions,
        context: Context,
        attempts: FailedAttempts,
        observer: LoginObserver,
    ) -> None:
        self._directory = directory
        self._sessions = sessions
        self._context = context
        self._attempts = attempts
        self._observer = observer
        self._checking = asyncio.Lock()

    async def create_admin(self, password: str) -> None:
        """Create the administrator `admin` with a password, unless there is this user.

        Raises:
            TrackerError: INVALID_ARGUMENT; the password is too short or too long.
        """
        require_policy(password)
        now = timestamp(self._context.now())
        user = auth_pb.User(
            id=_ADMIN,
            username=_ADMIN_NAME,
            source=_LOCAL,
            team_ids=[ADMINISTRATORS],
            must_change_password=True,
            created_at=now,
        )
        if any(each.username.lower() == _ADMIN_NAME for each in self._directory.users.values()):
            return
        password_hash = await asyncio.to_thread(hash_password, password)
        new = StoredAccess(access_pb.Access(id=f"user:{_ADMIN}", user=user), password_hash)
        with suppress(NameTakenError):  # another server was faster
            await self._directory.modify(new.record.id, partial(_unless_there, new))

    async def log_in(self, call: Call, address: str, username: str, password: str) -> NewSession:
        """Begin a session of a user with a name and a password.

        Raises:
            TrackerError: UNAUTHENTICATED; RESOURCE_EXHAUSTED after too many failed attempts.
        """
        if not username or not password:
            raise invalid(FieldViolation("", "username and password are required"))
        try:
            self._attempts.begin(address, username)
        except TrackerError:
            self._observer.login_finished(_LOCAL, "rate_limited")
            raise
        users = self._directory.users.values()
        user = next((each for each in users if each.username.lower() == username.lower()), None)
        if user is None or not await self._is_password_of(user, password):
            if user is None:
                await self._check(b"", password)  # takes as long
            self._observer.login_finished(_LOCAL, "failure")
            raise TrackerError(Reason.INVALID_CREDENTIALS, "invalid credentials")
        self._attempts.succeeded(address, username)
        self._observer.login_finished(_LOCAL, "success")
        await self._change(user.id, self._logged_in)
        self._context.report(call, "logged in", user=user.username)
        return await self._sessions.begin(user.id, call)

    async def change_password(self, call: Call, address: str, current: str, new: str) -> NewSession:
        """Replace the password of the session's user, end all sessions, and begin another one.

        Raises:
            TrackerError: UNAUTHENTICATED; INVALID_ARGUMENT; RESOURCE_EXHAUSTED after too many attempts.
        """
        user = self._directory.users.get(call.principal.id.removeprefix("user:")) if call.session else None
        if user is None:
            raise TrackerError(Reason.AUTHENTICATION_REQUIRED, "authentication required")
        if not current or not new:
            raise invalid(FieldViolation("", "currentPassword and newPassword are required"))
        if user.source != _LOCAL:
            raise invalid(FieldViolation("", "password is managed by the identity provider"))
        require_policy(new, "")
        self._attempts.begin(address, user.username)
        if not await self._is_password_of(user, current):
            raise TrackerError(Reason.INVALID_CREDENTIALS, "current password is incorrect")
        self._attempts.succeeded(address, user.username)
        password_hash = await asyncio.to_thread(hash_password, new)

        def change(record: access_pb.Access, user: auth_pb.User) -> None:
            user.must_change_password = False
            record.sessions_since = timestamp(self._context.now())

        await self._change(user.id, change, password_hash)
        self._context.report(call, "password changed", user=user.username)
        return await self._sessions.begin(user.id, call)

    async def _is_password_of(self, user: auth_pb.User, password: str) -> bool:
        stored = self._directory.stored(f"user:{user.id}")
        usable = stored is not None and user.source == _LOCAL and not user.disabled
        return await self._check(stored.secret_hash if stored is not None and usable else b"", password)

    async def _check(self, password_hash: bytes, password: str) -> bool:
        async with self._checking:
            return await asyncio.to_thread(verify_password, password_hash, password)

    def _logged_in(self, _record: access_pb.Access, user: auth_pb.User) -> None:
        user.last_login_at = timestamp(self._context.now())

    async def _change(
        self,
        user_id: str,
        change: Callable[[access_pb.Access, auth_pb.User], None],
        password_hash: bytes | None = None,
    ) -> None:
        """Change a user; with a hash, the password too, which is logged."""

        def changed(stored: StoredAccess | None) -> StoredAccess:
            record = None if stored is None else copy.deepcopy(stored.record)
            if stored is None or record is None or record.user is None:
                raise TrackerError(Reason.INVALID_CREDENTIALS, "invalid credentials")
            change(record, record.user)
            return StoredAccess(record, stored.secret_hash if password_hash is None else password_hash)

        await self._directory.modify(f"user:{user_id}", changed, logged=password_hash is not None)


def _unless_there(new: StoredAccess, stored: StoredAccess | None) -> StoredAccess:
    return stored or new
