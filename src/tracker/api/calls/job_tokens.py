"""The credentials of CI jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.identity.id_tokens import is_token

if TYPE_CHECKING:
    from tracker.domain.access import Principal
    from tracker.services.access.jobs import CiJobs
    from tracker.services.context import Call


class JobTokens:
    """Recognizes the id tokens of CI jobs in `Authorization: Bearer`."""

    headers = ("authorization",)

    def __init__(self, jobs: CiJobs) -> None:
        self._jobs = jobs

    async def authenticate(self, call: Call) -> Principal | None:
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer" or not is_token(given) or "x-api-key" in call.headers:
            return None
        return await self._jobs.principal_with(given)
