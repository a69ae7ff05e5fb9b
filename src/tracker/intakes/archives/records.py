"""What all exports have in common: a product's record becomes an event, with an id of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from tracker.intakes.requests import refused
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Record = dict[str, Any]

LEFT_OUT: Final = ""
"""What becomes of a field that no event has."""

_SHOWN: Final = 40
"""Characters of a wrong value in an error."""
_IMPORTED: Final = UUID("5d0b3c7e-4f4e-5c53-9a53-1f6d6a3f5a57")


@dataclass(frozen=True, slots=True)
class Product:
    """How the records of a product are read.

    `records` yields those in a JSON value of a file, `event` returns the event of one, and `becomes` says in
    words what becomes of each field; others are left out, or labels where `others_are_labels`.
    """

    name: str
    records: Callable[[Any], Iterator[Record]]
    event: Callable[[Record], event_pb.Event]
    becomes: Mapping[str, str]
    others: str = LEFT_OUT

    def became(self, name: str) -> str:
        """Return what becomes of a field."""
        return self.becomes.get(name, self.becomes.get(name.lower(), self.others))


def imported(
    request: event_pb.CreateEventRequest, product: str, own_id: str, record: Record
) -> event_pb.Event:
    """Return the event to import for what an intake would record.

    Its id follows from the record's own id, or from all of the record where it has none: so the same record
    is the same event.

    Raises:
        TrackerError: INVALID_ARGUMENT; it has no time, as counts and other aggregates have none.
    """
    attributes = request.attributes or event_pb.EventAttributes()
    if attributes.start_date is None:
        raise refused("", "the record has no time at which it happened")
    if own_id and not attributes.external_id:
        attributes.external_id = own_id
    told = own_id or json.dumps(record, sort_keys=True, default=str)
    metadata = event_pb.EventMetadata(id=str(uuid5(_IMPORTED, f"{product}\n{told}")))
    links = request.links or event_pb.EventLinks()
    return event_pb.Event(title=request.title, attributes=attributes, links=links, metadata=metadata)


def listed(value: Any, *names: str) -> Iterator[Record]:  # noqa: ANN401 - JSON is of any shape
    """Yield the records in a JSON value: it is one, a list of them, or has them under one of the names.

    Raises:
        ValueError: There is something else where a record should be.
    """
    if isinstance(value, list):
        for each in value:
            yield from listed(each, *names)
    elif isinstance(value, dict):
        within = next((value[name] for name in names if isinstance(value.get(name), list | dict)), None)
        if within is None:
            yield value
        else:
            yield from listed(within, *names)
    else:
        raise ValueError(f"expected an object or a list of objects, got {json.dumps(value)[:_SHOWN]}")  # noqa: TRY004 - an error of the value
