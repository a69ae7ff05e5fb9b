"""The deployment service of a server, put together from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.deployments import CustomRule
from tracker.domain.environments import environment_in, environment_key
from tracker.domain.query.lexer import QueryError
from tracker.domain.query.text import parse
from tracker.errors import SetupError
from tracker.permissions import Permission
from tracker.services.deployments import DeploymentPolicy, DeploymentService, for_service
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.config.settings import Settings
    from tracker.domain.access import Principal
    from tracker.services.context import Context
    from tracker.stores.base import Store
    from tracker.time_text import Clock

_MOST_APPROVALS = 20


def open_deployments(
    settings: Settings, store: Store, context: Context, anonymous: Principal, person_of: Callable[[str], str]
) -> DeploymentService:
    """Return the deployment service; `person_of` returns the id of who is behind a principal.

    Raises:
        SetupError: A setting can't be used.
    """
    policy = policy_of(settings, context.query_clock(), anonymous)
    return DeploymentService(store, context, policy, person_of)


def policy_of(settings: Settings, clock: Clock, anonymous: Principal) -> DeploymentPolicy:
    """Return what the settings say of deployments.

    Raises:
        SetupError: A setting can't be used.
    """
    for name in settings.deployment_order:
        environment_in("DEPLOYMENT_ORDER", name)
    return DeploymentPolicy(
        approvals=_approvals(settings.deployment_approvals),
        approval_micros=round(settings.deployment_approval_ttl * MICROS),
        anonymous_approve=anonymous.may(Permission.DEPLOYMENT_APPROVE),
        order=settings.deployment_order,
        rules=_rules(settings.deployment_rules, clock),
    )


def _approvals(words: Sequence[str]) -> Mapping[str, int]:
    """Return how many persons must approve, by environment, from words such as `production=2`."""
    found = {}
    for word in words:
        name, _, count = word.partition("=")
        if not name.strip() or not count.strip().isdecimal() or not 0 < int(count) <= _MOST_APPROVALS:
            raise SetupError(
                f"DEPLOYMENT_APPROVALS: expected ENVIRONMENT=1 up to {_MOST_APPROVALS}, got {word!r}"
            )
        environment_in("DEPLOYMENT_APPROVALS", name)
        found[environment_key(name)] = int(count)
    return found


def _rules(text: str, clock: Clock) -> Sequence[CustomRule]:
    """Return the rules of a text such as `title: query; title: query`."""
    rules = []
    for part in filter(str.strip, text.split(";")):
        title, colon, query = (each.strip() for each in part.partition(": "))
        try:
            if not colon or not title or not query:
                raise SetupError(f"DEPLOYMENT_RULES: expected `title: query`, got {part.strip()!r}")
            parse(for_service(query, "service", "production"), clock)
        except QueryError as error:
            raise SetupError(f"DEPLOYMENT_RULES: {title}: {error}") from None
        rules.append(CustomRule(title, query))
    return rules
