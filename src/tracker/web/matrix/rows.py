"""Deployed versions as the matrix shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tracker.number_text import number_of
from tracker.pb.options import wire_name
from tracker.web.entry_address import entry_address
from tracker.web.tones import Label, status_label
from tracker.web.visit import address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from tracker.pb import event_pb, version_pb
    from tracker.web.matrix.state import State
    from tracker.web.times import Times


class Note(NamedTuple):
    """What is said of a version, and the address of the event that it is about, "" for none."""

    label: Label
    href: str = ""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What runs in one place of an environment; `version` is empty where nothing does."""

    place: str
    version: str
    href: str
    since: Markup
    by: str
    notes: Sequence[Note]
    changed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A service, and what runs of it in each environment."""

    service: str
    href: str
    cells: Sequence[tuple[str, Sequence[Deployed]]]


def rows_of(
    versions: Iterable[version_pb.DeployedVersion], columns: Sequence[str], state: State, times: Times
) -> list[Row]:
    """Return a row for each service, with a cell for each environment of `columns`."""
    found: dict[str, dict[str, list[Deployed]]] = {}
    for each in versions:
        cells = found.setdefault(each.service, {})
        cells.setdefault(name_of(each.environment), []).append(_deployed(each, state, times))
        if state.against:
            cells[state.against] = [_other(each, times)]
    return [
        Row(service, entry_address(service), _in_order(cells, columns)) for service, cells in found.items()
    ]


def _in_order(
    cells: Mapping[str, list[Deployed]], columns: Sequence[str]
) -> Sequence[tuple[str, Sequence[Deployed]]]:
    return [(column, cells.get(column, ())) for column in columns]


def name_of(environment: event_pb.Environment) -> str:
    """Return the name of an environment, as addresses and columns have it."""
    return wire_name(environment) if environment else "no environment"


def event_address(event_id: str) -> str:
    """Return the address of the page of an event, "" for no id."""
    return address(f"/events/{event_id}", {}) if event_id else ""


def _deployed(each: version_pb.DeployedVersion, state: State, times: Times) -> Deployed:
    change = _change(each, state)
    return Deployed(
        " / ".join(part for part in (each.region, each.cluster) if part),
        each.version,
        event_address(each.event_id),
        times.tag(each.since, age=True),
        each.deployed_by,
        [*([change] if change else []), *_notes(each)],
        change is not None,
    )


def _other(each: version_pb.DeployedVersion, times: Times) -> Deployed:
    """Return what runs in the environment that is compared with."""
    href = event_address(each.compared_event_id)
    return Deployed("", each.compared_version, href, times.tag(None), "", notes=(), changed=False)


def _change(each: version_pb.DeployedVersion, state: State) -> Note | None:
    """Return how a place differs from what it is compared with."""
    if not state.compares or each.version == each.compared_version:
        return None
    href = event_address(each.compared_event_id)
    if state.against:
        word = f"not in {state.against}" if each.version else f"only in {state.against}"
        return Note(Label(word, "run", "change"))
    if not each.version:
        return Note(Label(f"gone, was {each.compared_version}", "warn", "change"), href)
    word = f"changed, was {each.compared_version}" if each.compared_version else "new, nothing ran then"
    return Note(Label(word, "run", "change"), href)


def _notes(each: version_pb.DeployedVersion) -> Iterator[Note]:
    if each.rolled_back:
        yield Note(Label(f"rolled back from {each.previous_version}", "warn", "back"))
    if each.later is not None:
        label = status_label(each.later.status)
        word = f"{each.later.version or 'a later one'}: {label.word}"
        yield Note(label._replace(word=word), event_address(each.later.event_id))
    before = each.behind_previous_environment
    if before is not None and before.value:
        yield Note(
            Label(
                f"{number_of(before.value, 'version')} behind {wire_name(each.previous_environment)}",
                "plan",
                "clock",
            )
        )
    newest = each.behind_newest
    if newest is not None and newest.value and (before is None or before.value != newest.value):
        yield Note(
            Label(f"{number_of(newest.value, 'version')} behind {each.newest_version}", "note", "clock")
        )
