"""Which deployments fixed which others: rollbacks and rollforwards.

The rules are those of Datadog: https://docs.datadoghq.com/dora_metrics/change_failure_detection/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.domain.delivery.facts import Records
    from tracker.domain.delivery.records import Deployment

_FURTHEST: Final = 200
"""Deployments of a service that a revert is looked for in."""


class Remedy(NamedTuple):
    """A deployment that put another one right, and how that is known."""

    failed: Deployment
    remedy: Deployment
    reason: str


def remedies(records: Records) -> Sequence[Remedy]:
    """Return what was fixed, by the rule that comes first: recorded, rollback, revert, hotfix."""
    by_id = {each.id: each for each in records.deployments}
    found = [*_recorded(records, by_id)]
    done = {each.remedy.id for each in found}
    for series in records.by_service().values():
        found += (each for each in _detected(series) if each.remedy.id not in done)
    return found


def _recorded(records: Records, by_id: dict[str, Deployment]) -> Iterator[Remedy]:
    seen = set()
    for each in records.deployments:
        for failed, remedy in ((each.id, each.remedy), (each.remedies, each.id)):
            if failed in by_id and remedy in by_id and (failed, remedy) not in seen:
                seen.add((failed, remedy))
                yield Remedy(by_id[failed], by_id[remedy], f"recorded as fixed by {by_id[remedy].title}")
    for incident in records.incidents:
        for failed in incident.caused_by:
            for remedy in incident.remedies:
                if failed in by_id and remedy in by_id and (failed, remedy) not in seen:
                    seen.add((failed, remedy))
                    reason = f"caused an incident: {incident.title}"
                    yield Remedy(by_id[failed], by_id[remedy], reason)


def _detected(series: Sequence[Deployment]) -> Iterator[Remedy]:
    """Yield what the deployments of a service to an environment say, in the order of their ends."""
    places: dict[tuple[str, str], int] = {}
    for number, each in enumerate(series):
        before = series[number - 1] if number else None
        if before is not None:
            target = places.get(each.build)
            if target is not None and any(before.build) and before.build != each.build:
                yield Remedy(series[target + 1], each, f"rolled back: {each.title}")
            elif each.revert:
                reverted = _reverted(series[max(0, number - _FURTHEST) : number], each.revert)
                if reverted is not None:
                    yield Remedy(reverted, each, f"reverted: {each.title}")
            elif each.rollback or each.hotfix:
                how = "rolled back" if each.rollback else "fixed by a hotfix"
                yield Remedy(before, each, f"{how}: {each.title}")
        if any(each.build):
            places[each.build] = number


def _reverted(series: Sequence[Deployment], title: str) -> Deployment | None:
    return next((each for each in reversed(series) if title in each.title and not each.revert), None)
