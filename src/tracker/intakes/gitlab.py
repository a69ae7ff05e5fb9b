"""The intake of GitLab's webhooks: https://docs.gitlab.com/user/project/integrations/webhook_events/."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any, Final

from tracker.intakes import tags
from tracker.intakes.integrations import (
    Integration,
    commit_of,
    event_request,
    identity,
    one_event,
    pushed,
    time_of,
    version_of,
)
from tracker.intakes.requests import LONGEST_LABEL, json_object, optional, part, text
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.intakes.integrations import Received
    from tracker.intakes.recorder import Recorder

_Status = event_pb.Status
_DEPLOYMENTS: Final = {
    "created": _Status.planned,
    "running": _Status.start,
    "success": _Status.success,
    "failed": _Status.failure,
    "canceled": _Status.close,
    "blocked": _Status.waiting_approval,
    "rejected": _Status.close,
}
_PIPELINES: Final = {
    "created": _Status.planned,
    "waiting_for_resource": _Status.planned,
    "preparing": _Status.planned,
    "pending": _Status.planned,
    "scheduled": _Status.planned,
    "running": _Status.in_progress,
    "success": _Status.success,
    "failed": _Status.failure,
    "canceled": _Status.close,
    "skipped": _Status.done,
    "manual": _Status.waiting_approval,
}
_HOST: Final = re.compile(r"https?://([^/?#]{1,80})")
_COMMIT: Final = re.compile(r"/commit/([0-9a-f]{1,64})")


def gitlab(recorder: Recorder) -> Integration:
    """Return the intake of the deployments, pipelines and releases of projects."""
    return Integration(recorder, "gitlab", received, has_token, delivery="idempotency-key")


def has_token(secret: bytes, _body: bytes, headers: Mapping[str, str]) -> bool:
    """Return whether a message has the secret, which GitLab sends as it is."""
    return hmac.compare_digest(headers.get("x-gitlab-token", "").encode("latin-1"), secret)


def received(body: bytes, _headers: Mapping[str, str]) -> Received:
    """Return what a message records, or why it records nothing.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    content = json_object(body)
    if text(content, "object_kind") == "push":
        return _push(content)
    return one_event(_event(content), content)


def _event(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    match text(content, "object_kind"):
        case "deployment":
            return _deployment(content)
        case "pipeline":
            return _pipeline(content)
        case "release":
            return _release(content)
    return "unsupported object_kind"


def _attributes(content: Mapping[str, Any], own: str) -> event_pb.EventAttributes:
    """Return the attributes of what happens in a project."""
    project = part(content, "project")
    path, host = text(project, "path_with_namespace"), _HOST.match(text(project, "web_url"))
    return event_pb.EventAttributes(
        source="gitlab",
        external_id=f"{host[1] if host else 'gitlab'}:{own}",
        type=event_pb.Type.operation,
        service=path.rpartition("/")[2],
        owner=text(part(content, "user"), "username"),
        labels={"project": path[:LONGEST_LABEL]} if path else {},
    )


def _deployment(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    status = _DEPLOYMENTS.get(text(content, "status"))
    if status is None:
        return "unsupported status"
    at, ref, short = time_of(content, "status_changed_at"), text(content, "ref"), text(content, "short_sha")
    attributes = _attributes(content, f"deployment:{identity(content, 'deployment_id')}")
    attributes.type, attributes.status = event_pb.Type.deployment, status
    attributes.start_date = at if status in (_Status.planned, _Status.start) else None
    attributes.version = version_of(ref, short)
    environment = text(content, "environment")
    for place in (environment.partition("/")[0], text(content, "environment_tier")):
        if place and not attributes.environment:
            tags.apply([f"environment:{place}"], attributes)
    found = _COMMIT.search(text(content, "commit_url")[:2000])
    title = f"Deploy {attributes.service} {attributes.version}"
    return event_request(
        attributes,
        f"{title} to {environment}" if environment else title,
        text(content, "commit_title"),
        {"sha": found[1] if found else short, "ref": ref, "url": text(content, "deployable_url")},
        at,
    )


def _pipeline(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    pipeline, commit = part(content, "object_attributes"), part(content, "commit")
    status = _PIPELINES.get(text(pipeline, "status"))
    if status is None:
        return "unsupported status"
    own = identity(pipeline, "id")
    attributes = _attributes(content, f"pipeline:{own}")
    attributes.status, attributes.start_date = status, time_of(pipeline, "created_at")
    return event_request(
        attributes,
        f"Pipeline #{own} of {attributes.service}",
        text(commit, "title") or text(commit, "message"),
        {"sha": text(pipeline, "sha"), "branch": text(pipeline, "ref"), "url": text(pipeline, "url")},
        time_of(pipeline, "finished_at"),
    )


def _push(content: Mapping[str, Any]) -> Received:
    path = text(part(content, "project"), "path_with_namespace")
    commits = optional(content, "commits", list) or []
    return pushed(
        [
            commit_of(
                path,
                path.rpartition("/")[2],
                text(each, "id"),
                time_of(each, "timestamp"),
                text(each, "message"),
            )
            for each in commits
            if isinstance(each, dict)
        ],
        content,
    )


def _release(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    if text(content, "action") != "create":
        return "unsupported action"
    attributes = _attributes(content, f"release:{identity(content, 'id')}")
    attributes.status, attributes.version = _Status.success, text(content, "tag")
    attributes.start_date = released = time_of(content, "released_at") or time_of(content, "created_at")
    return event_request(
        attributes,
        f"Release {text(content, 'name') or attributes.version} of {attributes.service}",
        text(content, "description"),
        {"url": text(content, "url")},
        released,
    )
