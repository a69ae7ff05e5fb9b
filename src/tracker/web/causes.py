"""The changes that may have caused an incident, beside it, and what the reader says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import UInt32Value

from tracker.domain.events import attributes_of, event_id
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb, incident_pb
from tracker.web.event_rows import event_row
from tracker.web.freezes.rows import occurrence_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.event_rows import EventRow
    from tracker.web.freezes.rows import FreezeRow
    from tracker.web.visit import Visit

_SHOWN: Final = 5
_STRONGEST: Final = 4
"""Reasons that are shown before the rest."""
SAYINGS: Final = {
    "caused_by": "This was it",
    "not_caused_by": "Not this",
    "remediated_by": "This fixed it",
    "rolled_back_by": "This rolled it back",
}
"""What a reader may say of a change, by the names of links."""
_SAID: Final = {
    incident_pb.Link.caused_by: "it was this",
    incident_pb.Link.not_caused_by: "it was not this",
    incident_pb.Link.remediated_by: "this fixed it",
    incident_pb.Link.rolled_back_by: "this rolled back the cause",
}


class Part(NamedTuple):
    """A part of a score, as numbers and in words; `speaks_for` is whether it makes the change more likely."""

    text: str
    feature: str
    value: str
    weight: str
    factor: str
    speaks_for: bool


@dataclass(frozen=True, slots=True)
class Suspect:
    """A change that may have caused the incident, or a freeze window that ended before it.

    `reasons` are the strongest of its `parts`.
    """

    row: EventRow
    freeze: FreezeRow | None
    share: str
    width: int
    score: str
    reasons: Sequence[Part]
    parts: Sequence[Part]
    said: str


@dataclass(frozen=True, slots=True)
class Causes:
    """What may have caused an incident, and what is said above it."""

    summary: str
    confirmed: bool
    suspects: Sequence[Suspect]
    others: int
    other_share: str
    none: str
    none_score: str


async def causes(visit: Visit, event: event_pb.Event) -> Causes | None:
    """Return what may have caused an incident; None for an event that is none.

    Raises:
        TrackerError: As `ExplainIncident`.
    """
    if attributes_of(event).type != event_pb.Type.incident:
        return None
    answer = await visit.ask(
        incident_pb.ExplainIncidentRequest(id=event_id(event), limit=UInt32Value(value=_SHOWN)),
        incident_pb.ExplainIncidentResponse,
    )
    return Causes(
        summary=_summary(answer),
        confirmed=answer.verdict == incident_pb.Verdict.confirmed,
        suspects=[_suspect(visit, each) for each in answer.suspects],
        others=answer.change_count - len(answer.suspects),
        other_share=_percent(answer.other_share),
        none=_percent(answer.no_recorded_cause),
        none_score=f"{answer.no_recorded_cause_score:.2f}",
    )


async def say(visit: Visit, link: str) -> str:
    """Record what a reader says of a change, and return that in words.

    Raises:
        TrackerError: As `LinkChange`, or INVALID_ARGUMENT for another saying.
    """
    known = {each.name: each for each in incident_pb.Link}
    if link not in SAYINGS:
        raise invalid(FieldViolation("link", f"expected one of {', '.join(SAYINGS)}"))
    request = incident_pb.LinkChangeRequest(
        id=visit.captures[0],
        change_id=visit.form.text("change"),
        link=known[link],
        who=visit.form.text("who"),
    )
    await visit.change(request, incident_pb.LinkChangeResponse)
    return f"Recorded: {_SAID[known[link]]}."


def _summary(answer: incident_pb.ExplainIncidentResponse) -> str:
    match answer.verdict:
        case incident_pb.Verdict.confirmed:
            return "Somebody recorded which change it was."
        case incident_pb.Verdict.suspected:
            return "One change stands out."
        case _ if not answer.suspects:
            return "No change was recorded before it."
        case _:
            return f"No recorded change stands out: none has {_percent(answer.threshold)} or more."


def _suspect(visit: Visit, each: incident_pb.Suspect) -> Suspect:
    parts = [
        Part(
            reason.text,
            reason.feature.replace("_", " "),
            f"{reason.value:.2f}",
            f"{reason.weight:.2f}",
            f"{reason.factor:.2f}",
            reason.factor >= 1,
        )
        for reason in each.reasons
    ]
    return Suspect(
        row=event_row(each.change or event_pb.Event(), visit.times),
        freeze=occurrence_row(each.lifted_freeze, visit.times) if each.lifted_freeze else None,
        share=_percent(each.share),
        width=round(100 * each.share),
        score=f"{each.score:.2f}",
        reasons=parts[:_STRONGEST],
        parts=parts,
        said=_SAID.get(each.link, ""),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
