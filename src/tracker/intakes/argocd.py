"""The intake of Argo CD's notifications, as the template in `deploy/argocd/` sends them.

https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/webhook/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracker.intakes import tags
from tracker.intakes.integrations import Integration, event_request, of_one_event, time_of
from tracker.intakes.requests import bounded, optional, part, refused, text
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.intakes.recorder import Recorder

_Status = event_pb.Status
_PHASES: Final = {
    "Running": _Status.start,
    "Terminating": _Status.in_progress,
    "Succeeded": _Status.in_progress,
    "Failed": _Status.failure,
    "Error": _Status.error,
}
_HEALTH: Final = {"Healthy": _Status.success, "Degraded": _Status.failure}
"""Of an application whose sync has succeeded; others are not there yet."""
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_SHORT: Final = 8


def argocd(recorder: Recorder) -> Integration:
    """Return the intake of the syncs of applications, whose health is told long after a sync, too."""
    return Integration(recorder, "argocd", of_one_event(_event, keeps=True, series="application"))


def _event(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    name, phase = text(content, "application"), text(content, "phase")
    if not name:
        raise refused("application", "expected the name of an application")
    status = _PHASES.get(phase)
    if status is None:
        return "unsupported phase"
    if phase == "Succeeded":
        status = _HEALTH.get(text(content, "health"), status)
    started, finished = time_of(content, "started_at"), time_of(content, "finished_at")
    revision = text(content, "revision")
    attributes = event_pb.EventAttributes(
        source="argocd",
        external_id=bounded(f"{text(content, 'namespace')}/{name}@{text(content, 'started_at') or revision}"),
        type=event_pb.Type.deployment,
        status=status,
        start_date=started,
    )
    labels = part(content, "labels")
    tags.apply((f"{key}:{of}" for key, of in labels.items() if isinstance(of, str) and of), attributes)
    attributes.service = attributes.service or name
    attributes.owner = attributes.owner or text(content, "initiated_by")
    commit = revision if _COMMIT.fullmatch(revision) else ""
    attributes.version = attributes.version or _image_version(content) or (commit[:_SHORT] or revision)
    return event_request(
        attributes,
        f"Deploy {attributes.service} {attributes.version}".rstrip(),
        text(content, "message"),
        {
            "application": name,
            "project": text(content, "project"),
            "namespace": text(content, "destination"),
            "repository": text(content, "repository"),
            "sha": commit,
            "health": text(content, "health"),
            "url": text(content, "url"),
        },
        finished,
    )


def _image_version(content: Mapping[str, Any]) -> str:
    """Return the tag of the image, if the application has one image alone."""
    images = optional(content, "images", list) or []
    if len(images) != 1 or not isinstance(images[0], str):
        return ""
    _, colon, tag = images[0].partition("@")[0].rpartition("/")[2].partition(":")
    return tag if colon else ""
