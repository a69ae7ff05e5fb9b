"""Which commits a deployment brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.delivery.facts import GivenCommits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.delivery.facts import Records
    from tracker.domain.delivery.records import Deployment

MOST_PUSHES: Final = 64
"""Pushes between two deployments that are followed."""
MOST_COMMITS: Final = 5_000
"""Commits of a deployment that are looked at."""


def pushed(records: Records, each: Deployment) -> Sequence[int] | None:
    """Return when the commits were made of the push whose newest commit was deployed; None without any known.

    So Four Keys has the changes of a deployment. A commit that no push is known of stands for itself.
    """
    given = records.given.get(each.id)
    if given is not None:
        return [*given.made, *given.merged]
    if found := records.pushes.get(each.commit):
        return [*found.made, *found.merged]
    known = records.known.get(each.commit)
    return None if known is None else [known.committed_at]


def between(records: Records, before: Deployment, each: Deployment) -> GivenCommits | None:
    """Return the commits after one deployment up to another, by pushes; None where one is not known."""
    if (given := records.given.get(each.id)) is not None:
        return given
    made: list[int] = []
    merged: list[int] = []
    head = each.commit
    for _ in range(MOST_PUSHES):
        if head == before.commit:
            return GivenCommits(made[:MOST_COMMITS], merged)
        found = records.pushes.get(head)
        if not found:
            return None
        made += found.made
        merged += found.merged
        head = found.base
    return None


def shas_between(records: Records, before: Deployment, each: Deployment) -> Sequence[str]:
    """Return the hashes of commits after one deployment up to another, of those that something else names."""
    shas: list[str] = [each.commit]
    head = each.commit
    for _ in range(MOST_PUSHES):
        found = records.pushes.get(head)
        if head == before.commit or not found:
            break
        shas += found.named
        head = found.base
    return shas
