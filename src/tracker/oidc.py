"""The parts of a server that need the extra `oidc`: CI jobs and people whom other servers identify."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tracker.api.calls.job_tokens import JobTokens
from tracker.identity.issuers import Issuer, keep_fresh
from tracker.identity.job_rules import read_job_rules
from tracker.services.access.jobs import CiJobs

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from tracker.api.calls.access import Authenticator
    from tracker.config.settings import Settings
    from tracker.services.context import Clock
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
        if settings.auth_jobs_file is not None:
            jobs = CiJobs(read_job_rules(settings.auth_jobs_file), self._issuer, clock.now)
            self.authenticators.append(JobTokens(jobs))

    def open(self, tasks: Supervisor, opened: AsyncExitStack) -> None:
        """Keep the keys of issuers fresh until the server stops."""
        for issuer in self._issuers.values():
            opened.push_async_callback(issuer.close)
        tasks.repeat("issuer_keys", partial(keep_fresh, list(self._issuers.values())), max_pause=60.0)
        opened.push_async_callback(tasks.stop, "issuer_keys")

    def _issuer(self, url: str) -> Issuer:
        return self._issuers.setdefault(url, Issuer(url, self._clock.elapsed))
