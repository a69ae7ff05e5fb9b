"""The fields that a query can ask about: their names, what they hold, and how to get it from an event."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tracker.domain.events import event_end, event_time
from tracker.domain.lifecycle import attributes_of, metadata_of
from tracker.domain.times import duration_micros, micros
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from protobuf import Enum as ProtoEnum
    from protobuf.wkt import Timestamp


class Kind(Enum):
    """What a field holds, which decides what may stand behind its colon."""

    KEYWORD = auto()
    """Names that are compared whole, case included: a service, an owner."""
    PROSE = auto()
    """Text that is searched for words: a title."""
    CHOICE = auto()
    """One of the values of an enum."""
    FLAG = auto()
    """Yes or no."""
    TIME = auto()
    """A moment, in microseconds since the epoch."""
    DURATION = auto()
    """A length of time, in microseconds."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of events; its name tells it from all others.

    `read` returns what an event has in it: texts that are not empty; one number for a choice or a flag;
    no number, or one, for a time or a duration.
    """

    name: str
    kind: Kind
    texts: Callable[[event_pb.Event], Sequence[str]] = field(repr=False, compare=False, default=lambda _: ())
    number: Callable[[event_pb.Event], int | None] = field(repr=False, compare=False, default=lambda _: None)
    choices: Mapping[str, int] = field(repr=False, compare=False, default_factory=dict)
    """Names of the values of a choice, the first of each number its own, the others what people type."""
    aliases: tuple[str, ...] = field(repr=False, compare=False, default=())

    def choice_name(self, number: int) -> str:
        """Return the name of a value of a choice, or its number where it has none."""
        return next((name for name, known in self.choices.items() if known == number), str(number))

    def value(self, event: event_pb.Event) -> str | int:
        """Return what an event has in a field of one value: a text or a number, "" or 0 where it is unset."""
        if self.kind is Kind.KEYWORD:
            return next(iter(self.texts(event)), "")
        return self.number(event) or 0

    def shown(self, value: str | int) -> str:
        """Return a value as text, empty where the field is unset."""
        if isinstance(value, str):
            return value
        if self.kind is Kind.FLAG:
            return "true" if value else "false"
        return self.choice_name(value) if value else ""


def _present(text: str) -> Sequence[str]:
    return (text,) if text else ()


def _keyword(name: str, text: Callable[[event_pb.Event], str], *aliases: str) -> Field:
    return Field(name, Kind.KEYWORD, texts=lambda event: _present(text(event)), aliases=aliases)


def _several(name: str, texts: Callable[[event_pb.Event], Sequence[str]], *aliases: str) -> Field:
    return Field(
        name, Kind.KEYWORD, texts=lambda event: [text for text in texts(event) if text], aliases=aliases
    )


def _choice(
    name: str,
    enum: type[ProtoEnum],
    number: Callable[[event_pb.Event], int],
    typed: Mapping[str, int],
    *aliases: str,
) -> Field:
    own = {value.name: value.number for value in enum.desc().values if value.number}
    return Field(name, Kind.CHOICE, number=number, choices={**own, "none": 0, **typed}, aliases=aliases)


def _time(name: str, moment: Callable[[event_pb.Event], Timestamp | None], *aliases: str) -> Field:
    def number(event: event_pb.Event) -> int | None:
        found = moment(event)
        return None if found is None else micros(found)

    return Field(name, Kind.TIME, number=number, aliases=aliases)


def _duration(event: event_pb.Event) -> int | None:
    found = metadata_of(event).duration
    return None if found is None else duration_micros(found)


def _links(event: event_pb.Event) -> event_pb.EventLinks:
    return event.links or event_pb.EventLinks()


def _message(event: event_pb.Event) -> str:
    return attributes_of(event).message


_Type, _Status, _Environment = event_pb.Type, event_pb.Status, event_pb.Environment

ID: Final = _keyword("id", lambda e: metadata_of(e).id)
SLACK: Final = _keyword("slack", lambda e: metadata_of(e).slack_id, "slack_id")
SOURCE: Final = _keyword("source", lambda e: attributes_of(e).source)
SERVICE: Final = _keyword("service", lambda e: attributes_of(e).service, "svc")
EXTERNAL_ID: Final = _keyword("external_id", lambda e: attributes_of(e).external_id, "external")
VERSION: Final = _keyword("version", lambda e: attributes_of(e).version)
OWNER: Final = _keyword("owner", lambda e: attributes_of(e).owner)
RELATED: Final = _keyword("related", lambda e: attributes_of(e).related_id, "related_id")
TICKET: Final = _keyword("ticket", lambda e: _links(e).ticket)
PULL_REQUEST: Final = _keyword(
    "pull_request", lambda e: _links(e).pull_request_link, "pr", "pull_request_link", "link"
)
STAKEHOLDER: Final = _several(
    "stakeholder", lambda e: attributes_of(e).stake_holders, "stakeholders", "stake_holders"
)
NOTIFIED: Final = _several("notified", lambda e: attributes_of(e).notifications, "notifications")
TITLE: Final = Field("title", Kind.PROSE, texts=lambda e: _present(e.title))
MESSAGE: Final = Field("message", Kind.PROSE, texts=lambda e: _present(_message(e)), aliases=("msg",))
TEXT: Final = Field("text", Kind.PROSE, texts=lambda e: [*_present(e.title), *_present(_message(e))])
TYPE: Final = _choice(
    "type", _Type, lambda e: int(attributes_of(e).type), {"deploy": _Type.deployment, "rpa": _Type.rpa_usage}
)
PRIORITY: Final = _choice("priority", event_pb.Priority, lambda e: int(attributes_of(e).priority), {}, "prio")
STATUS: Final = _choice(
    "status",
    _Status,
    lambda e: int(attributes_of(e).status),
    {
        "started": _Status.start,
        "running": _Status.in_progress,
        "failed": _Status.failure,
        "succeeded": _Status.success,
        "closed": _Status.close,
        "recommendation": _Status.recommandation,
    },
    "state",
)
ENVIRONMENT: Final = _choice(
    "environment",
    _Environment,
    lambda e: int(attributes_of(e).environment),
    {
        "prod": _Environment.production,
        "preprod": _Environment.preproduction,
        "dev": _Environment.development,
        "int": _Environment.integration,
    },
    "env",
)
IMPACT: Final = Field("impact", Kind.FLAG, number=lambda e: int(attributes_of(e).impact))
NOTIFICATION: Final = Field(
    "notification", Kind.FLAG, number=lambda e: int(attributes_of(e).notification), aliases=("notify",)
)
TIME: Final = Field("time", Kind.TIME, number=event_time, aliases=("at", "date"))
START: Final = _time("start", lambda e: attributes_of(e).start_date, "start_date")
END: Final = Field("end", Kind.TIME, number=event_end, aliases=("end_date",))
CREATED: Final = _time("created", lambda e: metadata_of(e).created_at, "created_at")
DURATION: Final = Field("duration", Kind.DURATION, number=_duration, aliases=("took",))

FIELDS: Final = (
    SERVICE, ENVIRONMENT, TYPE, STATUS, PRIORITY, IMPACT, VERSION, SOURCE, OWNER, TITLE, MESSAGE, TEXT,
    TIME, START, END, CREATED, DURATION, ID, EXTERNAL_ID, SLACK, RELATED, PULL_REQUEST, TICKET,
    STAKEHOLDER, NOTIFICATION, NOTIFIED,
)  # fmt: skip
"""All fields, those asked for most first."""

COUNTED: Final = frozenset({TYPE, PRIORITY, STATUS, ENVIRONMENT, IMPACT})
"""Fields that a store may keep count of."""

FACETS: Final = (
    SERVICE, ENVIRONMENT, TYPE, STATUS, PRIORITY, IMPACT, VERSION, SOURCE, OWNER,
    RELATED, PULL_REQUEST, TICKET, NOTIFICATION,
)  # fmt: skip
"""Fields that events are counted by, beside labels: those that have one value, and the same one often."""

BY_NAME: Final[Mapping[str, Field]] = {
    name: field for field in FIELDS for name in (field.name, *field.aliases)
}
"""The field of each name and alias, in lower case."""

LABEL_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
"""The name of a label, as a regular expression; the proto says the same of what is stored."""

_LABEL = re.compile(f"labels?\\.({LABEL_NAME})", re.IGNORECASE)


@lru_cache(maxsize=1_024)
def label(name: str) -> Field:
    """Return the field for the label of a name, case included."""
    return _keyword(f"label.{name}", lambda event: attributes_of(event).labels.get(name, ""))


def label_name(field: Field) -> str | None:
    """Return the name of the label that a field is for, or None where it is for none."""
    of_label = _LABEL.fullmatch(field.name)
    return of_label[1] if of_label else None


def named(name: str) -> Field | None:
    """Return the field of a name or an alias, in any case, or None: `service`, `svc`, `label.team`."""
    of_label = _LABEL.fullmatch(name)
    return label(of_label[1]) if of_label else BY_NAME.get(name.lower())
