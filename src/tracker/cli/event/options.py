"""The options that several commands of `tracker event` share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from tracker.cli.choices import choice_option
from tracker.cli.options import label_option
from tracker.cli.times import moment_option


def _text(metavar: str, help_: str) -> object:
    return typer.Option(metavar=metavar, help=help_)


def _time(help_: str) -> object:
    return typer.Option(
        parser=moment_option, metavar="TIME", help=f"{help_}: 2h (ago), +2h, today, 2026-01-31T12:30."
    )


EventId = Annotated[str, typer.Argument(metavar="ID", help="Id or Slack id of the event.")]

Service = Annotated[str, _text("NAME", "Service that it is about.")]
Type = Annotated[str, choice_option("event_pb.Type", "Such as `deployment`.", "--type")]
Status = Annotated[str, choice_option("event_pb.Status", "How far it is, such as `start` or `success`.")]
Environment = Annotated[str, choice_option("event_pb.Environment", "Such as `production`.")]
Priority = Annotated[str, choice_option("event_pb.Priority", "P1, the highest, to P5.")]
Message = Annotated[str, _text("TEXT", "What happened, in free text.")]
Source = Annotated[str, _text("NAME", "System that reports it.")]
Owner = Annotated[str, _text("NAME", "Person or team who answers for it.")]
Version = Annotated[str, _text("VERSION", "Version of the service.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", parser=label_option, metavar="NAME=VALUE", help="Label; may be repeated."),
]
ExternalId = Annotated[str, _text("ID", "What --source calls it; told of again, the same event is changed.")]
RelatedId = Annotated[str, _text("ID", "Event that this one follows up.")]
SlackId = Annotated[str, _text("ID", "Slack message that stands for it.")]
PullRequest = Annotated[str, _text("URL", "Address of the pull request.")]
Ticket = Annotated[str, _text("KEY", "Key or address of the ticket.")]
Impact = Annotated[bool, typer.Option("--impact", help="Users notice.")]
StakeHolders = Annotated[
    list[str] | None,
    typer.Option("--stake-holder", metavar="NAME", help="Whom to keep informed; may be repeated."),
]
Start = Annotated[datetime | None, _time("When it began or is to begin")]
End = Annotated[datetime | None, _time("When it ended or is to end")]
