"""The operator's own rules for what becomes of messages: a file with a table for each sender.

Fields are selected by JMESPath (https://jmespath.org).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError

from tracker.domain.times import micros, nearest_timestamp
from tracker.intakes import tags
from tracker.intakes.requests import LONGEST, LONGEST_LABEL, divided, refused, shortened, zoned
from tracker.pb import event_pb
from tracker.pb.options import wire_name
from tracker.time_text import LATEST, MICROS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf.wkt import Timestamp

    from tracker.errors import TrackerError

CHOICES: Final = tags.CHOICES
TEXTS: Final = ("service", "version", "owner", "source", "external_id", "region", "cluster")
TIMES: Final = ("start_date", "end_date")
FIELDS: Final = ("title", "message", *TEXTS, *CHOICES, *TIMES, "commit")
"""The fields that a rule can set; `commit` is the label `sha`."""
_COMMIT: Final = "sha"
_PLACE: Final = "environment"
_NAMESPACE: Final = "namespace"
"""The label with a namespace of Kubernetes."""
_MILLISECONDS: Final = 100_000_000_000
"""Numbers from here on are milliseconds since the epoch, below it seconds."""


class Rule(NamedTuple):
    """What a field becomes: what an expression selects, another value for some, and one for nothing.

    Without an expression, it is what the intake has found.
    """

    select: Any = None
    values: Mapping[str, str] = {}
    default: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for a sender.

    `only` selects what is recorded, and `each` the parts of a message that are events of their own.
    """

    fields: Mapping[str, Rule] = field(default_factory=dict)
    labels: Mapping[str, Rule] = field(default_factory=dict)
    only: Any = None
    each: Any = None


class Join(NamedTuple):
    """Senders whose deployments of one commit to one place are one event, of a source of its own."""

    senders: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class Mappings:
    """The rules for all senders."""

    rules: Mapping[str, Rules] = field(default_factory=dict)
    joins: tuple[Join, ...] = ()
    environments: Mapping[str, str] = field(default_factory=dict)
    """Environments by other names, in lower case."""

    def place(self, request: event_pb.CreateEventRequest) -> None:
        """Set the environment of an event that has another name for it, or a namespace of such a name."""
        attributes = request.attributes
        if attributes is not None and not attributes.environment:
            name = tags.said(attributes, _PLACE) or attributes.labels.get(_NAMESPACE, "")
            known = self.environments.get(name.lower())
            if known is not None:
                tags.choose(attributes, _PLACE, known)

    def records(self, sender: str, content: object) -> bool:
        """Return whether a part of a message is to be recorded."""
        rules = self.rules.get(sender)
        return rules is None or rules.only is None or bool(selected(rules.only, content))

    def mapped(
        self, sender: str, request: event_pb.CreateEventRequest, content: object, *, changes: bool = False
    ) -> event_pb.CreateEventRequest:
        """Return a request with what the rules for a sender make of a part of its message.

        Defaults of rules are not for one that only `changes` an event.

        Raises:
            TrackerError: INVALID_ARGUMENT; a field can't have its value.
        """
        rules = self.rules.get(sender)
        if rules is None:
            return request
        request = copy.copy(request)
        attributes = copy.copy(request.attributes or event_pb.EventAttributes())
        attributes.labels = dict(attributes.labels)
        request.attributes = attributes
        for name, given in rules.fields.items():
            rule = given._replace(default="") if changes else given
            value = _value(sender, name, rule, content, _found(request, attributes, name))
            if value is not None:
                _set(sender, name, value, request, attributes)
        for name, given in rules.labels.items():
            rule = given._replace(default="") if changes else given
            value = _value(sender, name, rule, content, attributes.labels.get(name, ""))
            if value is not None:
                attributes.labels[name] = _text(sender, name, value)[:LONGEST_LABEL]
        request.title = request.title or f"Message of {sender}"
        attributes.service = attributes.service or "unknown"
        attributes.source = attributes.source or sender
        attributes.type = attributes.type or event_pb.Type.operation
        return request

    def source_for(self, sender: str) -> str:
        """Return the source of the deployments that a sender has together with others, or nothing."""
        return next((each.source for each in self.joins if sender in each.senders), "")


