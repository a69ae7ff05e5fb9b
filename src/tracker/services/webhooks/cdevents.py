"""CDEvents 0.4 of changes of events: https://github.com/cdevents/spec.

Deployments are told as what becomes of a service, incidents as incidents, everything else as a pipeline run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.events import FINISHED, RUNNING, attributes_of, event_id
from tracker.pb import event_pb
from tracker.pb.options import name_if_set

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPEC: Final = "0.4.1"
_SOURCE: Final = "/tracker"
_NOWHERE: Final = "unknown"
"""The environment of an incident that names none: CDEvents require one."""
_Status, _Type = event_pb.Status, event_pb.Type
_NAMES: Final = {"service": "service", "incident": "incident", "pipelinerun": "pipelineRun"}
_OUTCOMES: Final = {_Status.failure: "failure", _Status.error: "error"}


def cdevent(head: Mapping[str, str], kind: str, event: event_pb.Event) -> str:
    """Return the CloudEvent that has a CDEvent as its data, given the attributes of one."""
    told, content, version = _told(kind, event)
    type_ = f"dev.cdevents.{told}.{version}"
    subject_id = content.pop("subjectId", event_id(event))
    data = {
        "context": {
            "version": _SPEC,
            "id": head["id"],
            "source": _SOURCE,
            "type": type_,
            "timestamp": head["time"],
        },
        "subject": {
            "id": subject_id,
            "source": _SOURCE,
            "type": _NAMES[told.partition(".")[0]],
            "content": content,
        },
        "customData": json.loads(event.to_json()),
        "customDataContentType": "application/json",
    }
    fields = {**head, "source": _SOURCE, "type": type_, "subject": subject_id, "data": data}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _told(kind: str, event: event_pb.Event) -> tuple[str, dict[str, Any], str]:
    """Return subject and predicate, the content of the subject, and the version of that type."""
    attributes = attributes_of(event)
    place = name_if_set(attributes.environment)
    environment = {"environment": {"id": place, "source": _SOURCE}} if place else {}
    service = {"service": {"id": attributes.service, "source": _SOURCE}}
    if attributes.type is _Type.incident:
        ended = kind == "event.deleted" or attributes.status in FINISHED
        predicate = "resolved" if ended else "detected" if kind == "event.created" else "reported"
        where = environment or {"environment": {"id": _NOWHERE, "source": _SOURCE}}
        described = {"description": event.title, **where, **service}
        return f"incident.{predicate}", described, "0.2.0"
    if (
        attributes.type is _Type.deployment
        and attributes.status in {_Status.success, _Status.done}
        and environment
        and attributes.version
    ):
        done = "rolledback" if attributes.labels.get("rollback") == "true" else "deployed"
        artifact = f"pkg:generic/{attributes.service}@{attributes.version}"
        return (
            f"service.{done}",
            {"subjectId": attributes.service, **environment, "artifactId": artifact},
            "0.2.0",
        )
    named: dict[str, Any] = {"pipelineName": attributes.service or event.title}
    if attributes.status in FINISHED or kind == "event.deleted":
        outcome = _OUTCOMES.get(attributes.status, "success" if attributes.status in FINISHED else "error")
        errors = {"errors": event.title} if attributes.status in _OUTCOMES else {}
        return "pipelinerun.finished", {**named, "outcome": outcome, **errors}, "0.2.0"
    return ("pipelinerun.started" if attributes.status in RUNNING else "pipelinerun.queued"), named, "0.2.0"
