"""The auth service: users and teams."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Final, TypeVar

from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.pb import access_pb, auth_pb
from tracker.services.access.passwords import hash_password, require_policy
from tracker.services.access.words import known_permissions, trimmed, unfit
from tracker.stores.access import NameTakenError, StoredAccess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protobuf.wkt import Timestamp

    from tracker.services.access.administrators import Administrators
    from tracker.services.access.directory import Directory
    from tracker.services.context import Call, Context

_USERNAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,63}")
_LONGEST_NAME = 64
_LOCAL: Final = "local"

_T = TypeVar("_T", auth_pb.CreateTeamRequest, auth_pb.UpdateTeamRequest)


class PeopleService:
    """Answers the RPCs of `tracker.auth.v1alpha1.AuthService` about users and teams.

    One change is made at a time, so that a server finds names that it has given.
    """

    def __init__(self, directory: Directory, administrators: Administrators, context: Context) -> None:
        self._directory = directory
        self._administrators = administrators
        self._context = context
        self._changing = asyncio.Lock()

    async def list_users(self, _request: auth_pb.ListUsersRequest, _call: Call) -> auth_pb.ListUsersResponse:
        users = sorted(self._directory.users.values(), key=lambda each: each.username.lower())
        return auth_pb.ListUsersResponse(users=users)

    async def create_user(self, request: auth_pb.CreateUserRequest, call: Call) -> auth_pb.CreateUserResponse:
        if not _USERNAME.fullmatch(request.username):
            text = "username must be 2 to 64 characters of letters, digits, dot, underscore or dash"
            raise unfit("username", text)
        require_policy(request.password)
        name = request.username.lower()
        user = auth_pb.User(
            id=hashlib.sha256(f"local:{name}".encode()).hexdigest()[:24],  # so that a name is one user's
            username=request.username,
            email=request.email.strip(),
            display_name=request.display_name.strip(),
            source=_LOCAL,
            must_change_password=True,
            created_at=timestamp(self._context.now()),
        )
        password_hash = await asyncio.to_thread(hash_password, request.password)

        def create(stored: StoredAccess | None) -> StoredAccess:
            if stored is not None:
                raise _user_exists()
            return StoredAccess(access_pb.Access(id=f"user:{user.id}", user=user), password_hash)

        async with self._changing:
            await self._directory.catch_up()
            if any(each.username.lower() == name for each in self._directory.users.values()):
                raise _user_exists()
            user.team_ids = self._teams_of(request.team_ids)
            try:
                await self._directory.modify(f"user:{user.id}", create)
            except NameTakenError:
                raise _user_exists() from None
        self._context.report(call, "user created", id=user.id, name=user.username)
        return auth_pb.CreateUserResponse(user=user)

    async def update_user(self, request: auth_pb.UpdateUserRequest, call: Call) -> auth_pb.UpdateUserResponse:
        if request.new_password:
            require_policy(request.new_password, "new_password")
        password_hash: bytes | None = None
        if request.new_password:
            password_hash = await asyncio.to_thread(hash_password, request.new_password)
        async with self._changing:
            await self._directory.catch_up()
            teams = self._teams_of(request.team_ids)
            stored = await self._administrators.modify(
                request.id, lambda there: self._updated(there, request, call, teams, password_hash)
            )
        user = stored.record.user or auth_pb.User()
        self._context.report(call, "user updated", id=user.id, name=user.username)
        return auth_pb.UpdateUserResponse(user=user)

    def _updated(
        self,
        stored: StoredAccess | None,
        request: auth_pb.UpdateUserRequest,
        call: Call,
        teams: list[str],
        password_hash: bytes | None,
    ) -> StoredAccess:
        record = None if stored is None else copy.deepcopy(stored.record)
        if stored is None or record is None or (user := record.user) is None:
            raise TrackerError(Reason.USER_NOT_FOUND, "user not found")
        if password_hash is not None and user.source != _LOCAL:
            text = "password is managed by the identity provider"
            raise unfit("new_password", text)
        if request.disabled and call.principal.id == record.id:
            raise TrackerError(Reason.LAST_ADMINISTRATOR, "you cannot disable your own account")
        if request.disabled or password_hash is not None:
            record.sessions_since = timestamp(self._context.now())
        user.email, user.display_name = request.email.strip(), request.display_name.strip()
        user.team_ids, user.disabled = teams, request.disabled
        user.must_change_password = user.must_change_password or password_hash is not None
        return StoredAccess(record, stored.secret_hash if password_hash is None else password_hash)

    async def list_teams(self, _request: auth_pb.ListTeamsRequest, _call: Call) -> auth_pb.ListTeamsResponse:
        teams = sorted(self._directory.teams.values(), key=lambda each: each.name.lower())
        return auth_pb.ListTeamsResponse(teams=teams)

    async def create_team(self, request: auth_pb.CreateTeamRequest, call: Call) -> auth_pb.CreateTeamResponse:
        team = auth_pb.Team(id=secrets.token_hex(12))
        _fill(team, request)
        async with self._changing:
            await self._directory.catch_up()
            self._require_free_name(team)
            await self._put(team)
        self._context.report(call, "team created", id=team.id, name=team.name)
        return auth_pb.CreateTeamResponse(team=team)

    async def update_team(self, request: auth_pb.UpdateTeamRequest, call: Call) -> auth_pb.UpdateTeamResponse:
        async with self._changing:
            team = copy.deepcopy(self._team(request.id))
            if team.builtin:
                team.description, team.oidc_groups = request.description, trimmed(request.oidc_groups)
            else:
                _fill(team, request)
                self._require_free_name(team)
            await self._put(team)
        self._context.report(call, "team updated", id=team.id, name=team.name)
        return auth_pb.UpdateTeamResponse(team=team)

    async def delete_team(self, request: auth_pb.DeleteTeamRequest, call: Call) -> auth_pb.DeleteTeamResponse:
        async with self._changing:
            team = self._team(request.id)
            if team.builtin:
                raise TrackerError(Reason.TEAM_IS_BUILTIN, "the built-in team cannot be deleted")
            gone = StoredAccess(access_pb.Access(id=f"team:{team.id}"), b"")
            await self._directory.modify(gone.record.id, lambda _: gone)  # from now on it gives nothing
            now = timestamp(self._context.now())
            for key in list(self._directory.api_keys.values()):
                if key.team_id == team.id and key.revoked_at is None:
                    await self._directory.modify(f"apikey:{key.id}", lambda there: _revoked(there, now))
            for user in list(self._directory.users.values()):
                if team.id in user.team_ids:
                    await self._directory.modify(f"user:{user.id}", lambda there: _detached(there, team.id))
        self._context.report(call, "team deleted", id=team.id, name=team.name)
        return auth_pb.DeleteTeamResponse()

    async def _put(self, team: auth_pb.Team) -> None:
        stored = StoredAccess(access_pb.Access(id=f"team:{team.id}", team=team), b"")
        try:
            await self._directory.modify(stored.record.id, lambda _: stored)
        except NameTakenError:
            raise _team_exists() from None

    def _team(self, team_id: str) -> auth_pb.Team:
        team = self._directory.teams.get(team_id)
        if team is None:
            raise TrackerError(Reason.TEAM_NOT_FOUND, "team not found")
        return team

    def _teams_of(self, ids: Iterable[str]) -> list[str]:
        found = sorted(set(ids))
        if not set(found) <= set(self._directory.teams):
            raise TrackerError(Reason.TEAM_NOT_FOUND, "one of the teams does not exist")
        return found

    def _require_free_name(self, team: auth_pb.Team) -> None:
        others = (each for each in self._directory.teams.values() if each.id != team.id)
        if any(each.name.lower() == team.name.lower() for each in others):
            raise _team_exists()


def _fill(team: auth_pb.Team, request: _T) -> None:
    """Set the fields of a team from a request."""
    name, services = request.name.strip(), trimmed(request.scope_services)
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise unfit("name", "team name must be 1 to 64 characters")
    team.name, team.description = name, request.description
    team.permissions = known_permissions(request.permissions)
    team.scope_all = request.scope_all or not services
    team.scope_services = [] if team.scope_all else services
    team.oidc_groups = trimmed(request.oidc_groups)
    team.scope_environments = trimmed(request.scope_environments)
    team.scope_teams = trimmed(request.scope_teams)


def _revoked(stored: StoredAccess | None, at: Timestamp) -> StoredAccess:
    if stored is None or (record := copy.deepcopy(stored.record)).api_key is None:
        raise LookupError("keys are never deleted")
    if record.api_key.revoked_at is None:
        record.api_key.revoked_at = at
    return StoredAccess(record, stored.secret_hash)


def _detached(stored: StoredAccess | None, team_id: str) -> StoredAccess:
    if stored is None or (record := copy.deepcopy(stored.record)).user is None:
        raise LookupError("users are never deleted")
    record.user.team_ids = [each for each in record.user.team_ids if each != team_id]
    return StoredAccess(record, stored.secret_hash)


def _user_exists() -> TrackerError:
    return TrackerError(Reason.USER_EXISTS, "user already exists")


def _team_exists() -> TrackerError:
    return TrackerError(Reason.TEAM_EXISTS, "team already exists")
