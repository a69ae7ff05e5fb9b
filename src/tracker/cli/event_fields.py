"""The fields of events as `make generate` found them in the protos: to load those takes too long for help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).parent / "spec" / "event_fields.json"

_DERIVED = ("has", "since", "text", "time", "until")
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

FACETS = tuple(field.query for field in FIELDS if field.facet)
"""Names of the fields that events are counted by, beside labels."""


def facet_names() -> list[str]:
    """Return what completes the name of a field to count by."""
    return sorted(FACETS)


def query_names() -> list[str]:
    """Return what completes the name of a field in a query."""
    return sorted(f"{name}:" for name in (*_DERIVED, *(field.query for field in FIELDS if field.query)))
