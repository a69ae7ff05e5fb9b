"""People: what the members of teams may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.access import Grant, Principal, PrincipalKind, Scope
from tracker.pb import auth_pb
from tracker.permissions import ALL_PERMISSIONS, Permission

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet


ADMINISTRATORS: Final = "0" * 23 + "1"
"""Id of the team of administrators."""


def principal_of_user(user: auth_pb.User, teams: Mapping[str, auth_pb.Team]) -> Principal:
    """Return the principal of a user, who has the grants of all teams; a disabled one has none."""
    grants = () if user.disabled else tuple(grant_of(teams[each]) for each in user.team_ids if each in teams)
    return Principal(f"user:{user.id}", PrincipalKind.USER, user.display_name or user.username, grants)


def principal_of_groups(name: str, groups: AbstractSet[str], teams: Iterable[auth_pb.Team]) -> Principal:
    """Return the principal of a user who is not stored, and has the grants of the teams of some groups."""
    grants = tuple(grant_of(team) for team in teams if groups & {*team.oidc_groups})
    return Principal(f"user:proxy:{name}", PrincipalKind.USER, name, grants)


def administrators() -> auth_pb.Team:
    """Return the team that is always there, and may do everything."""
    return auth_pb.Team(id=ADMINISTRATORS, name="Administrators", scope_all=True, builtin=True)


def is_administrator(user: auth_pb.User | None) -> bool:
    """Return whether a user may do everything."""
    return user is not None and ADMINISTRATORS in user.team_ids and not user.disabled


def grant_of(team: auth_pb.Team) -> Grant:
    """Return what members of a team may do."""
    if team.builtin:
        return Grant(ALL_PERMISSIONS)
    known = {permission.value: permission for permission in Permission}
    services = () if team.scope_all else tuple(team.scope_services)
    scope = Scope(services, tuple(team.scope_environments), tuple(team.scope_teams))
    return Grant(frozenset(known[word] for word in team.permissions if word in known), scope)
