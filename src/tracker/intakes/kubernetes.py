"""The intake of Kubernetes events, as `kubectl get events -o json` prints them, once or as it watches.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from tracker.intakes import tags
from tracker.intakes.integrations import Integration, Record, event_request, identity, time_of
from tracker.intakes.requests import json_value, part, refused, text
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.intakes.integrations import Received
    from tracker.intakes.recorder import Recorder

_Status = event_pb.Status
_REASONS: Final = frozenset(
    {
        "Killing",
        "NodeNotReady",
        "NodeReady",
        "Preempted",
        "Rebooted",
        "RegisteredNode",
        "RemovingNode",
        "ScalingReplicaSet",
        "SuccessfulRescale",
        "TaintManagerEviction",
        "TriggeredScaleUp",
    }
)
"""What is recorded of events other than warnings."""
_GENERATED: Final = {
    "Pod": re.compile(r"(?:-[bcdf-hj-np-tv-z2-9]{8,10})?-[bcdf-hj-np-tv-z2-9]{5}$|-[0-9]+$"),
    "ReplicaSet": re.compile(r"-[bcdf-hj-np-tv-z2-9]{8,10}$"),
    "Job": re.compile(r"-[0-9]{8,10}$"),
}
"""What controllers add to the names of what they create."""
_MOST: Final = 1_000
"""Events of a message."""
_LONGEST_NAME: Final = 253


def kubernetes(recorder: Recorder) -> Integration:
    """Return the intake of warnings, and of what controllers do."""
    return Integration(recorder, "kubernetes", received)


def received(body: bytes, _headers: Mapping[str, str]) -> Received:
    """Return what a message records, or why it records nothing.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    found = [*_events(body)]
    if len(found) > _MOST:
        raise refused("items", f"expected up to {_MOST} events")
    kept = [each for each in found if text(each, "type") == "Warning" or text(each, "reason") in _REASONS]
    return [Record(_event(each), each) for each in kept] or ("unsupported reason" if found else "no events")


def _events(body: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a list, of one object, or of objects that are one a line."""
    try:
        values = [orjson.loads(body)]
    except orjson.JSONDecodeError:
        lines = [each for each in body.split(b"\n") if each.strip()]
        if len(lines) < 2:  # noqa: PLR2004 - it is not a message of several lines
            raise refused("", "expected JSON: a list, an event, or one event a line") from None
        if len(lines) > _MOST:
            raise refused("", f"expected up to {_MOST} lines") from None
        values = [json_value(each) for each in lines]
    for value in values:
        if not isinstance(value, dict):
            raise refused("", "expected objects")
        if "items" in value:
            items = value["items"]
            if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
                raise refused("items", "expected a list of events")
            yield from items
        elif isinstance(value.get("object"), dict):  # of a watch
            if text(value, "type") in ("ADDED", "MODIFIED"):
                yield value["object"]
        else:
            yield value


def _event(content: Mapping[str, Any]) -> event_pb.CreateEventRequest:
    metadata, series = part(content, "metadata"), part(content, "series")
    about = part(content, "involvedObject") or part(content, "regarding")
    kind, name, reason = text(about, "kind"), text(about, "name")[:_LONGEST_NAME], text(content, "reason")
    first = next(filter(None, (time_of(content, each) for each in ("firstTimestamp", "eventTime"))), None)
    last = time_of(series, "lastObservedTime") or time_of(content, "lastTimestamp") or first
    warns = text(content, "type") == "Warning"
    namespace = text(about, "namespace") or text(metadata, "namespace")
    attributes = event_pb.EventAttributes(
        source="kubernetes",
        external_id=identity(metadata, "uid"),
        type=event_pb.Type.operation,
        status=_Status.warning if warns else _Status.done,
        service=_GENERATED[kind].sub("", name) if kind in _GENERATED else name,
        start_date=first or time_of(metadata, "creationTimestamp"),
    )
    tags.apply([f"environment:{namespace}"] if namespace else [], attributes)
    if not attributes.environment:
        attributes.labels = {}
    reporter = text(content, "reportingComponent") or text(content, "reportingController")
    asked = event_request(
        attributes,
        f"{reason or 'Event'} of {kind} {name}".rstrip(),
        text(content, "message") or text(content, "note"),
        {
            "reason": reason,
            "kind": kind,
            "name": name,
            "namespace": namespace,
            "count": text(series, "count") or text(content, "count"),
            "reporter": reporter or text(part(content, "source"), "component"),
        },
        last,
    )
    attributes.end_date = last
    return asked
