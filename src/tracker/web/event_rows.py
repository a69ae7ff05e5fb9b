"""Events as pages show them in lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.events import attributes_of, event_id, event_time, metadata_of
from tracker.pb.options import name_if_set
from tracker.web.times import length
from tracker.web.tones import status_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from tracker.domain.query.fields import Field
    from tracker.pb import event_pb
    from tracker.web.times import Times
    from tracker.web.tones import Label

_EXCERPT: Final = 300
"""Characters of a text in a list."""


class EventRow(NamedTuple):
    """An event of a list; `cells` are the values of the columns that the reader has chosen."""

    id: str
    title: str
    status: Label
    service: str
    environment: str
    priority: str
    version: str
    owner: str
    impact: bool
    when: Markup
    took: str
    cells: tuple[str, ...] = ()


def event_row(event: event_pb.Event, times: Times, columns: Sequence[Field] = ()) -> EventRow:
    """Return how a list shows an event."""
    attributes, metadata = attributes_of(event), metadata_of(event)
    return EventRow(
        id=event_id(event),
        title=event.title,
        status=status_label(attributes.status),
        service=attributes.service,
        environment=name_if_set(attributes.environment),
        priority=name_if_set(attributes.priority),
        version=attributes.version,
        owner=attributes.owner,
        impact=attributes.impact,
        when=times.tag(event_time(event)),
        took=length(metadata.elapsed),
        cells=tuple([cell(event, column) for column in columns]),
    )


def cell(event: event_pb.Event, field: Field) -> str:
    """Return the value of an event in a column."""
    texts = field.texts(event)
    return excerpt(", ".join(texts)) if texts else field.shown(field.value(event) or "")


def excerpt(text: str, size: int = _EXCERPT) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= size else f"{text[: size - 1]}…"
