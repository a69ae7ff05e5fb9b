"""The intake of Jenkins's Notification plugin: https://plugins.jenkins.io/notification/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracker.domain.times import timestamp
from tracker.intakes import tags
from tracker.intakes.integrations import Integration, event_request, identity, of_one_event
from tracker.intakes.requests import bounded, optional, part, refused, text
from tracker.pb import event_pb
from tracker.time_text import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.intakes.recorder import Recorder

_Status = event_pb.Status
_PHASES: Final = {"QUEUED": _Status.planned, "STARTED": _Status.start}
_RESULTS: Final = {
    "SUCCESS": _Status.success,
    "FAILURE": _Status.failure,
    "UNSTABLE": _Status.failure,
    "ABORTED": _Status.close,
    "NOT_BUILT": _Status.close,
}
_ENDS: Final = ("COMPLETED", "FINALIZED")
_MILLISECOND: Final = 1000


def jenkins(recorder: Recorder) -> Integration:
    """Return the intake of the builds of jobs."""
    return Integration(recorder, "jenkins", of_one_event(_event))


def _event(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    build = part(content, "build")
    phase, result = text(build, "phase"), text(build, "status")
    status = _RESULTS.get(result) if phase in _ENDS else _PHASES.get(phase)
    if status is None:
        return "unsupported phase"
    job, number, scm = text(content, "name"), identity(build, "number"), part(build, "scm")
    if not job:
        raise refused("name", "expected the name of a job")
    began, lasted = _micros(build, "timestamp"), _micros(build, "duration")
    attributes = event_pb.EventAttributes(
        source="jenkins",
        external_id=bounded(f"{text(content, 'url') or job}#{number}"),
        type=event_pb.Type.operation,
        status=status,
        start_date=timestamp(began) if began else None,
    )
    tags.apply(_parameters(build), attributes)
    if attributes.environment or "environment" in attributes.labels:
        attributes.type = event_pb.Type.deployment
    attributes.service = attributes.service or job
    culprits = optional(scm, "culprits", list) or [""]
    attributes.owner = attributes.owner or (culprits[0] if isinstance(culprits[0], str) else "")
    return event_request(
        attributes,
        f"{text(content, 'display_name') or job} #{number}",
        "",
        {
            "job": job,
            "result": result,
            "sha": text(scm, "commit"),
            "branch": text(scm, "branch"),
            "repository": text(scm, "url"),
            "url": text(build, "full_url"),
        },
        timestamp(min(began + lasted, LATEST)) if began and lasted else None,
    )


def _parameters(build: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parameters of a build that name a field of an event, as tags."""
    for name, value in part(build, "parameters").items():
        if name.lower() in tags.FIELD_OF and isinstance(value, str | int | float) and value != "":
            yield f"{name}:{value}"


def _micros(build: Mapping[str, Any], name: str) -> int:
    """Return a number of milliseconds in microseconds, 0 where there is none."""
    given = optional(build, name, int) or 0
    if not 0 <= given <= LATEST // _MILLISECOND:
        raise refused(name, "expected milliseconds")
    return given * _MILLISECOND
