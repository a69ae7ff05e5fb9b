"""Logging in at an identity provider: OpenID Connect, by code with PKCE.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
"""

from __future__ import annotations

import copy
import hashlib
import hmac
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote_plus, urlencode

from tracker.domain.api_keys import base64url
from tracker.domain.people import ADMINISTRATORS
from tracker.domain.times import timestamp
from tracker.errors import Reason, TrackerError
from tracker.identity.id_tokens import verified_claims
from tracker.identity.issuers import KeySource
from tracker.pb import access_pb, auth_pb
from tracker.stores.access import NameTakenError, StoredAccess, name_of_user

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tracker.services.access.administrators import Administrators
    from tracker.services.access.directory import Directory
    from tracker.services.access.logins import LoginObserver
    from tracker.services.access.sessions import NewSession, Sessions
    from tracker.services.context import Call, Context

_LONGEST = 64
"""Characters of a user's name."""


class Provider(KeySource, Protocol):
    """An issuer of id tokens, where people log in."""

    async def endpoint(self, name: str) -> str:
        """Return an address that it publishes."""

    async def post(self, url: str, form: Mapping[str, str], credentials: tuple[str, str]) -> object:
        """Send a form with the credentials of a client; return the JSON of the answer."""


@dataclass(frozen=True, slots=True)
class OidcClient:
    """This server as a client of the provider, and what it makes of its users."""

    client_id: str
    secret: str
    redirect_uri: str
    scopes: str
    groups_claim: str
    username_claim: str
    creates_users: bool
    syncs_teams: bool


