"""`tracker why`: which changes may have caused an incident, and what people found out."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.options import ListApi, Who, number_option
from tracker.cli.printing import echo
from tracker.cli.short_ids import whole_event_id
from tracker.cli.tables import Column, print_rows
from tracker.cli.time_options import end_option
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.cli.calls import Api
    from tracker.cli.printing import Cell
    from tracker.pb import incident_pb

_COLUMNS = (
    Column("SHARE", rank=1, least=5),
    Column("TIME", rank=3, least=4),
    Column("CHANGE", least=20),
    Column("SERVICE", rank=5, least=8),
    Column("STATUS", rank=6, least=7),
    Column("WHY", rank=2, least=20),
    Column("ID", rank=1, id=True),
)
_FIELDS = (
    "share",
    "score",
    "time",
    "change",
    "service",
    "environment",
    "type",
    "status",
    "why",
    "link",
    "id",
)
_REASONS = (
    Column("REASON", least=20),
    Column("FEATURE", rank=2, least=10),
    Column("VALUE", rank=3, least=5),
    Column("WEIGHT", rank=3, least=6),
    Column("FACTOR", least=6),
)
_SHOWN_REASONS = 3
"""Reasons in a row of the table."""


def _link_option(help_: str) -> object:
    return typer.Option(metavar="CHANGE", autocompletion=completing.event_ids, help=help_)


def why(
    id_: Annotated[
        str,
        typer.Argument(
            metavar="ID", autocompletion=completing.event_ids, help="Id or Slack id of the incident."
        ),
    ] = "",
    *,
    caused_by: Annotated[str, _link_option("Record that this change caused it.")] = "",
    not_caused_by: Annotated[str, _link_option("Record that this change did not.")] = "",
    remediated_by: Annotated[str, _link_option("Record that this change ended it.")] = "",
    rolled_back_by: Annotated[
        str, _link_option("Record that this change ended it by taking back another.")
    ] = "",
    unlink: Annotated[str, _link_option("Take back what was recorded of this change.")] = "",
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the changelog.")] = "",
    who: Who,
    parts: Annotated[
        bool, typer.Option("--parts", help="Print the parts of each score, from which the shares follow.")
    ] = False,
    as_of: Annotated[
        datetime | None,
        end_option("Leave out what became known after this time."),
    ] = None,
    limit: Annotated[
        int, number_option("Changes to print, 1 to 1000.", "--limit", "-n", least=1, most=1_000)
    ] = 5,
    train: Annotated[
        bool, typer.Option("--train", help="Compute weights from all recorded causes, and print them.")
    ] = False,
    api: ListApi,
) -> None:
    """Rank the changes that may have caused an incident, with the reasons for each.

    A share is the probability that it was this change, given what is recorded.

    Example: tracker why 01a224e4-2060-7cbf-94de-c9ef83f0be4e --parts
    """
    links = {
        "caused_by": caused_by,
        "not_caused_by": not_caused_by,
        "remediated_by": remediated_by,
        "rolled_back_by": rolled_back_by,
        "LINK_UNSPECIFIED": unlink,
    }
    if train:
        from tracker.cli.why.training import train_weights

        if id_ or any(links.values()):
            raise CommandError("--train: expected no incident", USAGE)
        train_weights(api)
        return
    if not id_:
        raise CommandError("expected the id of an incident, or --train", USAGE)
    incident = whole_event_id(api, id_)
    _record(api, incident, links, comment, who)
    answer = _explained(api, incident, limit, as_of)
    api.show(
        answer,
        lambda: _print(answer, parts=parts),
        records=answer.suspects,
        columns=_FIELDS,
        rows=map(_fields, answer.suspects),
    )


def _record(api: Api, incident: str, links: Mapping[str, str], comment: str, who: str) -> None:
    """Record how changes are connected with an incident."""
    from tracker.client.rpcs import LINK_CHANGE

    for link, change in links.items():
        if change:
            named = {"id": incident, "change_id": whole_event_id(api, change), "link": link}
            api.call(LINK_CHANGE, LINK_CHANGE.of({**named, "comment": comment, "who": who}))


def _explained(
    api: Api, incident: str, limit: int, as_of: datetime | None
) -> incident_pb.ExplainIncidentResponse:
    from tracker.client.rpcs import EXPLAIN_INCIDENT

    moment = "" if as_of is None else as_of.isoformat(timespec="seconds")
    return api.call(EXPLAIN_INCIDENT, EXPLAIN_INCIDENT.of({"id": incident, "limit": limit, "as_of": moment}))


def _print(answer: incident_pb.ExplainIncidentResponse, *, parts: bool) -> None:
    from tracker.cli.event.shown import STYLES
    from tracker.pb import event_pb

    echo((answer.incident or event_pb.Event()).title)
    echo(_summary(answer))
    if not answer.suspects:
        return
    echo()
    print_rows(_COLUMNS, [_row(each) for each in answer.suspects], STYLES)
    if any(each.lifted_freeze for each in answer.suspects):
        echo()
        echo("a freeze window can't be recorded as the cause: record what was changed after it")
    if sys.stdout.isatty():
        echo()
        others = answer.change_count - len(answer.suspects)
        if others > 0:
            echo(f"{_percent(answer.other_share):>5}  {number_of(others, 'other change')}")
        if answer.no_recorded_cause:
            echo(f"{_percent(answer.no_recorded_cause):>5}  none of them: no recorded cause")
    if parts:
        for each in answer.suspects:
            _print_parts(each)
        echo()
        echo(f"no recorded cause: {answer.no_recorded_cause_score:.2f}; docs/answers.md explains the sum")


def _summary(answer: incident_pb.ExplainIncidentResponse) -> str:
    from tracker.pb import incident_pb

    first = _title(answer.suspects[0]) if answer.suspects else ""
    match answer.verdict:
        case incident_pb.Verdict.confirmed:
            return f"caused by {first}, as somebody recorded"
        case incident_pb.Verdict.suspected:
            return f"suspected: {first} ({_percent(answer.suspects[0].share)})"
        case _:
            least = _percent(answer.threshold)
            return f"no recorded cause: no change has a share of {least} or more of {answer.change_count}"


def _row(each: incident_pb.Suspect) -> Sequence[Cell]:
    """Return the row of a change, a value for each of `_COLUMNS`."""
    _, _, time, title, service, _, _, status, why, link, id_ = _fields(each)
    said = f"{link}; ".replace("_", " ") if link else ""
    return (_percent(each.share), time, title, service, status, f"{said}{why}", id_)


def _fields(each: incident_pb.Suspect) -> Sequence[Cell]:
    """Return the row of a change, a value for each of `_FIELDS`."""
    from tracker.cli.event.shown import event_row
    from tracker.pb import event_pb

    freeze = each.lifted_freeze
    if freeze is None:
        event = each.change or event_pb.Event()
        time, service, environment, type_, status, _, _, _, id_ = event_row(event)
    else:
        time, service, environment, type_, status = freeze.ends_at, "", "", "freeze", ""
        id_ = freeze.freeze_window.id if freeze.freeze_window else ""
    why = ", ".join(reason.text for reason in each.reasons[:_SHOWN_REASONS])
    link = each.link.name if each.link else ""
    numbers = (f"{each.share:.4f}", f"{each.score:.3f}")
    return (*numbers, time, _title(each), service, environment, type_, status, why, link, id_)


def _title(each: incident_pb.Suspect) -> str:
    if each.lifted_freeze:
        window = each.lifted_freeze.freeze_window
        return f"end of the freeze window {window.title if window else ''}"
    return each.change.title if each.change else ""


def _print_parts(each: incident_pb.Suspect) -> None:
    echo()
    echo(f"{_title(each)}: score {each.score:.2f}, share {_percent(each.share)}")
    rows = [
        (part.text, part.feature, f"{part.value:.2f}", f"{part.weight:.2f}", f"{part.factor:.2f}")
        for part in each.reasons
    ]
    print_rows(_REASONS, rows)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
