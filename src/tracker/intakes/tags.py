"""Tags `key:value`, as clients of other products have them, and what an event has instead of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracker.domain.query.fields import BY_NAME, LABEL_NAME, named
from tracker.domain.query.tree import one_of
from tracker.intakes.requests import LONGEST, LONGEST_LABEL, refused
from tracker.pb import event_pb
from tracker.pb.options import number_named, wire_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracker.domain.query.tree import Node

FIELD_OF: Final = {
    **{
        key: key for key in ("service", "version", "owner", "type", "status", "priority", "region", "cluster")
    },
    "environment": "environment",
    "env": "environment",
    "svc": "service",
    "external_id": "external_id",
    "event_type": "type",
    "team": "owner",
    "cluster_name": "cluster",
    "kube_cluster_name": "cluster",
}
"""The field of an event for the key of a tag; other keys are those of labels."""
CHOICES: Final = {
    "environment": event_pb.Environment,
    "type": event_pb.Type,
    "status": event_pb.Status,
    "priority": event_pb.Priority,
}
"""The fields that have one of a few values."""
LEFT: Final = "tags"
"""The label with the tags, separated by commas, that can be neither a field nor a label."""

_LABEL = re.compile(LABEL_NAME)
_LONGEST_KEY: Final = 100
_MOST: Final = 60
"""Labels of tags; an event has up to 64, and senders add a few of their own."""
_WRITTEN: Final = ("service", "environment", "version", "owner", "region", "cluster", "type", "status")


def apply(tags: Iterable[str], attributes: event_pb.EventAttributes) -> None:
    """Set the fields and labels that tags name; the first of a key counts, one without value is `true`."""
    labels, left = dict(attributes.labels), []
    for tag in tags:
        key, colon, value = (part.strip() for part in tag.partition(":"))
        if not key:
            continue
        value = value if colon else "true"
        is_field = _set(attributes, FIELD_OF.get(key.lower(), ""), value)
        if is_field and key.lower() != "team":
            continue
        fits = _LABEL.fullmatch(key) and len(key) <= _LONGEST_KEY and 0 < len(value) <= LONGEST_LABEL
        if fits and key not in labels and key != LEFT and len(labels) < _MOST:
            labels[key] = value
        elif not is_field and labels.get(key) != value:
            left.append(tag)
    if left:
        labels[LEFT] = ",".join(left)[:LONGEST_LABEL]
    attributes.labels = labels


def _set(attributes: event_pb.EventAttributes, field: str, value: str) -> bool:
    """Set a field that has no value, and return whether it has this value now."""
    if not field or not value or len(value) > LONGEST:
        return False
    if field in CHOICES:
        choice = CHOICES[field]
        number = number_named(choice.desc(), value)
        if not number:
            return False
        setattr(attributes, field, getattr(attributes, field) or choice(number))
        return bool(getattr(attributes, field) == number)
    setattr(attributes, field, getattr(attributes, field) or value)
    return bool(getattr(attributes, field) == value)


def said(attributes: event_pb.EventAttributes, field: str) -> str:
    """Return the value of a field with one of a few values, or a tag for it that is none of these."""
    value = getattr(attributes, field)
    if value:
        return wire_name(value)
    return next((attributes.labels[key] for key in _keys(field) if key in attributes.labels), "")


def choose(attributes: event_pb.EventAttributes, field: str, value: str) -> bool:
    """Set a field with one of a few values, instead of a tag for it; return whether it can have the value."""
    number = number_named(CHOICES[field].desc(), value)
    if number:
        setattr(attributes, field, CHOICES[field](number))
        attributes.labels = {name: of for name, of in attributes.labels.items() if name not in _keys(field)}
    return bool(number)


def _keys(field: str) -> list[str]:
    return [key for key, of in FIELD_OF.items() if of == field]


def tags_of(attributes: event_pb.EventAttributes) -> list[str]:
    """Return the tags of an event, those that it came with among them."""
    return [*_written(attributes)]


def _written(attributes: event_pb.EventAttributes) -> Iterator[str]:
    labels = attributes.labels
    for field in _WRITTEN:
        value = getattr(attributes, field)
        text = wire_name(value) if value and field in CHOICES else str(value or "")
        if text and not (field == "owner" and labels.get("team") == text):
            yield f"{'env' if field == 'environment' else field}:{text}"
    for key, value in labels.items():
        if key == LEFT:
            yield from value.split(",")
        else:
            yield key if value == "true" else f"{key}:{value}"


def matching(tag: str) -> Node:
    """Return the condition for events with a tag.

    Raises:
        TrackerError: INVALID_ARGUMENT; no event can have it.
    """
    key, colon, value = (part.strip() for part in tag.partition(":"))
    field = FIELD_OF.get(key.lower(), "")
    if field in CHOICES:
        number = number_named(CHOICES[field].desc(), value)
        if number:
            return one_of(BY_NAME[field], (number,))
    elif field and value:
        return one_of(BY_NAME[field], (value,))
    label = named(f"label.{key}")
    if label is None or not (value or not colon):
        raise refused("tags", f"no event has the tag {tag[:_LONGEST_KEY]}")
    return one_of(label, (value if colon else "true",))
