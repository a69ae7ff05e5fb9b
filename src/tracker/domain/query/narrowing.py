"""What of a query the other parts of a filter can say: a store has indexes for those."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracker.domain.query.fields import (
    ENVIRONMENT,
    EXTERNAL_ID,
    IMPACT,
    PRIORITY,
    RELATED,
    SERVICE,
    SLACK,
    SOURCE,
    STATUS,
    TIME,
    TYPE,
)
from tracker.domain.query.tree import And, Number, Pattern, Span, Term, all_of
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tracker.domain.events import EventFilter
    from tracker.domain.query.tree import Node

_TEXTS = {SERVICE: "service", SOURCE: "source", SLACK: "slack_id", EXTERNAL_ID: "external_id"}
_CHOICES = {
    TYPE: ("types", event_pb.Type),
    PRIORITY: ("priorities", event_pb.Priority),
    STATUS: ("statuses", event_pb.Status),
    ENVIRONMENT: ("environments", event_pb.Environment),
}


def narrowed(where: EventFilter) -> EventFilter:
    """Return a filter for the same events, with as little as possible left in its query."""
    if where.query is None:
        return where
    rest: list[Node] = []
    parts = where.query.parts if isinstance(where.query, And) else (where.query,)
    where = replace(where, query=None)
    for part in parts:
        lifted = _lifted(where, part) if isinstance(part, Term) else None
        if lifted is None:
            rest.append(part)
        else:
            where = lifted
    return replace(where, query=all_of(tuple(rest))) if rest else where


def widened(where: EventFilter) -> Node:
    """Return a query for the same events as a filter that takes none for overlapping its period."""
    parts: list[Node] = [
        Term(field, (Pattern((text,)),)) for field, name in _TEXTS.items() if (text := getattr(where, name))
    ]
    if where.related_ids:
        parts.append(Term(RELATED, tuple(Pattern((text,)) for text in where.related_ids)))
    for field, (name, _) in _CHOICES.items():
        if numbers := getattr(where, name):
            parts.append(Term(field, tuple(Number(int(number)) for number in numbers)))
    if where.impact is not None:
        parts.append(Term(IMPACT, (Number(int(where.impact)),)))
    if where.since is not None or where.until is not None:
        parts.append(Term(TIME, (Span(where.since, where.until),)))
    if where.query is not None:
        parts += where.query.parts if isinstance(where.query, And) else (where.query,)
    return all_of(tuple(parts))


def _lifted(where: EventFilter, term: Term) -> EventFilter | None:
    """Return a filter that asks for what a term asks for too, or None where only a query can."""
    field, (first, *others) = term.field, term.tests
    change: Mapping[str, Any]
    if field in _CHOICES:
        name, enum = _CHOICES[field]
        numbers = [test.value for test in term.tests if isinstance(test, Number)]
        change = {name: tuple(map(enum, numbers))}
        return None if getattr(where, name) else replace(where, **change)
    if field is RELATED:
        texts = [test.pieces[0] for test in term.tests if isinstance(test, Pattern) and len(test.pieces) == 1]
        is_said = len(texts) == len(term.tests) and all(texts) and not where.related_ids
        return replace(where, related_ids=tuple(texts)) if is_said else None
    if others:
        return None
    match first:
        case Pattern((text,)) if field in _TEXTS and text and not getattr(where, _TEXTS[field]):
            change = {_TEXTS[field]: text}
        case Number(value) if field is IMPACT and where.impact is None:
            change = {"impact": bool(value)}
        case Span(low, high) if field is TIME and not where.overlapping:
            change = {"since": _bound(max, where.since, low), "until": _bound(min, where.until, high)}
        case _:
            return None
    return replace(where, **change)


def _bound(choose: Callable[[Iterable[int]], int], *moments: int | None) -> int | None:
    given = [moment for moment in moments if moment is not None]
    return choose(given) if given else None