class LoginFailedError(Exception):
    """Somebody did not get logged in; `word` says why, for the login page."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(eq=False)
class SingleSignOn:
    """Begins and finishes logins.

    Both are given the `secret` of a login, which only its browser knows. State, nonce and code verifier are
    hashes of it, so that any server can finish what another one began.
    """

    _provider: Provider
    _client: OidcClient
    _directory: Directory
    _administrators: Administrators
    _sessions: Sessions
    _context: Context
    _observer: LoginObserver

    async def begin(self, secret: str) -> str:
        """Return the address of the provider at which to log in.

        Raises:
            TrackerError: UNAVAILABLE; the provider can't be asked.
        """
        endpoint = await self._provider.endpoint("authorization_endpoint")
        challenge = base64url(hashlib.sha256(_derived("verifier", secret).encode()).digest())
        scopes = ["openid", *(each for each in self._client.scopes.split() if each != "openid")]
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": " ".join(scopes),
            "state": _derived("state", secret),
            "nonce": _derived("nonce", secret),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def finish(self, call: Call, secret: str, answer: Mapping[str, str]) -> NewSession:
        """Begin a session, by what the provider answered.

        Raises:
            LoginFailedError: There is no session.
        """
        try:
            session = await self._finish(call, secret, answer)
        except LoginFailedError:
            self._observer.login_finished("oidc", "failure")
            raise
        self._observer.login_finished("oidc", "success")
        return session

    async def _finish(self, call: Call, secret: str, answer: Mapping[str, str]) -> NewSession:
        if not secret or not hmac.compare_digest(
            answer.get("state", "").encode(), _derived("state", secret).encode()
        ):
            raise LoginFailedError("oidc_state")
        if "error" in answer:
            raise LoginFailedError("oidc_denied")
        claims = await self._claims(secret, answer.get("code", ""))
        user = await self._user(call, claims)
        self._context.report(call, "logged in", user=user.username)
        return await self._sessions.begin(user.id, call)

    async def _claims(self, secret: str, code: str) -> Mapping[str, object]:
        """Exchange the code for an id token; return its claims."""
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": _derived("verifier", secret),
        }
        credentials = quote_plus(client.client_id), quote_plus(client.secret)  # RFC 6749, 2.3.1
        try:
            endpoint = await self._provider.endpoint("token_endpoint")
            answer = await self._provider.post(endpoint, form, credentials)
        except TrackerError as error:
            self._context.log.warning("login at the identity provider failed", error=error.message)
            raise LoginFailedError("oidc_unavailable") from None
        token = answer.get("id_token") if isinstance(answer, dict) else None
        try:
            if not isinstance(token, str):
                raise LoginFailedError("oidc_failed")
            claims = await verified_claims(token, self._provider, [client.client_id], self._context.now)
        except TrackerError:
            raise LoginFailedError("oidc_failed") from None
        audience = claims.get("aud")
        others = isinstance(audience, list) and len(audience) > 1
        if claims.get("nonce") != _derived("nonce", secret) or (
            (others or "azp" in claims) and claims.get("azp") != client.client_id
        ):
            raise LoginFailedError("oidc_failed")
        return claims

    async def _user(self, call: Call, claims: Mapping[str, object]) -> auth_pb.User:
        """Return the user of a provider's account, created or changed by the claims."""
        subject = str(claims["sub"])
        identity = f"{self._provider.url}\n{subject}".encode()
        user_id = hashlib.sha256(identity).hexdigest()[:24]  # the same on every server
        there = self._directory.users.get(user_id)
        if (there is None and not self._client.creates_users) or (there is not None and there.disabled):
            raise LoginFailedError("oidc_forbidden")
        groups = self._groups(call, claims, there)
        now = timestamp(self._context.now())
        taken = {name_of_user(user.username) for user in self._directory.users.values()}

        def change(stored: StoredAccess | None) -> StoredAccess:
            record = None if stored is None else copy.deepcopy(stored.record)
            if record is None or record.user is None:
                name = _free_name(_text(claims, self._client.username_claim, "email", "sub"), taken)
                user = auth_pb.User(id=user_id, username=name, source="oidc", created_at=now)
                record = access_pb.Access(
                    id=f"user:{user_id}", user=user, issuer=self._provider.url, subject=subject
                )
            user = record.user or auth_pb.User()
            user.email, user.display_name = _text(claims, "email"), _text(claims, "name")
            user.last_login_at = now
            if groups is not None:
                teams = self._teams(user, groups)
                user.team_ids = sorted({*teams, ADMINISTRATORS}) if is_last else teams
            return StoredAccess(record, b"")

        is_last = False
        while True:
            try:
                new = await self._administrators.modify(user_id, change)
            except NameTakenError as error:  # by a user that this server does not know yet
                taken.add(error.name)
            except TrackerError as error:
                if error.reason is not Reason.LAST_ADMINISTRATOR:
                    raise
                is_last = True
            else:
                return new.record.user or auth_pb.User()

    def _groups(
        self, call: Call, claims: Mapping[str, object], user: auth_pb.User | None
    ) -> frozenset[str] | None:
        """Return the groups of a user, or None where they decide nothing."""
        if not self._client.syncs_teams:
            return None
        groups = claims.get(self._client.groups_claim)
        if isinstance(groups, list):
            return frozenset(str(group) for group in groups)
        held = () if user is None else user.team_ids
        teams = self._directory.teams
        if any(each in teams and teams[each].oidc_groups for each in held):
            raise LoginFailedError("oidc_failed")  # else somebody would keep what a group gave
        self._context.log.warning(
            "an id token has no groups", claim=self._client.groups_claim, request_id=call.request_id
        )
        return None

    def _teams(self, user: auth_pb.User, groups: frozenset[str]) -> list[str]:
        teams = self._directory.teams
        mapped = {team.id for team in teams.values() if team.oidc_groups}
        found = [each for each in user.team_ids if each not in mapped]
        found += [team.id for team in teams.values() if groups & {*team.oidc_groups}]
        return found


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, with a number where it is taken."""
    name = name[:_LONGEST]
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(each for each in names if name_of_user(each) not in taken)


def _text(claims: Mapping[str, object], *names: str) -> str:
    """Return the first of some claims that is a text, or nothing."""
    values = (claims.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _derived(purpose: str, secret: str) -> str:
    return base64url(hashlib.sha256(f"{purpose}:{secret}".encode()).digest())
