"""`--explain`: how the server finds the answer to a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from tracker.cli.output import Output, printable

if TYPE_CHECKING:
    from tracker.pb import event_pb

Explain = Annotated[
    bool, typer.Option("--explain", help="Print how the server finds the answer, instead of the answer.")
]


class Planned(Protocol):
    """An answer that may have a query plan."""

    plan: event_pb.QueryPlan | None


def print_plan(answer: Planned, events: str, output: Output) -> None:
    """Print the plan of a query; `events` is the number of its matches."""
    from tracker.cli.documents import print_answer
    from tracker.pb import event_pb

    plan = answer.plan or event_pb.QueryPlan()
    steps = [(step,) for step in plan.steps]
    print_answer(plan, output, lambda: _print(plan, events), records=[plan], columns=["step"], rows=steps)


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
