"""The options that describe an event."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, get_args

import typer

from tracker.cli.choices import choice_option
from tracker.cli.options import label, label_option
from tracker.cli.parameters import option, with_parameters
from tracker.cli.times import moment_option

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tracker.transcoding.json_text import JsonValue

P = ParamSpec("P")


def _text(metavar: str, help_: str, *names: str) -> object:
    return Annotated[str, typer.Option(*names, metavar=metavar, help=help_)]


def _choice(enum: str, help_: str) -> object:
    return Annotated[str, choice_option(f"event_pb.{enum}", help_)]


def _several(metavar: str, help_: str, name: str, parser: Callable[[str], str] = str) -> object:
    help_ = f"{help_}; may be repeated."
    return Annotated[list[str] | None, typer.Option(name, metavar=metavar, parser=parser, help=help_)]


def _time(help_: str, name: str) -> object:
    help_ = f"{help_}: 2h (ago), +2h, today, 2026-01-31T12:30."
    return Annotated[datetime | None, typer.Option(name, parser=moment_option, metavar="TIME", help=help_)]


EventId = Annotated[str, typer.Argument(metavar="ID", help="Id or Slack id of the event.")]
Message = Annotated[str, typer.Option(metavar="TEXT", help="What happened, in free text.")]

_ATTRIBUTES: Mapping[str, object] = {
    "service": _text("NAME", "Service that the event is about."),
    "type": _choice("Type", "Such as `deployment`."),
    "status": _choice("Status", "Such as `start` or `success`."),
    "environment": _choice("Environment", "Such as `production`."),
    "priority": _choice("Priority", "From P1, the highest, to P5."),
    "message": Message,
    "source": _text("NAME", "System that reports the event."),
    "external_id": _text("ID", "Id of the event in --source; repeated, it updates the same event."),
    "owner": _text("NAME", "Person or team responsible."),
    "version": _text("VERSION", "Version of the service."),
    "labels": _several("NAME=VALUE", "Label", "--label", parser=label_option),
    "start_date": _time("When it began or will begin", "--start"),
    "end_date": _time("When it ended or will end", "--end"),
    "impact": Annotated[bool, typer.Option("--impact", help="Users are affected.")],
    "related_id": _text("ID", "Event that this one follows up."),
    "stake_holders": _several("NAME", "Person to keep informed", "--stake-holder"),
}
_LINKS: Mapping[str, object] = {
    "pull_request_link": _text("URL", "URL of the pull request.", "--pull-request"),
    "ticket": _text("KEY", "Key or URL of the ticket."),
}
_FIELDS = {
    **_ATTRIBUTES,
    **_LINKS,
    "slack_id": _text("ID", "Slack message about the event."),
}


@dataclass(frozen=True, slots=True)
class EventFields:
    """The fields of an event that a command was given, as JSON."""

    attributes: dict[str, JsonValue]
    links: dict[str, JsonValue]
    slack_id: str

    def __bool__(self) -> bool:
        return bool(self.attributes or self.links or self.slack_id)

    def request(self, **more: JsonValue) -> dict[str, JsonValue]:
        """Return the request that sends them, with further fields of its own."""
        return {"attributes": self.attributes, "links": self.links, "slack_id": self.slack_id, **more}


def takes_event(
    *required: str, without: Collection[str] = (), **defaults: str
) -> Callable[[Callable[Concatenate[EventFields, P], None]], Callable[..., None]]:
    """Make a command of a function whose first parameter is the fields of an event, each an option."""
    unset = {str: "", bool: False}
    options = [
        option(
            name,
            declared,
            inspect.Parameter.empty
            if name in required
            else defaults.get(name, unset.get(get_args(declared)[0])),
        )
        for name, declared in _FIELDS.items()
        if name not in without
    ]
    return lambda command: with_parameters(options, _fields, command)


def _fields(given: Mapping[str, Any]) -> EventFields:
    values = {name: value for name, value in given.items() if value}
    if "labels" in values:
        values["labels"] = dict(map(label, values["labels"]))
    for name in values.keys() & {"start_date", "end_date"}:
        values[name] = values[name].isoformat()
    return EventFields(
        {name: value for name, value in values.items() if name in _ATTRIBUTES},
        {name: value for name, value in values.items() if name in _LINKS},
        values.get("slack_id", ""),
    )
