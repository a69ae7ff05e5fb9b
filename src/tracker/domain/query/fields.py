"""The fields of queries: those that the protos declare, and those derived from them.

A field of a message is declared by its option `(tracker.options.v1.query)`. Parser, stores, services and
commands have no other list.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from protobuf import (
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMessage,
    DescFieldValueScalar,
    ScalarType,
)
from protobuf.wkt import Duration

from tracker.domain.events import event_time
from tracker.domain.times import duration_micros, micros
from tracker.pb import event_pb
from tracker.pb.options import numbers, query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from protobuf import DescField, DescMessage
    from protobuf.wkt import Timestamp

    from tracker.pb import options_pb


class Kind(Enum):
    """The kind of a field, which determines the values after its colon."""

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


_Texts: TypeAlias = "Callable[[event_pb.Event], Sequence[str]]"
_Number: TypeAlias = "Callable[[event_pb.Event], int | None]"

_NO_TEXTS: _Texts = lambda _: ()  # noqa: E731 - typed as what takes its place
_NO_NUMBER: _Number = lambda _: None  # noqa: E731 - the same


@dataclass(frozen=True, slots=True)
class Field:
    """A field of events, identified by its name and kind.

    `texts` returns the texts that an event has in it, without empty ones. `number` returns the number of a
    choice or a flag; of a time or a duration its microseconds, or None.
    """

    name: str
    kind: Kind
    _: KW_ONLY
    texts: _Texts = field(repr=False, compare=False, default=_NO_TEXTS)
    number: _Number = field(repr=False, compare=False, default=_NO_NUMBER)
    choices: Mapping[str, int] = field(repr=False, compare=False, default_factory=dict)
    """Numbers by the names of a choice's values; of several names, the first is the value's own."""
    aliases: tuple[str, ...] = field(repr=False, compare=False, default=())
    path: tuple[str, ...] = field(repr=False, compare=False, default=())
    """Names that lead to it in the JSON of an event; none for a derived field."""
    facet: bool = field(repr=False, compare=False, default=False)
    """Whether events are counted by its values."""
    term: bool = field(repr=False, compare=False, default=False)
    """Whether its whole values are terms of an event."""
    column: str = field(repr=False, compare=False, default="")
    """Name of its column in stores; empty where it has none."""
    indexed: bool = field(repr=False, compare=False, default=False)
    """Whether stores keep an index of its column for queries."""
    selective: bool = field(repr=False, compare=False, default=False)
    """Whether few events share a value, and an index has them; that of ids is there anyway."""
    ordered: bool = field(repr=False, compare=False, default=False)
    """Whether the values of a choice have an order."""
    several: bool = field(repr=False, compare=False, default=False)
    """Whether an event may have several values in it."""

    def choice_name(self, number: int) -> str:
        """Return the name of a value of a choice, or its number where it has none."""
        return next((name for name, known in self.choices.items() if known == number), str(number))

    def value(self, event: event_pb.Event) -> str | int:
        """Return the value of a field with one value: a text or a number, "" or 0 where it is unset."""
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


def _declared(message: DescMessage, parent: str = "") -> Iterator[Field]:
    """Yield the fields that a message, and the messages in it, declare."""
    for described in message.fields:
        if (query := query_of(described)) is not None:
            yield _field(described, parent, query)
        elif not parent and isinstance(described.value, DescFieldValueMessage):
            yield from _declared(described.value.message, described.name)


def _field(described: DescField, parent: str, query: options_pb.Query) -> Field:
    read = _reader(parent, described.local_name)
    kind, texts, number = Kind.KEYWORD, _NO_TEXTS, _NO_NUMBER
    choices: Mapping[str, int] = {}
    match described.value:
        case DescFieldValueEnum(enum=enum):
            kind, number = Kind.CHOICE, lambda event: int(read(event))
            choices = numbers(enum)
        case DescFieldValueMessage(message=message):
            duration = message == Duration.desc()
            kind, number = (Kind.DURATION, _duration(read)) if duration else (Kind.TIME, _moment(read))
        case DescFieldValueScalar(scalar=ScalarType.BOOL):
            kind, number = Kind.FLAG, lambda event: int(read(event))
        case DescFieldValueList():
            texts = _several(read)
        case _:
            kind, texts = Kind.PROSE if query.words else Kind.KEYWORD, _single(read)
    return Field(
        query.name or described.name,
        kind,
        texts=texts,
        number=number,
        choices=choices,
        aliases=(*query.aliases, *([described.name] if query.name else ())),
        path=(*filter(None, [parent]), described.json_name),
        facet=query.facet,
        term=query.term,
        column=described.name if query.column else "",
        indexed=query.column and kind is Kind.KEYWORD,
        selective=query.selective,
        ordered=query.ordered,
        several=isinstance(described.value, DescFieldValueList),
    )


def _reader(parent: str, name: str) -> Callable[[event_pb.Event], Any]:
    """Return what reads a field of an event, or of a message in it; the default where that is unset."""
    of_message = attrgetter(name)
    if not parent:
        return of_message
    of_event = attrgetter(parent)
    unset = of_message(type(of_event(_EXAMPLE))())

    def read(event: event_pb.Event) -> Any:  # noqa: ANN401 - what the field holds
        message = of_event(event)
        return unset if message is None else of_message(message)

    return read


def _single(read: Callable[[event_pb.Event], str]) -> _Texts:
    return lambda event: (text,) if (text := read(event)) else ()


def _several(read: _Texts) -> _Texts:
    return lambda event: [text for text in read(event) if text]


def _moment(read: Callable[[event_pb.Event], Timestamp | None]) -> _Number:
    return lambda event: None if (moment := read(event)) is None else micros(moment)


def _duration(read: Callable[[event_pb.Event], Duration | None]) -> _Number:
    return lambda event: None if (length := read(event)) is None else duration_micros(length)


def _rank(field: Field) -> tuple[bool, bool]:
    return not field.facet, field.name not in {"service", "environment"}


_EXAMPLE: Final = event_pb.Event(
    attributes=event_pb.EventAttributes(), links=event_pb.EventLinks(), metadata=event_pb.EventMetadata()
)
_COLUMNS: Final = {"id": "id", "end": "end_time"}
"""Columns that stores need anyway, by field."""

_DECLARED: Final = {
    each.name: replace(
        each, column=each.column or _COLUMNS.get(each.name, ""), selective=each.selective or each.name == "id"
    )
    for each in sorted(_declared(event_pb.Event.desc()), key=_rank)
}
TITLE: Final = _DECLARED["title"]
MESSAGE: Final = _DECLARED["message"]
TYPE: Final = _DECLARED["type"]
SERVICE: Final = _DECLARED["service"]
SOURCE: Final = _DECLARED["source"]
STATUS: Final = _DECLARED["status"]
ENVIRONMENT: Final = _DECLARED["environment"]
OWNER: Final = _DECLARED["owner"]
RELATED: Final = _DECLARED["related"]
CAUSED_BY: Final = _DECLARED["caused_by"]
REMEDIATED_BY: Final = _DECLARED["remediated_by"]
ROLLED_BACK_BY: Final = _DECLARED["rolled_back_by"]
DURATION: Final = _DECLARED["duration"]
_SINCE_LINKED: Final = _duration(_reader("metadata", "duration"))
TEXT: Final = Field("text", Kind.PROSE, texts=lambda event: (*TITLE.texts(event), *MESSAGE.texts(event)))
TIME: Final = Field("time", Kind.TIME, number=event_time, aliases=("at", "date"), column="time")

GAP: Final = Field(
    "gap",
    Kind.DURATION,
    number=lambda event: _SINCE_LINKED(event) if RELATED.texts(event) else None,
    column="gap",
)
"""The time since the event that an event links to."""

FIELDS: Final = (*_DECLARED.values(), TEXT, TIME, GAP)
"""All fields but labels, those that events are counted by first."""

FACETS: Final = tuple(field for field in FIELDS if field.facet)
"""Fields that events are counted by, in addition to labels."""

TERMS: Final = tuple(field for field in FIELDS if field.term)
"""Fields whose values are terms of an event, in addition to labels."""

TERMS_DIGEST: Final = blake2b(
    repr([(field.name, field.path) for field in TERMS]).encode(), digest_size=4
).hexdigest()
"""Identifies the terms that these fields lead to."""

BY_NAME: Final[Mapping[str, Field]] = {
    name: field for field in FIELDS for name in (field.name, *field.aliases)
}
"""The field of each name and alias, in lower case."""

LABEL_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
"""The name of a label, as a regular expression, the same as in the proto."""

LABELS: Final = ("attributes", "labels")
"""Names that lead to the labels in the JSON of an event."""

_LABEL = re.compile(f"labels?\\.({LABEL_NAME})", re.IGNORECASE)


@lru_cache(maxsize=1_024)
def label(name: str) -> Field:
    """Return the field for the label of a name, case included."""
    labels = _reader(*LABELS)
    return Field(
        f"label.{name}",
        Kind.KEYWORD,
        texts=_single(lambda event: labels(event).get(name, "")),
        path=(*LABELS, f'"{name}"'),
        facet=True,
        term=True,
    )


def named(name: str) -> Field | None:
    """Return the field of a name or an alias, in any case, or None: `service`, `svc`, `label.team`."""
    of_label = _LABEL.fullmatch(name)
    return label(of_label[1]) if of_label else BY_NAME.get(name.lower())
