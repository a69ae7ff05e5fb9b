"""The options that describe an event, or say which events are meant: one for each field of the protos."""

from __future__ import annotations

import inspect
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from tracker.cli import completing
from tracker.cli.completing import quoted
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.helped import Options
from tracker.cli.options import choice_option, label, labels_option, names_of, option
from tracker.cli.short_ids import whole_event_id
from tracker.cli.time_options import moment_option

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tracker.cli.calls import Api
    from tracker.transcoding.json_text import JsonValue

_TABLE = Path(__file__).parents[1] / "spec" / "event_fields.json"

_DERIVED = ("gap", "has", "since", "text", "time", "until")
"""Names in queries that are not those of a field."""


class EventField(NamedTuple):
    """A field of an event, `part` the message in it that has the field."""

    name: str
    part: str
    kind: str
    help: str
    enum: str = ""
    query: str = ""
    """Its name in queries; empty for one that they don't ask for."""
    facet: bool = False


FIELDS = tuple(EventField(**row) for row in json.loads(_TABLE.read_text("utf-8")))

_FACETS = {field.name: field for field in FIELDS if field.facet}
"""The fields that events are counted by, in addition to labels."""


def by_option(help_: str, default: Sequence[str]) -> object:
    """Return the option for the fields to count or to compare events by."""
    return typer.Option(
        metavar="FIELD",
        autocompletion=completing.fields_to_count(field.query for field in _FACETS.values()),
        help=f"{help_}; may be repeated.  [default: {', '.join(default)}]",
    )


def _values_of(field: EventField) -> Callable[[], list[str]] | None:
    """Return a function that returns the values of a field; None where the server has them."""
    if field.kind == "flag":
        return lambda: ["true", "false"]
    return names_of(f"event_pb.{field.enum}") if field.enum else None


_NAMES = sorted(f"{name}:" for name in (*_DERIVED, *(field.query for field in FIELDS if field.query)))
_KNOWN = {field.query: _values_of(field) for field in _FACETS.values()}
_COMPLETED = completing.query_words(_NAMES, _KNOWN | {"has": lambda: [name.rstrip(":") for name in _NAMES]})

EventId = Annotated[
    str,
    typer.Argument(metavar="ID", autocompletion=completing.event_ids, help="Id or Slack id of the event."),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Print how the server finds the answer, instead of the answer.")
]

_FLAGS = {"related_id": "--related-id", "stake_holders": "--stake-holder", "labels": "--label"}
"""Options that are not named as in queries."""

_UNSET: Mapping[str, object] = {"text": "", "choice": "", "flag": False}
_SETTABLE = {field.name: field for field in FIELDS if field.part in {"attributes", "links"}}
_SLACK_ID = EventField("slack_id", "", "text", "Slack message about the event.")


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
            return Annotated[datetime | None, moment_option(help_, name)]
        case "texts" | "pairs" as kind:
            if kind == "pairs":
                return Annotated[
                    list[str] | None, labels_option(name, "Label, such as team=core; may be repeated.")
                ]
            help_ = f"{help_.removesuffix('.')}; may be repeated."
            return Annotated[list[str] | None, typer.Option(name, metavar="NAME", parser=str, help=help_)]
        case _:
            known = completing.values_of(field.query) if field.facet else None
            if field.name == "related_id":
                known = completing.event_ids
            return Annotated[str, typer.Option(name, metavar=metavar, autocompletion=known, help=help_)]


class EventFields(NamedTuple):
    """The fields of an event that a command was given, as JSON."""

    attributes: dict[str, JsonValue]
    links: dict[str, JsonValue]
    slack_id: str

    def __bool__(self) -> bool:
        return bool(self.attributes or self.links or self.slack_id)

    @property
    def unset(self) -> Sequence[str]:
        """The names of the choices that are given as none of their values."""
        choices = {name: value for name, value in self.attributes.items() if _SETTABLE[name].kind == "choice"}
        return [name for name, value in choices.items() if str(value).endswith("_UNSPECIFIED")]

    def request(self, api: Api | None, **more: JsonValue) -> dict[str, JsonValue]:
        """Return the request that sends them, with further fields of its own.

        The server of `api` knows the whole of a shortened id.
        """
        attributes = dict(self.attributes)
        if api is not None and isinstance(related := attributes.get("related_id"), str):
            attributes["related_id"] = whole_event_id(api, related)
        return {"attributes": attributes, "links": self.links, "slack_id": self.slack_id, **more}


def event_options(*required: str, without: Collection[str] = (), **defaults: object) -> Options:
    """Return an option for each field of an event; they make `EventFields`."""
    fields = sorted((*_SETTABLE.values(), _SLACK_ID), key=lambda field: field.name not in required)
    defaults |= dict.fromkeys(required, inspect.Parameter.empty)
    options = [
        option(field.name, _declared(field), defaults.get(field.name, _UNSET.get(field.kind)))
        for field in fields
        if field.name not in without
    ]
    return Options(options, _fields)


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


def _query_text(given: Mapping[str, Any]) -> str:
    """Return the query of a command, given as arguments or by `--query`; `` for none."""
    words: list[str] = given["words"] or []
    if words and given["query"]:
        raise CommandError("expected one query, as arguments or by --query, got both", USAGE)
    return given["query"] or " ".join(words)


def _query(given: Mapping[str, Any]) -> str:
    text = _query_text(given)
    terms = [
        f"{field.query}:{quoted(given[name]) if field.kind == 'text' else str(given[name]).lower()}"
        for name, field in _FACETS.items()
        if given[name]
    ]
    return " ".join([*([f"({text})" if terms else text] if text.strip() else []), *terms])


_QUERY = (
    option(
        "words",
        Annotated[
            list[str] | None,
            typer.Argument(
                metavar="QUERY...",
                autocompletion=_COMPLETED,
                help="Query for events; several arguments form one.",
            ),
        ],
    ).replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD),
    option(
        "query",
        Annotated[
            str,
            typer.Option(metavar="QUERY", autocompletion=_COMPLETED, help="The query, instead of arguments."),
        ],
        "",
    ),
)
PlainQuery = Annotated[str, Options(_QUERY, _query_text)]
"""A query, given as arguments or by `--query`."""

Query = Annotated[
    str,
    Options(
        [*_QUERY, *(option(field.name, _declared(field), _UNSET[field.kind]) for field in _FACETS.values())],
        _query,
    ),
]
"""A query, which has an option too for each field that events are counted by."""
