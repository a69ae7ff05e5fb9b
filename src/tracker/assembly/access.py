"""The access control of a server, put together from its parts: who calls, who may, and TLS."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING, Self

from tracker.api.calls.credentials import ApiKeys
from tracker.api.calls.proxy_identities import ProxyIdentities
from tracker.api.calls.rates import CallRates
from tracker.api.calls.session_tokens import SessionTokens
from tracker.api.login import Cookies, LoginRoutes
from tracker.api.tls import Tls
from tracker.domain.access import PrincipalKind, anonymous
from tracker.domain.people import principal_of_user
from tracker.errors import SetupError, TrackerError, invalid_credentials
from tracker.permissions import ALL_PERMISSIONS, Permission
from tracker.services.access.administrators import Administrators
from tracker.services.access.attempts import FailedAttempts
from tracker.services.access.directory import Directory
from tracker.services.access.logins import Logins
from tracker.services.access.own_keys import OwnKeys
from tracker.services.access.own_sessions import OwnSessionsService
from tracker.services.access.people import PeopleService
from tracker.services.access.service import AuthService, OpenTo
from tracker.services.access.sessions import Sessions

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from contextlib import AsyncExitStack

    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.access import Authenticator
    from tracker.api.calls.steps import OpenStreams
    from tracker.assembly.oidc import Oidc
    from tracker.config.settings import Settings
    from tracker.domain.access import Principal
    from tracker.services.access.logins import LoginObserver
    from tracker.services.context import Call, Clock, Context
    from tracker.stores.access import AccessStore
    from tracker.supervision import Supervisor

_REVOKED_WITHIN = 0.5
"""Seconds after which a stream whose credentials were revoked here has ended."""


class AccessControl:
    """Who may do what on a server.

    `authenticators` recognize credentials, `anonymous` is who has none. `service` answers RPCs. `first_key`
    is a new key that may do everything, for the operator, where nobody could manage access otherwise.
    """

    first_key: str | None = None

    def __init__(
        self, settings: Settings, store: AccessStore, context: Context, observer: LoginObserver
    ) -> None:
        self._settings = settings
        permissions = settings.auth_anonymous_permissions
        self.anonymous = anonymous(ALL_PERMISSIONS if permissions is None else permissions)
        self.attempts = FailedAttempts()
        self.directory = Directory(store, context)
        self.keys = ApiKeys(self.directory)
        label = settings.auth_oidc_button_label if settings.auth_oidc_issuer else ""
        own = OwnKeys(self.directory, settings.auth_own_token_max_days)
        open_to = OpenTo(self.anonymous, settings.demo_mode, label)
        self.service = AuthService(self.directory, context, own, open_to)
        administrators = Administrators(self.directory)
        self.people = PeopleService(self.directory, administrators, context)
        self.authenticators: Sequence[Authenticator] = ()
        self.sessions = Sessions(self.directory, context, settings.auth_session_ttl)
        self.own_sessions = OwnSessionsService(self.sessions, context)
        self._logins = Logins(self.directory, self.sessions, context, self.attempts, observer)
        secure = settings.auth_cookie_secure or settings.auth_public_url.startswith("https:")
        secure = secure or settings.tls_cert is not None
        self._cookies = Cookies(secure=secure)
        self.login = LoginRoutes(self._logins, self.sessions, self._cookies, label)
        self.routes = [*self.login.routes()]
        self._proxies: ProxyIdentities | None = None
        self._for_people = (self.directory, administrators, self.sessions, context, observer)

    async def open(
        self, clock: Clock, tasks: Supervisor, streams: OpenStreams, opened: AsyncExitStack
    ) -> Self:
        """Read who may do what, and follow its changes; return itself.

        Raises:
            SetupError: A file that a setting names can't be used, or an extra is not installed.
        """
        await self.directory.open()
        for name, work in (
            ("access_records", self.directory.follow),
            ("access_uses", self.directory.write_uses),
            ("revocations", partial(self._end_revoked, streams)),
        ):
            tasks.repeat(name, work)
            opened.push_async_callback(tasks.stop, name)
        if self._settings.auth_admin_password is not None:
            await self._create_admin(self._settings.auth_admin_password)
        elif not self.anonymous.may(Permission.ACCESS_MANAGE):
            self.first_key = await self.service.create_first_key()
        oidc = _oidc(self._settings, clock)
        if oidc is not None:
            if self._settings.auth_oidc_issuer:
                oidc.let_people_in(self._settings, self._for_people, self._cookies)
                self.routes += oidc.routes
            oidc.open(tasks, opened)
        others: list[Authenticator] = [] if oidc is None else [*oidc.authenticators]
        if self._settings.auth_proxy_user_header:
            self._proxies = self._proxy_identities()
            others.append(self._proxies)
        self.authenticators = (*others, SessionTokens(self.sessions), self.keys)
        return self

    async def _end_revoked(self, streams: OpenStreams) -> None:
        """End the streams whose credentials are no longer valid: one round of a background task."""
        await asyncio.sleep(_REVOKED_WITHIN)
        streams.end_those(lambda call: None if self.is_current(call) else invalid_credentials())

    def principal_named(self, username: str) -> Principal | None:
        """Return the principal of a user who may log in, or None."""
        user = next((each for each in self.directory.users.values() if each.username == username), None)
        return None if user is None or user.disabled else principal_of_user(user, self.directory.teams)

    def is_current(self, call: Call) -> bool:
        """Return whether the credentials of a call under way are still valid, and give it what it has."""
        if call.session:
            return self.sessions.principal_now(call.session) == call.principal
        if self._proxies is not None and call.principal.kind is PrincipalKind.USER:
            return self._proxies.principal_of(call) == call.principal
        return self.directory.is_current(call.principal)

    def _proxy_identities(self) -> ProxyIdentities:
        if not self._settings.trusted_proxies:
            raise SetupError(
                "AUTH_PROXY_USER_HEADER needs TRUSTED_PROXIES: whoever is not in it is not believed"
            )
        headers = self._settings.auth_proxy_user_header, self._settings.auth_proxy_groups_header
        return ProxyIdentities(self.directory, *headers)

    async def _create_admin(self, password: str) -> None:
        try:
            await self._logins.create_admin(password)
        except TrackerError as error:
            raise SetupError(f"AUTH_ADMIN_PASSWORD: {error.message}") from None


def call_rates(settings: Settings) -> CallRates | None:
    """Return the rates of callers, or None where there are none."""
    if not settings.rate_limit_enabled:
        return None
    return CallRates(settings.rate_limit_requests_per_second, settings.rate_limit_burst)


def open_tls(
    settings: Settings, tasks: Supervisor, log: FilteringBoundLogger, opened: AsyncExitStack
) -> Callable[..., ssl.SSLContext | None]:
    """Return what makes the TLS context of each server: None, where there is no certificate.

    Raises:
        OSError: The files can't be used.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        if settings.tls_cert or settings.tls_key or settings.tls_client_ca:
            raise OSError(0, "TLS needs both TLS_CERT and TLS_KEY")
        return lambda *_, **__: None
    tls = Tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca, log)
    tasks.repeat("tls_files", tls.follow)
    opened.push_async_callback(tasks.stop, "tls_files")
    return tls.context


def _oidc(settings: Settings, clock: Clock) -> Oidc | None:
    """Return what needs the extra `oidc`, if the settings ask for some of it.

    Raises:
        SetupError: The extra is not installed, or a file that a setting names can't be used.
    """
    if settings.auth_jobs_file is None and not settings.auth_oidc_issuer:
        return None
    try:
        from tracker.assembly import oidc  # noqa: PLC0415 - an extra, which may be missing
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "joserfc":
            raise
        install = f"{sys.executable} -m pip install 'joserfc>=1.8'"
        named = "AUTH_OIDC_ISSUER" if settings.auth_jobs_file is None else "AUTH_JOBS_FILE"
        raise SetupError(f"{named} is set, and joserfc is not installed: {install}") from None
    return oidc.Oidc(settings, clock)
