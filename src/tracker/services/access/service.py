"""The auth service: API keys, and who the caller is."""

from __future__ import annotations

import copy
import secrets
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.access import PrincipalKind
from tracker.domain.api_keys import is_valid, new_secret
from tracker.domain.times import duration_micros, micros, timestamp
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import access_pb, auth_pb
from tracker.permissions import ALL_PERMISSIONS, Permission
from tracker.services.access.words import known_permissions, unfit
from tracker.stores.access import StoredAccess
from tracker.time_text import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from protobuf.wkt import Timestamp

    from tracker.domain.access import Principal
    from tracker.services.access.directory import Directory
    from tracker.services.access.own_keys import OwnKeys
    from tracker.services.context import Call, Context

VALID_FOR = 90 * DAY
"""How long a key is valid whose creator does not say."""
_OVERLAP = DAY
FIRST_KEY = "0" * 24
"""Id of the key of the first start: of several servers that start at once, one makes it."""


class OpenTo(NamedTuple):
    """What a server offers without a login: the rights of anybody, and the label of a provider."""

    anonymous: Principal
    demo_mode: bool
    oidc_label: str


class AuthService:
    """Answers `tracker.auth.v1alpha1.AuthService`."""

    def __init__(self, directory: Directory, context: Context, own: OwnKeys, open_to: OpenTo) -> None:
        self._directory = directory
        self._context = context
        self._own = own
        self._open_to = open_to

    async def get_auth_config(
        self, _request: auth_pb.GetAuthConfigRequest, _call: Call
    ) -> auth_pb.GetAuthConfigResponse:
        return auth_pb.GetAuthConfigResponse(
            local_login_enabled=any(
                user.source == "local" and not user.disabled for user in self._directory.users.values()
            ),
            oidc_enabled=bool(self._open_to.oidc_label),
            oidc_button_label=self._open_to.oidc_label,
            anonymous_permissions=_permissions(self._open_to.anonymous),
            demo_mode=self._open_to.demo_mode,
        )

    async def me(self, _request: auth_pb.MeRequest, call: Call) -> auth_pb.MeResponse:
        principal = call.principal
        scopes = [grant.scope for grant in principal.grants]
        key = self._directory.api_keys.get(principal.id.partition(":")[2])
        is_user = principal.kind is PrincipalKind.USER
        user = self._directory.users.get(principal.id.partition(":")[2]) if is_user else None
        user, known = user or auth_pb.User(), self._directory.teams
        teams = [auth_pb.TeamRef(id=each, name=known[each].name) for each in user.team_ids if each in known]
        return auth_pb.MeResponse(
            authenticated=not principal.is_anonymous,
            kind=principal.kind,
            user_id=user.id,
            username=user.username,
            source=user.source,
            teams=teams,
            must_change_password=user.must_change_password,
            display_name="" if principal.is_anonymous else principal.name,
            permissions=_permissions(principal),
            scope_all=any(scope.is_whole for scope in scopes),
            scope_services=sorted({each for scope in scopes for each in scope.services}),
            scope_environments=sorted({each for scope in scopes for each in scope.environments}),
            scope_teams=sorted({each for scope in scopes for each in scope.teams}),
            is_admin=principal.may(Permission.ACCESS_MANAGE),
            expires_at=key.expires_at if key and principal.kind is PrincipalKind.API_KEY else None,
            principal=principal.id,
        )

    async def list_api_keys(
        self, request: auth_pb.ListApiKeysRequest, call: Call
    ) -> auth_pb.ListApiKeysResponse:
        now = self._context.now()
        own = request.own or not call.principal.may(Permission.ACCESS_MANAGE)
        keys = self._own.of(call.principal) if own else self._directory.api_keys.values()
        keys = [key for key in keys if request.all or is_valid(key, now)]
        keys.sort(key=lambda key: (micros(key.created_at) if key.created_at else 0, key.id), reverse=True)
        return auth_pb.ListApiKeysResponse(api_keys=keys)

    async def create_api_key(
        self, request: auth_pb.CreateApiKeyRequest, call: Call
    ) -> auth_pb.CreateApiKeyResponse:
        self._check(request, call)
        key = auth_pb.ApiKey(
            id=secrets.token_hex(12),
            name=request.name.strip(),
            team_id=request.team_id,
            permissions=known_permissions(request.permissions),
            services=list(request.services),
            environments=list(request.environments),
            teams=list(request.teams),
            expires_at=self._expiry(request.expires_at, own=request.own),
        )
        if request.own:
            self._own.require(key, call, self._context.now())
        secret, key = await self._store(key, call.principal.id)
        self._context.report(call, "api key created", id=key.id, name=key.name)
        return auth_pb.CreateApiKeyResponse(api_key=key, secret=secret)

    def _check(self, request: auth_pb.CreateApiKeyRequest, call: Call) -> None:
        """Check whose permissions a new key has: its own, those of a team, or all."""
        if not request.own:
            call.require(Permission.ACCESS_MANAGE)
        if request.team_id:
            if (
                request.own
                or request.permissions
                or request.services
                or request.environments
                or request.teams
            ):
                text = "a key has the permissions of its team or its own, not both"
                raise invalid(FieldViolation("team_id", text))
            if request.team_id not in self._directory.teams:
                raise TrackerError(Reason.TEAM_NOT_FOUND, "one of the teams does not exist")
        elif not request.own and not request.permissions and not _may_all(call.principal):
            text = "only administrators can create global api keys"
            raise TrackerError(Reason.PERMISSION_REQUIRED, text)

    async def rotate_api_key(
        self, request: auth_pb.RotateApiKeyRequest, call: Call
    ) -> auth_pb.RotateApiKeyResponse:
        now = self._context.now()
        ends = now + (_OVERLAP if request.overlap is None else duration_micros(request.overlap))
        old = self._valid(request.id, call)
        new = copy.deepcopy(old)
        new.id, new.last_used_at = secrets.token_hex(12), None
        new.expires_at = self._expiry(request.expires_at, own=bool(old.holder))
        self._own.require_end(new, self._context.now())
        secret, new = await self._store(new, call.principal.id)

        def expire(key: auth_pb.ApiKey) -> None:
            if key.expires_at is None or ends < micros(key.expires_at):
                key.expires_at = timestamp(ends)

        replaced = await self._change(old.id, expire)
        self._context.report(call, "api key rotated", id=old.id, name=old.name, new_id=new.id)
        return auth_pb.RotateApiKeyResponse(api_key=new, secret=secret, replaced=replaced)

    async def revoke_api_key(
        self, request: auth_pb.RevokeApiKeyRequest, call: Call
    ) -> auth_pb.RevokeApiKeyResponse:
        now = self._context.now()

        def revoke(key: auth_pb.ApiKey) -> None:
            key.revoked_at = timestamp(now)

        key = await self._change(self._valid(request.id, call).id, revoke)
        self._context.report(call, "api key revoked", id=key.id, name=key.name)
        return auth_pb.RevokeApiKeyResponse()

    async def create_first_key(self) -> str | None:
        """Create a key that may do everything, unless a valid one may manage access; return its secret.

        Of several servers that start at once, one creates it; the others return None.
        """
        if self._directory.has_administrator():
            return None
        key = auth_pb.ApiKey(id=FIRST_KEY, name="administrator", expires_at=self._expiry(None))
        secret, stored = await self._store(key, "")
        return secret if stored.prefix == secret[: len(stored.prefix)] else None

    async def _store(self, key: auth_pb.ApiKey, creator: str) -> tuple[str, auth_pb.ApiKey]:
        """Store a new key, unless a valid one has its id; return its secret, and the key that is stored."""
        now = self._context.now()
        made = new_secret()
        key.prefix, key.created_by, key.created_at = made.prefix, creator, timestamp(now)
        record = access_pb.Access(id=f"apikey:{key.id}", api_key=key)

        def create(there: StoredAccess | None) -> StoredAccess:
            if there is not None and there.record.api_key and is_valid(there.record.api_key, now):
                return there
            return StoredAccess(record, made.secret_hash)

        stored = await self._directory.modify(record.id, create)
        return made.secret, stored.record.api_key or key

    async def _change(self, key_id: str, change: Callable[[auth_pb.ApiKey], None]) -> auth_pb.ApiKey:
        """Change a valid key."""

        def changed(stored: StoredAccess | None) -> StoredAccess:
            record = None if stored is None else copy.deepcopy(stored.record)
            if stored is None or record is None or record.api_key is None:
                raise _not_found()
            if not is_valid(record.api_key, self._context.now()):
                raise _not_found()
            change(record.api_key)
            return StoredAccess(record, stored.secret_hash)

        stored = await self._directory.modify(f"apikey:{key_id}", changed)
        return stored.record.api_key or auth_pb.ApiKey()

    def _valid(self, key_id: str, call: Call) -> auth_pb.ApiKey:
        """Return a valid key that the caller may change."""
        key = self._directory.api_keys.get(key_id)
        if key is None or not is_valid(key, self._context.now()):
            raise _not_found()
        if key.holder != call.principal.known_id and not call.principal.may(Permission.ACCESS_MANAGE):
            raise _not_found()
        return key

    def _expiry(self, given: Timestamp | None, *, own: bool = False) -> Timestamp:
        now = self._context.now()
        if given is None:
            return timestamp(now + (self._own.usual_end(VALID_FOR) if own else VALID_FOR))
        if micros(given) <= now:
            raise unfit("expires_at", "expiresAt must be in the future")
        return given


def _may_all(principal: Principal) -> bool:
    return all(principal.scopes(each) is None for each in ALL_PERMISSIONS)


def _permissions(principal: Principal) -> list[str]:
    return sorted({permission for grant in principal.grants for permission in grant.permissions})


def _not_found() -> TrackerError:
    return TrackerError(Reason.API_KEY_NOT_FOUND, "active api key not found")
