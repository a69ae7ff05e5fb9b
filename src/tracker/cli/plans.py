"""`--explain`: how the server answers a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from tracker.cli.output import Output, printable

if TYPE_CHECKING:
    from tracker.pb import event_pb

Explain = Annotated[
    bool, typer.Option("--explain", help="Print how the server answers that, in place of the answer.")
]


class Planned(Protocol):
    """An answer that may say how it was come by."""

    plan: event_pb.QueryPlan | None


def print_plan(answer: Planned, events: str, output: Output) -> None:
    """Print how a query was answered; `events` is how many it found."""
    from tracker.cli.documents import print_answer, print_csv, print_each
    from tracker.pb import event_pb

    plan = answer.plan or event_pb.QueryPlan()
    match output:
        case Output.TEXT:
            _print(plan, events)
        case Output.NDJSON:
            print_each([plan], output)
        case Output.CSV:
            print_csv(("step",), [(step,) for step in plan.steps])
        case _:
            print_answer(plan, output)


def _print(plan: event_pb.QueryPlan, events: str) -> None:
    from tracker.cli.records import print_record

    print_record(
        {
            "query": plan.query,
            "events": events,
            "searched": f"{plan.documents:,} document{'' if plan.documents == 1 else 's'}",
            "took": f"{plan.took.to_timedelta().total_seconds() * 1_000:,.1f} ms" if plan.took else "",
        }
    )
    for step in plan.steps:
        typer.echo(f"- {printable(step)}")
