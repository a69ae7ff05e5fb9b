"""The parts of a server that need the extra `oidc`: CI jobs and people whom other servers identify."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tracker.api.calls.job_tokens import JobTokens
from tracker.api.single_sign_on import CALLBACK, SingleSignOnRoutes
from tracker.errors import SetupError
from tracker.identity.issuers import Issuer, is_safe, keep_fresh
from tracker.identity.job_rules import read_job_rules
from tracker.services.access.jobs import CiJobs
from tracker.services.access.sso import OidcClient, SingleSignOn

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from tracker.api.calls.access import Authenticator
    from tracker.api.login import Cookies
    from tracker.api.routes import HttpRoute
    from tracker.config.settings import Settings
    from tracker.services.access.administrators import Administrators
    from tracker.services.access.directory import Directory
    from tracker.services.access.logins import LoginObserver
    from tracker.services.access.sessions import Sessions
    from tracker.services.context import Clock, Context
    from tracker.supervision import Supervisor


class Oidc:
    """What a server knows of issuers of id tokens."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Read the rules for jobs.

        Raises:
            SetupError: The file with the rules can't be read, or a rule is wrong.
        """
        self._clock = clock
        self._issuers: dict[str, Issuer] = {}
        self.authenticators: list[Authenticator] = []
        self.routes: list[HttpRoute] = []
        if settings.auth_jobs_file is not None:
            jobs = CiJobs(read_job_rules(settings.auth_jobs_file), self._issuer, clock.now)
            self.authenticators.append(JobTokens(jobs))

    def let_people_in(
        self,
        settings: Settings,
        parts: tuple[Directory, Administrators, Sessions, Context, LoginObserver],
        cookies: Cookies,
    ) -> None:
        """Add the routes of the identity provider that the settings name.

        Raises:
            SetupError: A setting is missing or wrong.
        """
        sso = SingleSignOn(self._issuer(settings.auth_oidc_issuer), client_of(settings), *parts)
        self.routes.extend(SingleSignOnRoutes(sso, cookies).routes())

    def open(self, tasks: Supervisor, opened: AsyncExitStack) -> None:
        """Keep the keys of issuers fresh until the server stops."""
        for issuer in self._issuers.values():
            opened.push_async_callback(issuer.close)
        tasks.repeat("issuer_keys", partial(keep_fresh, list(self._issuers.values())), max_pause=60.0)
        opened.push_async_callback(tasks.stop, "issuer_keys")

    def _issuer(self, url: str) -> Issuer:
        return self._issuers.setdefault(url, Issuer(url, self._clock.elapsed))


def client_of(settings: Settings) -> OidcClient:
    """Return what this server is to the identity provider.

    Raises:
        SetupError: A setting is missing or wrong.
    """
    public, secret = settings.auth_public_url.rstrip("/"), settings.auth_oidc_client_secret
    if not settings.auth_oidc_client_id or secret is None:
        raise SetupError("AUTH_OIDC_ISSUER needs AUTH_OIDC_CLIENT_ID and AUTH_OIDC_CLIENT_SECRET")
    if not is_safe(settings.auth_oidc_issuer):
        raise SetupError("AUTH_OIDC_ISSUER: expected an address with https")
    if not is_safe(public) or urlsplit(public).path:
        message = "expected the address of this server with https, without a path"
        raise SetupError(f"AUTH_OIDC_ISSUER needs AUTH_PUBLIC_URL: {message}")
    return OidcClient(
        settings.auth_oidc_client_id,
        secret,
        public + CALLBACK,
        settings.auth_oidc_scopes,
        settings.auth_oidc_groups_claim,
        settings.auth_oidc_username_claim,
        settings.auth_oidc_user_provisioning,
        settings.auth_oidc_team_sync,
    )
