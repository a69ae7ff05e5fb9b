"""Which freeze windows are within what a grant is narrowed to, and what of them it may see."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from tracker.domain.access import glob
from tracker.domain.environments import environment_key
from tracker.domain.freezes import scopes_of
from tracker.domain.query.matching import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.access import Scope
    from tracker.pb import freeze_pb

_PARTS: Final = ("services", "environments", "teams")


def is_within(window: freeze_pb.FreezeWindow, scope: Scope) -> bool:
    """Return whether a freeze window is for nothing outside of a scope."""
    return all(
        any(_within(getattr(each, part), getattr(scope, part)) for each in scopes_of(window))
        for part in _PARTS
        if getattr(scope, part)
    )


def visible_part(
    window: freeze_pb.FreezeWindow, scopes: Sequence[Scope] | None
) -> freeze_pb.FreezeWindow | None:
    """Return a freeze window without the names of what is outside of all scopes, or None if nothing is left.

    A freeze window for everything is for each of them. None are no scopes: everything is visible.
    """
    if scopes is None:
        return window
    meeting = [scope for scope in scopes if all(_meets(each, scope) for each in scopes_of(window))]
    if not meeting:
        return None
    window = copy.copy(window)
    window.services = _seen(window.services, [scope.services for scope in meeting])
    window.environments = _seen(window.environments, [scope.environments for scope in meeting])
    window.teams = _seen(window.teams, [scope.teams for scope in meeting])
    listed, _ = scopes_of(window)
    for part in _PARTS:
        if getattr(listed, part):
            window.scope_ids = _seen(window.scope_ids, [getattr(scope, part) for scope in meeting])
    return window


def _meets(one: Scope, other: Scope) -> bool:
    """Return whether something may be within both scopes."""
    return all(
        not getattr(one, part)
        or not getattr(other, part)
        or _shared(getattr(one, part), getattr(other, part))
        for part in _PARTS
    )


def _seen(values: Sequence[str], of_scopes: Iterable[Sequence[str]]) -> list[str]:
    patterns = list(of_scopes)
    if not all(patterns):
        return [*values]
    return _shared(values, [each for scope in patterns for each in scope])


def _shared(values: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the values, themselves patterns, for which something may fit one of some patterns as well."""
    return [each for each in values if any(_covers(one, each) or _covers(each, one) for one in patterns)]


def _within(values: Sequence[str], patterns: Sequence[str]) -> bool:
    return bool(values) and all(any(_covers(one, each) for one in patterns) for each in values)


def _covers(pattern: str, other: str) -> bool:
    """Return whether a pattern fits all that another one does: as it fits that itself, if not only then."""
    return fits(glob(environment_key(pattern)), environment_key(other)) or fits(glob(pattern), other)
