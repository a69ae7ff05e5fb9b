"""Datagrams of DogStatsD: events, and how many metrics and service checks came with them.

https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/. An event begins with the lengths of its title
and its text. The protocol counts bytes of UTF-8; some clients count UTF-16 units, and shells characters.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.errors import TrackerError
from tracker.intakes.datadog import PRIORITIES, STATUSES, event_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.pb import event_pb

_HEADER = re.compile(rb"_e\{([0-9]{1,5}),([0-9]{1,5})\}:")
_METRIC = re.compile(rb"[^_:|][^:|]*:[^|]*\|")
_FIELDS: Final = {
    "d": "date_happened",
    "h": "host",
    "k": "aggregation_key",
    "p": "priority",
    "s": "source_type_name",
    "t": "alert_type",
}
_CHOICES: Final[Mapping[str, Mapping[str, object]]] = {"p": PRIORITIES, "t": STATUSES}
"""The values of fields that have one of a few: nobody would hear that an event was refused for another."""
_ENCODINGS: Final = (("utf-8", 1), ("utf-16-le", 2), ("utf-32-le", 4))
"""Encodings, and the bytes of a unit that lengths may count."""
_SEPARATOR = "|"
_LARGEST: Final = 8_192
"""Bytes of a datagram; clients send no larger ones."""


class _Split(NamedTuple):
    """The title and the text of an event, and what follows on its line and after that."""

    title: str
    text: str
    fields: str
    rest: bytes


@dataclass(slots=True)
class Messages:
    """What a datagram has: events to record, and how many messages there are of each kind."""

    events: list[event_pb.CreateEventRequest] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def parse(datagram: bytes) -> Messages:
    """Return what a datagram has; each of its messages counts for itself."""
    messages = Messages()
    if len(datagram) > _LARGEST:
        messages.counts["malformed"] = 1
        return messages
    while datagram:
        header = _HEADER.match(datagram)
        split = None if header is None else _split(datagram[header.end() :], int(header[1]), int(header[2]))
        if split is not None:
            datagram = split.rest
            messages.counts[_take(split, messages.events)] += 1
            continue
        line, _, datagram = datagram.partition(b"\n")
        if line:
            messages.counts[_kind(line)] += 1
    return messages


def _kind(line: bytes) -> str:
    if line.startswith(b"_sc|"):
        return "check"
    return "metric" if _METRIC.match(line) else "malformed"


def _split(body: bytes, title: int, text: int) -> _Split | None:
    """Return the parts of an event, counted in the first unit that has separators where they must be."""
    try:
        whole = body.decode()
    except UnicodeDecodeError:
        return None
    for encoding, unit in _ENCODINGS:
        encoded = body if encoding == "utf-8" else whole.encode(encoding)
        bounds = (0, title * unit), ((title + 1) * unit, (title + 1 + text) * unit)
        try:
            first, between, second, rest = (
                encoded[begin:end].decode(encoding)
                for begin, end in (bounds[0], (bounds[0][1], bounds[1][0]), bounds[1], (bounds[1][1], None))
            )
        except UnicodeDecodeError:
            continue
        if len(encoded) >= bounds[1][1] and between == _SEPARATOR and rest[:1] in ("", "\n", _SEPARATOR):
            fields, _, others = rest.partition("\n")
            return _Split(first, second, fields, others.encode())
    return None


def _take(split: _Split, events: list[event_pb.CreateEventRequest]) -> str:
    """Add the request for an event; return the kind of message that it was."""
    title, text = (each.replace("\\n", "\n") for each in (split.title, split.text))
    content: dict[str, object] = {"title": title, "text": text or title}
    for part in split.fields.split(_SEPARATOR):
        if part.startswith("#"):
            content["tags"] = part[1:].split(",")
        elif part[1:2] == ":" and part[0] in _FIELDS and len(part) > len("d:"):
            name, value = part[0], part[2:]
            if name not in _CHOICES or value.lower() in _CHOICES[name]:
                content[_FIELDS[name]] = value
    try:
        if "date_happened" in content:
            content["date_happened"] = int(str(content["date_happened"]))
        events.append(event_request(content))
    except (TrackerError, ValueError):
        return "malformed"
    return "event"
