"""The list of the entries of the catalog, with counts by their fields beside it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.dependencies import dependencies_of
from tracker.web.catalog.entries import all_entries
from tracker.web.catalog.health import health
from tracker.web.catalog.names import choice_words
from tracker.web.entry_address import CATALOG, entry_address
from tracker.web.event_rows import excerpt
from tracker.web.site import View
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tracker.domain.dependencies import Dependencies
    from tracker.pb import catalog_pb
    from tracker.web.catalog.health import Health
    from tracker.web.tones import Label
    from tracker.web.visit import Visit

_PER_PAGE: Final = 100
_VALUES: Final = 12
"""Values that a facet shows before it is asked for more."""
_FIELDS: Final = ("now", "type", "owner", "platform", "language")
_EXCERPT: Final = 160


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of the list."""

    name: str
    href: str
    values: Mapping[str, Sequence[str]]
    version: str
    description: str
    now: Sequence[Label]
    calls: int
    callers: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a field, how many of the entries have it, and the address with or without it."""

    text: str
    count: int
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a field; `more` is the address that shows all of them, "" where it does."""

    name: str
    values: Sequence[Value]
    others: int
    more: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the entries that pass all filters; `next` and `first` are addresses of other pages."""

    rows: Sequence[Row]
    total: int
    facets: Sequence[Facet]
    first: str
    next: str
    empty: bool


async def listing(visit: Visit) -> View:
    """Show the entries that the filters in the address leave."""
    wanted = {name: set(visit.all(name)) for name in _FIELDS}
    entries, now = await asyncio.gather(part(all_entries(visit)), part(health(visit)))
    return View(
        "catalog/list.html",
        listing=None if entries.value is None else _listing(visit, entries.value, now.value or {}, wanted),
        error=entries.error,
        now_error=now.error,
        text=visit.one("q"),
        kept=[(key, value) for key, value in visit.pairs if key not in {"q", "after"}],
    )


def _listing(
    visit: Visit, entries: Sequence[catalog_pb.Catalog], now: Health, wanted: Mapping[str, AbstractSet[str]]
) -> Listing:
    dependencies, words = dependencies_of(entries), visit.one("q").casefold().split()
    rows = [_row(entry, now, dependencies) for entry in entries if _has(entry, words)]
    left = [row for row in rows if _passes(row, wanted)]
    after = next(iter(visit.all("after")), "")
    rest = [row for row in left if row.name > after]
    return Listing(
        rest[:_PER_PAGE],
        len(left),
        [_facet(visit, name, rows, wanted) for name in _FIELDS],
        _changed(visit) if after else "",
        _changed(visit, add=("after", rest[_PER_PAGE - 1].name)) if len(rest) > _PER_PAGE else "",
        not entries,
    )


def _row(entry: catalog_pb.Catalog, now: Health, dependencies: Dependencies) -> Row:
    labels = now.get(entry.name, ())
    choices = {"type": entry.type, "platform": entry.platform, "language": entry.languages}
    return Row(
        entry.name,
        entry_address(entry.name),
        {
            **{name: (choice_words(choice),) for name, choice in choices.items()},
            "owner": (entry.owner,),
            "now": tuple(label.word for label in labels) or ("",),
        },
        entry.version,
        excerpt(entry.description, _EXCERPT),
        labels,
        len(dependencies.calls.get(entry.name, ())),
        len(dependencies.callers.get(entry.name, ())),
    )


def _has(entry: catalog_pb.Catalog, words: Sequence[str]) -> bool:
    text = f"{entry.name}\n{entry.owner}\n{entry.description}".casefold()
    return all(word in text for word in words)


def _passes(row: Row, wanted: Mapping[str, AbstractSet[str]]) -> bool:
    return all(not values or not values.isdisjoint(row.values[name]) for name, values in wanted.items())


def _facet(visit: Visit, name: str, rows: Sequence[Row], wanted: Mapping[str, AbstractSet[str]]) -> Facet:
    """Return the counts of a field among the entries that pass the filters of the others."""
    others = {**wanted, name: frozenset()}
    counts = Counter(value for row in rows if _passes(row, others) for value in row.values[name])
    counts.update(dict.fromkeys(wanted[name], 0))
    ordered = sorted(counts, key=lambda value: (value not in wanted[name], -counts[value], value))
    shown = ordered if visit.choice("facet", _FIELDS) == name else ordered[:_VALUES]
    return Facet(
        name,
        [_value(visit, name, value, counts[value], chosen=value in wanted[name]) for value in shown],
        len(ordered) - len(shown),
        _changed(visit, add=("facet", name)),
    )


def _value(visit: Visit, name: str, value: str, count: int, *, chosen: bool) -> Value:
    pair = (name, value)
    href = _changed(visit, without=pair) if chosen else _changed(visit, add=pair)
    return Value(value or ("nothing" if name == "now" else "none"), count, href, chosen)


def _changed(
    visit: Visit, *, add: tuple[str, str] | None = None, without: tuple[str, str] | None = None
) -> str:
    """Return the address of the first page with one filter more or less."""
    pairs = [pair for pair in visit.pairs if pair[0] not in {"after", "facet"} and pair != without]
    return address(CATALOG, [*pairs, *([add] if add is not None else [])])
