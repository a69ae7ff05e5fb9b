"""CI jobs: which id tokens a rule applies to, and what their bearers may do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracker.domain.access import Principal, PrincipalKind, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tracker.domain.access import Grant

GITHUB: Final = ("repository_id", "repository_owner_id", "enterprise_id")
GITLAB: Final = ("project_id", "namespace_id")
"""Claims that stay the same when a project is renamed or transferred, or its name is taken by another."""

_SUBJECTS = ("repository_id", "project_id", "sub")
"""Claims that can be the subject of a principal, in this order."""
_NAMES = ("repository", "project_path", "sub")
"""Claims that can be its name for people."""
_SHOWN = (*GITHUB, *GITLAB, "environment", "ref", "sub")
_SHOWN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class JobRule:
    """A rule that gives the jobs of a CI system a grant.

    Each of `claims` must have one of the values. With `environment_claim`, the grant is narrowed to the
    environment that this claim names; a token without it does not meet the rule.
    """

    name: str
    issuer: str
    audience: str
    claims: Mapping[str, AbstractSet[str]]
    grant: Grant
    environment_claim: str = ""

    def grant_for(self, claims: Mapping[str, object]) -> Grant | None:
        """Return what the bearer of a verified token is granted, or None where the rule does not apply."""
        if not self._applies(claims):
            return None
        if not self.environment_claim:
            return self.grant
        environment = text_of(claims.get(self.environment_claim))
        if not environment or set(environment) & set("*?["):  # would be a pattern
            return None
        scope = self.grant.scope
        if not Scope(environments=scope.environments).covers("", environment, ""):
            return None
        return replace(self.grant, scope=replace(scope, environments=(environment,)))

    def _applies(self, claims: Mapping[str, object]) -> bool:
        audience = claims.get("aud")
        return (
            claims.get("iss") == self.issuer
            and self.audience in (audience if isinstance(audience, list) else [audience])
            and all(text_of(claims.get(name)) in values for name, values in self.claims.items())
        )


def principal_of_job(rules: Sequence[JobRule], claims: Mapping[str, object]) -> Principal | None:
    """Return the principal of a job by the claims of its verified token; None where no rule applies.

    The grants of all rules that apply add up; the first of them is in the id.
    """
    met = [(rule, grant) for rule in rules if (grant := rule.grant_for(claims)) is not None]
    if not met:
        return None
    subject, name = (_first(claims, names) for names in (_SUBJECTS, _NAMES))
    grants = tuple(grant for _, grant in met)
    return Principal(f"job:{met[0][0].name}:{subject}", PrincipalKind.JOB, name, grants)


def shown_claims(claims: Mapping[str, object]) -> str:
    """Return the claims of a token that rules are about, for the one who writes them."""
    shown = ((name, text_of(claims.get(name))) for name in _SHOWN)
    return ", ".join(f"{name}={value[:_SHOWN_LENGTH]}" for name, value in shown if value)


def _first(claims: Mapping[str, object], names: Sequence[str]) -> str:
    return next((text for name in names if (text := text_of(claims.get(name)))), "")


def text_of(value: object) -> str:
    """Return a claim as text: GitLab writes ids and truth values as strings. A list or an object is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""
