"""What records are within the scope of a grant: the service, environment and team of each kind of record."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from tracker.domain.access import glob
from tracker.domain.events import attributes_of
from tracker.domain.query.fields import ENVIRONMENT, OWNER, SERVICE
from tracker.domain.query.tree import EVERYTHING, Not, Term, all_of, any_of, one_of
from tracker.pb import catalog_pb, event_pb, lock_pb, terraform_pb
from tracker.pb.options import name_if_set

if TYPE_CHECKING:
    from tracker.domain.access import Scope
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node


class Subject(NamedTuple):
    """The service, environment and team that a record belongs to, each empty where it names none."""

    service: str = ""
    environment: str = ""
    team: str = ""


def subject_of(record: event_pb.Event | catalog_pb.Catalog | lock_pb.Lock | terraform_pb.State) -> Subject:
    """Return what a record belongs to.

    The team of an event or a catalog entry is its owner. A catalog entry stands for all environments, and has
    none; a lock and a state have no team.
    """
    match record:
        case event_pb.Event():
            attributes = attributes_of(record)
            environment = attributes.environment
            name = name_if_set(environment)
            return Subject(attributes.service, name, attributes.owner)
        case catalog_pb.Catalog():
            return Subject(record.name, team=record.owner)
        case lock_pb.Lock() | terraform_pb.State():
            return Subject(record.service, record.environment)


@lru_cache(maxsize=1024)
def events_within(scopes: tuple[Scope, ...]) -> Node:
    """Return the query for the events within one of some scopes."""
    return any_of(tuple(map(_within, scopes))) if scopes else Not(EVERYTHING)


def _within(scope: Scope) -> Node:
    """Return the query for the events that `Scope.covers`."""
    parts: list[Node] = []
    for field, patterns in ((SERVICE, scope.services), (OWNER, scope.teams)):
        if patterns and not _any_text(patterns):
            parts.append(_fitting(field, patterns))
    if scope.environments and not _any_text(scope.environments):
        numbers = {number for number in ENVIRONMENT.choices.values() if number}
        covered = [
            each for each in sorted(numbers) if scope.covers_environment(ENVIRONMENT.choice_name(each))
        ]
        parts.append(one_of(ENVIRONMENT, covered) if covered else Not(EVERYTHING))
    return all_of(tuple(parts))


def _any_text(patterns: tuple[str, ...]) -> bool:
    return any(each and not each.strip("*") for each in patterns)


def _fitting(field: Field, patterns: tuple[str, ...]) -> Node:
    tests = tuple(glob(each) for each in patterns if each)
    return Term(field, tests) if tests else Not(EVERYTHING)
