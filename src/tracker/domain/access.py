"""Who may do what: permissions, what a grant is narrowed to, and principals."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tracker.domain.locks import environment_key
from tracker.permissions import ALL_PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.permissions import Permission


@dataclass(frozen=True, slots=True)
class Scope:
    """What a grant is narrowed to: glob patterns of services, environments and teams; of none, all.

    Environments are compared as locks compare them, so that `prod` stands for `production`.
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
            and _matches(environment_key(environment), map(environment_key, self.environments))
            and _matches(team, self.teams)
        )


def _matches(value: str, patterns: Iterable[str]) -> bool:
    patterns = tuple(patterns)
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


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
    for people. The grants of several teams add up.
    """

    id: str
    kind: PrincipalKind
    name: str
    grants: tuple[Grant, ...]

    @property
    def is_anonymous(self) -> bool:
        """Whether the caller has no credentials."""
        return self.kind is PrincipalKind.ANONYMOUS

    def may(self, permission: Permission) -> bool:
        """Return whether a grant has a permission, for whatever it is narrowed to."""
        return any(permission in grant.permissions for grant in self.grants)

    def scopes(self, permission: Permission) -> tuple[Scope, ...] | None:
        """Return what a permission is narrowed to, or None if one of its grants has the whole scope."""
        scopes = tuple(grant.scope for grant in self.grants if permission in grant.permissions)
        return None if any(scope.is_whole for scope in scopes) else scopes

    def may_touch(
        self, permission: Permission, service: str = "", environment: str = "", team: str = ""
    ) -> bool:
        """Return whether a permission holds for a record of this service, environment and team."""
        scopes = self.scopes(permission)
        return scopes is None or any(scope.covers(service, environment, team) for scope in scopes)


def anonymous(permissions: Iterable[Permission]) -> Principal:
    """Return the principal of callers without credentials."""
    return Principal("anonymous", PrincipalKind.ANONYMOUS, "anonymous", (Grant(frozenset(permissions)),))


ANONYMOUS = anonymous(ALL_PERMISSIONS)
"""The caller without credentials of a server that listens on loopback addresses alone."""
