"""The options that describe an event, or say which events are meant: one for each field of the protos."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from tracker.cli.choices import choice_option
from tracker.cli.event_fields import FIELDS, EventField
from tracker.cli.options import Query, QueryOption, label, label_option, query_of
from tracker.cli.parameters import option, with_parameters
from tracker.cli.times import moment_option

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tracker.transcoding.json_text import JsonValue

P = ParamSpec("P")


EventId = Annotated[str, typer.Argument(metavar="ID", help="Id or Slack id of the event.")]
Message = Annotated[str, typer.Option(metavar="TEXT", help="What happened, in free text.")]

_FLAGS = {"related_id": "--related-id", "stake_holders": "--stake-holder", "labels": "--label"}
"""Options that are not named as in queries."""

_UNSET: Mapping[str, object] = {"text": "", "choice": "", "flag": False}
_SETTABLE = {field.name: field for field in FIELDS if field.part in {"attributes", "links"}}
_SLACK_ID = EventField("slack_id", "", "text", "Slack message about the event.")
_FACETS = {field.name: field for field in FIELDS if field.facet}


def _declared(field: EventField) -> object:
    """Return the annotation of the option for a field."""
    name = _FLAGS.get(field.name, f"--{(field.query or field.name).replace('_', '-')}")
    help_, metavar = field.help, field.name.rpartition("_")[2].upper()
    match field.kind:
        case "choice":
            return Annotated[str, choice_option(f"event_pb.{field.enum}", help_, name)]
        case "flag":
            return Annotated[bool, typer.Option(name, help=help_)]
        case "time":
            help_ = f"{help_.removesuffix('.')}: 2h (ago), +2h, today, 2026-01-31T12:30."
            return Annotated[
                datetime | None, typer.Option(name, parser=moment_option, metavar="TIME", help=help_)
            ]
        case "texts" | "pairs" as kind:
            parser, metavar = (label_option, "NAME=VALUE") if kind == "pairs" else (str, "NAME")
            help_ = f"{help_.removesuffix('.')}; may be repeated."
            return Annotated[list[str] | None, typer.Option(name, metavar=metavar, parser=parser, help=help_)]
        case _:
            return Annotated[str, typer.Option(name, metavar=metavar, help=help_)]


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
    fields = sorted((*_SETTABLE.values(), _SLACK_ID), key=lambda field: field.name not in required)
    options = [
        option(
            field.name,
            _declared(field),
            inspect.Parameter.empty
            if field.name in required
            else defaults.get(field.name, _UNSET.get(field.kind)),
        )
        for field in fields
        if field.name not in without
    ]
    return lambda command: with_parameters(options, _fields, command)


def takes_query(command: Callable[Concatenate[str, P], None]) -> Callable[..., None]:
    """Make a command of a function whose first parameter is a query.

    It is given as arguments or by `--query`, and has an option for each field that events are counted by.
    """
    words = inspect.Parameter(
        "words", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Query
    )
    options = [option(field.name, _declared(field), _UNSET[field.kind]) for field in _FACETS.values()]
    return with_parameters([words, option("query", QueryOption, ""), *options], _query, command)


def _fields(given: Mapping[str, Any]) -> EventFields:
    values = {name: value for name, value in given.items() if value}
    if "labels" in values:
        values["labels"] = dict(map(label, values["labels"]))
    for name in values.keys() & {"start_date", "end_date"}:
        values[name] = values[name].isoformat()
    parts: dict[str, dict[str, JsonValue]] = {"attributes": {}, "links": {}}
    for name, value in values.items():
        if name in _SETTABLE:
            parts[_SETTABLE[name].part][name] = value
    return EventFields(parts["attributes"], parts["links"], values.get("slack_id", ""))


def _query(given: Mapping[str, Any]) -> str:
    text = query_of(given["words"], given["query"])
    terms = [
        f"{field.query}:{_quoted(given[name]) if field.kind == 'text' else str(given[name]).lower()}"
        for name, field in _FACETS.items()
        if given[name]
    ]
    return " ".join([*([f"({text})" if terms else text] if text.strip() else []), *terms])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
