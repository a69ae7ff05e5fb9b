"""The records of access control in memory, which authenticate calls without reading the store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.access import PrincipalKind
from tracker.domain.api_keys import hash_secret, principal_of, valid_until
from tracker.domain.people import ADMINISTRATORS, administrators, principal_of_user
from tracker.domain.times import micros
from tracker.permissions import Permission
from tracker.services.access.uses import Use
from tracker.time_text import MICROS, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tracker.domain.access import Principal
    from tracker.pb import access_pb, auth_pb
    from tracker.services.context import Context
    from tracker.stores.access import AccessStore, StoredAccess

_OVERLAP = MINUTE
"""How far back changes of other servers are read again: their clocks differ a little."""

_USES_SECONDS = 60.0
"""Time between two writes of when keys and sessions were last used."""


class Bearer(NamedTuple):
    """Who has a key, which is accepted until `ends` (microseconds since the epoch)."""

    key: auth_pb.ApiKey
    principal: Principal
    secret_hash: bytes
    ends: float


class Directory:
    """Keeps the records of access control: API keys, users, teams and sessions.

    Changes of this server count at once, those of others after `AccessStore.poll_seconds`. While the store
    can't be read, what was read last counts.
    """

    def __init__(self, store: AccessStore, context: Context) -> None:
        self._store = store
        self._context = context
        self._records: dict[str, StoredAccess] = {}
        self._bearers: dict[bytes, Bearer] = {}
        self._sessions: dict[bytes, StoredAccess] = {}
        self._users: dict[str, auth_pb.User] = {}
        self._teams: dict[str, auth_pb.Team] = {ADMINISTRATORS: administrators()}
        self._uses: dict[str, Use] = {}
        self._held: dict[str, set[str]] = {}
        """Ids of the records of keys that principals hold."""
        self._read_at = 0
        self._caught_up = -inf

    async def open(self) -> None:
        """Read all records."""
        await self._read(0)

    @property
    def api_keys(self) -> Mapping[str, auth_pb.ApiKey]:
        """The keys by id, with when they were last used."""
        stored = (each for each in self._records.values() if each.record.api_key is not None)
        keys = (self.with_use(each).api_key for each in stored)
        return {key.id: key for key in keys if key is not None}

    @property
    def users(self) -> Mapping[str, auth_pb.User]:
        """The users by id."""
        return self._users

    @property
    def teams(self) -> Mapping[str, auth_pb.Team]:
        """The teams by id; that of the administrators is always there."""
        return self._teams

    @property
    def sessions(self) -> Collection[StoredAccess]:
        """The sessions, also those that are over."""
        return self._sessions.values()

    def stored(self, record_id: str) -> StoredAccess | None:
        """Return a record, if there is one."""
        return self._records.get(record_id)

    def with_use(self, stored: StoredAccess) -> access_pb.Access:
        """Return the record of a key or session, with when it was last used as far as this server knows."""
        use = self._uses.get(stored.record.id)
        return stored.record if use is None else use.shown(stored)

    def session_with(self, token_hash: bytes) -> StoredAccess | None:
        """Return the session whose token has a hash, also one that is over."""
        return self._sessions.get(token_hash)

    def note_use(self, stored: StoredAccess, address: str) -> None:
        """Note that a session is used now, from an address."""
        self._uses[stored.record.id] = Use(stored.secret_hash, self._context.now(), address)

    def user_of(self, session: access_pb.Session) -> Principal | None:
        """Return the principal of a session's user, or None if it is over, or the user is disabled."""
        now = self._context.now()
        stored = self._records.get(f"user:{session.user_id}")
        if stored is None or (user := stored.record.user) is None or user.disabled:
            return None
        since, began, ends = stored.record.sessions_since, session.created_at, session.expires_at
        if began is None or ends is None or now >= micros(ends):
            return None
        if since is not None and micros(began) < micros(since):
            return None
        return replace(principal_of_user(user, self.teams), expires_at=micros(ends))

    async def catch_up(self) -> None:
        """Read what other servers have changed now, once a second at most: somebody may come from one."""
        if self._store.poll_seconds is not None and self._context.now() - self._caught_up > MICROS:
            self._caught_up = self._context.now()
            await self._read(self._read_at - _OVERLAP)

    def bearer_with(self, secret: str) -> Bearer | None:
        """Return who has the key of a secret, also of one that is over."""
        return self._bearers.get(hash_secret(secret))

    def principal_of(self, bearer: Bearer) -> Principal | None:
        """Return the principal that bears a key, and note its use; None if the key is over or has changed."""
        now = self._context.now()
        if now >= bearer.ends or self._bearers.get(bearer.secret_hash) is not bearer:
            return None
        self._uses[bearer.principal.id] = Use(bearer.secret_hash, now)
        return bearer.principal

    def is_current(self, principal: Principal) -> bool:
        """Return whether the credentials of a principal are still valid, and give it what it has."""
        if principal.kind is not PrincipalKind.API_KEY:
            return principal.expires_at is None or self._context.now() < principal.expires_at
        stored = self._records.get(principal.id)
        bearer = None if stored is None else self._bearers.get(stored.secret_hash)
        return bearer is not None and bearer.principal == principal and self._context.now() < bearer.ends

    def may_hold(self, principal_id: str) -> bool:
        """Return whether a principal may hold keys: a user or key here, but no key that a key holds."""
        stored = self._records.get(principal_id)
        if stored is None:
            return False
        key = stored.record.api_key
        return stored.record.user is not None if key is None else not key.holder.startswith("apikey:")

    def person_of(self, principal_id: str) -> str:
        """Return the id of the person behind a principal: of a key with a holder, the holder."""
        while (stored := self._records.get(principal_id)) is not None:
            key = stored.record.api_key
            if key is None or not key.holder:
                break
            principal_id = key.holder
        return principal_id

    def has_administrator(self) -> bool:
        """Return whether a valid key may manage access."""
        now = self._context.now()
        return any(
            now < bearer.ends and bearer.principal.may(Permission.ACCESS_MANAGE)
            for bearer in self._bearers.values()
        )

    async def modify(
        self,
        record_id: str,
        change: Callable[[StoredAccess | None], StoredAccess],
        *,
        logged: bool = True,
    ) -> StoredAccess:
        """Change a record in the store, then here."""
        stored = await self._store.modify(record_id, change, logged=logged)
        self._take(stored)
        return stored

    async def read_all(self) -> Sequence[StoredAccess]:
        """Return all records as the store has them now."""
        return await self._store.find()

    async def follow(self) -> None:
        """Read what other servers have changed: one round of a background task."""
        if self._store.poll_seconds is None:
            await asyncio.Event().wait()
            return
        await asyncio.sleep(self._store.poll_seconds)
        await self._read(self._read_at - _OVERLAP)

    async def write_uses(self) -> None:
        """Store when keys and sessions were last used: one round of a background task."""
        await asyncio.sleep(_USES_SECONDS)
        await self.store_uses()

    async def store_uses(self) -> None:
        """Store the uses since the last call; those that can't be stored are kept for the next one."""
        for record_id, use in list(self._uses.items()):
            await self.modify(record_id, use.store, logged=False)
            if self._uses.get(record_id) is use:
                del self._uses[record_id]

    async def _read(self, since: int) -> None:
        began = self._context.now()
        for stored in await self._store.find(since):
            if self._records.get(stored.record.id) != stored:
                self._take(stored)
        self._read_at = began

    def _take(self, stored: StoredAccess) -> None:
        before = self._records.get(stored.record.id)
        if before is not None:
            self._bearers.pop(before.secret_hash, None)
            self._sessions.pop(before.secret_hash, None)
        self._records[stored.record.id] = stored
        key, user, team = stored.record.api_key, stored.record.user, stored.record.team
        if key is not None:
            if key.holder:
                self._held.setdefault(key.holder, set()).add(stored.record.id)
            self._bearers[stored.secret_hash] = self._bearer(key, stored.secret_hash)
        if user is not None:
            self._users[user.id] = user
        if stored.record.id.startswith("team:"):
            self._take_team(stored.record.id.removeprefix("team:"), team)
        if stored.record.session is not None:
            self._sessions[stored.secret_hash] = stored
        self._renew_keys_of(stored.record.id)

    def _take_team(self, team_id: str, team: auth_pb.Team | None) -> None:
        if team is not None:
            self._teams[team_id] = team
        else:
            self._teams.pop(team_id, None)
        for secret_hash, bearer in self._bearers.items():
            if bearer.key.team_id:
                self._bearers[secret_hash] = self._bearer(bearer.key, secret_hash)
        for holder in self._held:
            self._renew_keys_of(holder)

    def _renew_keys_of(self, holder: str) -> None:
        """Give the keys of a holder what it has now, and those that these hold."""
        for record_id in self._held.get(holder, ()):
            stored = self._records[record_id]
            if stored.record.api_key is not None:
                self._bearers[stored.secret_hash] = self._bearer(stored.record.api_key, stored.secret_hash)
                self._renew_keys_of(record_id)

    def _bearer(self, key: auth_pb.ApiKey, secret_hash: bytes) -> Bearer:
        if not key.holder:
            return Bearer(key, principal_of(key, self._teams), secret_hash, valid_until(key))
        holder, until = self._holder(key.holder)
        return Bearer(key, principal_of(key, self._teams, holder), secret_hash, min(valid_until(key), until))

    def _holder(self, principal_id: str) -> tuple[Principal | None, float]:
        """Return a user or key that holds keys, and how long it is valid."""
        stored = self._records.get(principal_id)
        if stored is None:
            return None, -inf
        if stored.record.user is not None:
            user = stored.record.user
            return principal_of_user(user, self._teams), -inf if user.disabled else inf
        bearer = self._bearers.get(stored.secret_hash)
        return (None, -inf) if bearer is None else (bearer.principal, bearer.ends)