def selected(expression: Any, content: object) -> object:  # noqa: ANN401 - the library has no public type for it
    """Return what an expression selects, or None: also where it can't take what is there.

    The library lets errors of Python through, such as TypeError where a text is compared with a number.
    """
    try:
        found: object = expression.search(content)
    except (ArithmeticError, RecursionError, TypeError, ValueError):
        return None
    return None if found in ("", [], {}) else found


def _found(request: event_pb.CreateEventRequest, attributes: event_pb.EventAttributes, name: str) -> object:
    """Return what an intake has found for a field."""
    match name:
        case "title" | "message":
            return request.title if name == "title" else attributes.message
        case "commit":
            return attributes.labels.get(_COMMIT, "")
        case "start_date" | "end_date":
            return None
    if name in CHOICES:
        return tags.said(attributes, name)
    return getattr(attributes, name)


def _value(sender: str, name: str, rule: Rule, content: object, found: object) -> object:
    """Return the value that a field gets, or None where it stays as it is."""
    value = found if rule.select is None else selected(rule.select, content)
    if value is None or value == "":
        return rule.default or None
    if rule.values:
        text = _text(sender, name, value)
        return rule.values.get(text.lower(), None if rule.select is None else text)
    return None if rule.select is None else value


def _set(
    sender: str,
    name: str,
    value: object,
    request: event_pb.CreateEventRequest,
    attributes: event_pb.EventAttributes,
) -> None:
    if name in TIMES:
        setattr(attributes, name, _time(sender, name, value))
        return
    text = _text(sender, name, value)
    if name == "title":
        request.title, attributes.message = divided(text, attributes.message)
    elif name == "message":
        attributes.message = shortened(text)
    elif name == "commit":
        attributes.labels[_COMMIT] = text[:LONGEST_LABEL]
    elif name in CHOICES:
        _choose(sender, name, text, attributes)
    else:
        setattr(attributes, name, text[:LONGEST])


def _choose(sender: str, name: str, text: str, attributes: event_pb.EventAttributes) -> None:
    if tags.choose(attributes, name, text):
        return
    if name == _PLACE:
        attributes.environment = event_pb.Environment(0)
        attributes.labels[_PLACE] = text[:LONGEST_LABEL]
    else:
        known = ", ".join(wire_name(each) for each in CHOICES[name] if each)
        raise _wrong(sender, name, f"expected one of {known}, not {text[:100]!r}")


def _text(sender: str, name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    raise _wrong(sender, name, f"expected a text or a number, not {type(value).__name__}")


def _time(sender: str, name: str, value: object) -> Timestamp:
    text = _text(sender, name, value)
    try:
        number = float(text)
    except ValueError:
        return zoned(f"mapping {sender}.{name}", text)
    scaled = number * (1000 if abs(number) >= _MILLISECONDS else MICROS)
    if not 0 <= scaled <= LATEST:
        raise _wrong(sender, name, f"expected a time, not {text[:100]}")
    return nearest_timestamp(int(scaled))


def _wrong(sender: str, name: str, message: str) -> TrackerError:
    return refused(f"mapping {sender}.{name}", message)


def compiled(expression: str) -> Any:  # noqa: ANN401 - the same
    """Return an expression, ready to be used.

    Raises:
        ValueError: It is none; the message says what is wrong.
    """
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        position = getattr(error, "lex_position", None)
        where = f"column {position + 1}: " if isinstance(position, int) else ""
        raise ValueError(f"{where}{str(error).splitlines()[0]}") from None


def latest_time(request: event_pb.CreateEventRequest) -> int:
    """Return the latest time that an event has, in microseconds since the epoch, 0 for none."""
    attributes = request.attributes or event_pb.EventAttributes()
    return max((micros(each) for each in (attributes.start_date, attributes.end_date) if each), default=0)
