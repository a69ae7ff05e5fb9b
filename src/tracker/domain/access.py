"""Who may do what: permissions, what a grant is narrowed to, and principals."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final

from tracker.domain.environments import environment_key
from tracker.domain.query.matching import fits
from tracker.domain.query.tree import Pattern
from tracker.permissions import ALL_PERMISSIONS, Permission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


NARROWABLE: Final = frozenset(
    {
        Permission.EVENT_READ,
        Permission.EVENT_WRITE,
        Permission.CATALOG_READ,
        Permission.CATALOG_WRITE,
        Permission.LOCK_READ,
        Permission.LOCK_WRITE,
        Permission.LOCK_FORCE,
        Permission.STATE_READ,
        Permission.STATE_WRITE,
        Permission.FREEZE_READ,
        Permission.FREEZE_WRITE,
        Permission.DEPLOYMENT_APPROVE,
        Permission.DEPLOYMENT_OVERRIDE,
    }
)
"""Permissions that a narrowed grant gives; what the others are for belongs to no service."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a grant is narrowed to: patterns of services, environments and teams, with `*` for any text.

    Without patterns, it is not narrowed to any. A record that has no service, environment or team is outside
    of what is narrowed to some. Environments are compared as locks compare them, so that `prod` stands for
    `production`.
    """

    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it excludes nothing."""
        return not (self.services or self.environments or self.teams)

    def covers(self, service: str, environment: str, team: str) -> bool:
        """Return whether a record of this service, environment and team is within the scope."""
        return (
            _matches(service, self.services)
            and self.covers_environment(environment)
            and _matches(team, self.teams)
        )

    def covers_environment(self, environment: str) -> bool:
        """Return whether an environment is one of those of the scope."""
        return _matches(environment_key(environment), [environment_key(each) for each in self.environments])

    def common(self, other: Scope) -> Scope | None:
        """Return what is within both scopes, or None if that is nothing.

        Of two patterns, the one within the other counts, and neither if they only overlap.
        """
        services = _common(self.services, other.services)
        environments = _common(self.environments, other.environments, environment_key)
        teams = _common(self.teams, other.teams)
        if services is None or environments is None or teams is None:
            return None
        return Scope(services, environments, teams)


def _common(
    first: Sequence[str], second: Sequence[str], key: Callable[[str], str] = str
) -> tuple[str, ...] | None:
    if not first or not second:
        return (*first, *second)
    found = {
        narrow
        for one, other in product(first, second)
        for narrow, wide in ((one, other), (other, one))
        if narrow and wide and fits(glob(key(wide)), key(narrow))  # a `*` fits nothing but a `*`
    }
    return tuple(sorted(found)) or None


def _matches(value: str, patterns: Sequence[str]) -> bool:
    """Return whether a value fits one of some patterns, if there are any; an empty value fits only `*`."""
    return not patterns or any(each and fits(glob(each), value) for each in patterns)


@lru_cache(maxsize=1024)
def glob(pattern: str) -> Pattern:
    """Return a pattern whose `*` stands for any text."""
    first, *others = pattern.split("*")
    return Pattern((first, *filter(None, others[:-1]), *others[-1:]))


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions, and what they are narrowed to."""

    permissions: frozenset[Permission]
    scope: Scope = field(default_factory=Scope)


class PrincipalKind(StrEnum):
    """Where a principal comes from; `tracker_auth_requests_total` counts by it."""

    ANONYMOUS = "anonymous"
    API_KEY = "apikey"
    JOB = "job"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call.

    `id` is `anonymous`, `apikey:ID`, `job:RULE:SUBJECT` or `user:ID`; it is stored with changes. `name` is
    for people. The grants of several teams add up. Streams end when its credentials expire (microseconds
    since the epoch).
    """

    id: str
    kind: PrincipalKind
    name: str
    grants: tuple[Grant, ...]
    expires_at: float | None = None
    _scopes: Mapping[Permission, tuple[Scope, ...] | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scopes", _scopes(self.grants))

    @property
    def is_anonymous(self) -> bool:
        """Whether the caller has no credentials."""
        return self.kind is PrincipalKind.ANONYMOUS

    @property
    def known_id(self) -> str:
        """The id, or nothing for callers without credentials, who may be anybody."""
        return "" if self.is_anonymous else self.id

    def may(self, permission: Permission) -> bool:
        """Return whether a grant has a permission, for whatever it is narrowed to."""
        return permission in self._scopes

    def scopes(self, permission: Permission) -> tuple[Scope, ...] | None:
        """Return what a permission is narrowed to, or None if it is not narrowed; nothing without it."""
        return self._scopes.get(permission, ())

    def may_touch(
        self, permission: Permission, service: str = "", environment: str = "", team: str = ""
    ) -> bool:
        """Return whether a permission holds for a record of this service, environment and team."""
        scopes = self._scopes.get(permission, ())
        return scopes is None or any(scope.covers(service, environment, team) for scope in scopes)


def _scopes(grants: Sequence[Grant]) -> Mapping[Permission, tuple[Scope, ...] | None]:
    """Return what each permission of some grants is narrowed to; None is not narrowed."""
    scopes: dict[Permission, tuple[Scope, ...] | None] = {}
    for grant in grants:
        for permission in grant.permissions:
            narrowed = scopes.get(permission, ())
            if grant.scope.is_whole or narrowed is None:
                scopes[permission] = None
            elif permission in NARROWABLE:
                scopes[permission] = (*narrowed, grant.scope)
    return scopes


def common_grants(grants: Sequence[Grant], holder: Principal) -> tuple[Grant, ...]:
    """Return what is granted by some grants and to a holder too."""
    found: dict[Scope, set[Permission]] = {}
    for permission, narrowed in _scopes(grants).items():
        held = holder.scopes(permission)
        whole = (Scope(),)
        for one, other in product(whole if narrowed is None else narrowed, whole if held is None else held):
            if (scope := one.common(other)) is not None:
                found.setdefault(scope, set()).add(permission)
    ordered = sorted(found.items(), key=lambda each: (each[0].services, each[0].environments, each[0].teams))
    return tuple(Grant(frozenset(permissions), scope) for scope, permissions in ordered)


def anonymous(permissions: Iterable[Permission]) -> Principal:
    """Return the principal of callers without credentials."""
    return Principal("anonymous", PrincipalKind.ANONYMOUS, "anonymous", (Grant(frozenset(permissions)),))


ANONYMOUS = anonymous(ALL_PERMISSIONS)
"""The caller without credentials of a server that listens on loopback addresses alone."""
