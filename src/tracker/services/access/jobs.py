"""CI jobs, who show an id token of their CI system in place of a secret."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.domain.jobs import principal_of_job, shown_claims
from tracker.errors import Reason, TrackerError, invalid_credentials
from tracker.identity.id_tokens import LEEWAY, issuer_of, verified_claims
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracker.domain.access import Principal
    from tracker.domain.jobs import JobRule
    from tracker.identity.issuers import KeySource


class CiJobs:
    """Knows which jobs may do what, by rules."""

    def __init__(
        self, rules: Iterable[JobRule], issuer: Callable[[str], KeySource], now: Callable[[], int]
    ) -> None:
        """Take the rules; `issuer` returns the issuer at an address, `now` microseconds since the epoch."""
        self._rules: dict[str, list[JobRule]] = defaultdict(list)
        for rule in rules:
            self._rules[rule.issuer].append(rule)
        self._issuers = {url: issuer(url) for url in self._rules}
        self._now = now

    async def principal_with(self, token: str) -> Principal:
        """Return the principal of a job that shows a token.

        Raises:
            TrackerError: UNAUTHENTICATED; UNAVAILABLE, where the keys of the issuer are not known.
        """
        url = issuer_of(token)
        rules: Sequence[JobRule] = self._rules.get(url or "", ())
        if url is None or not rules:
            raise invalid_credentials()
        claims = await verified_claims(
            token, self._issuers[url], {rule.audience for rule in rules}, self._now
        )
        principal = principal_of_job(rules, claims)
        if principal is None:
            shown = shown_claims(claims)
            raise TrackerError(
                Reason.INVALID_CREDENTIALS, f"no rule for jobs applies to a token with {shown}"
            )
        return replace(principal, expires_at=(float(str(claims["exp"])) + LEEWAY) * MICROS)
