"""The intake of GitHub's webhooks: https://docs.github.com/en/webhooks/webhook-events-and-payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from tracker.intakes import tags
from tracker.intakes.integrations import (
    PONG,
    Integration,
    Record,
    commit_of,
    event_request,
    identity,
    one_event,
    pushed,
    time_of,
    version_of,
)
from tracker.intakes.requests import LONGEST_LABEL, json_object, optional, part, refused, text
from tracker.intakes.signatures import hexadecimal
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.intakes.integrations import Received
    from tracker.intakes.recorder import Recorder

is_signed: Final = hexadecimal("x-hub-signature-256", {"sha256=": "sha256"})

_Status = event_pb.Status
_LARGEST: Final = 25 * 2**20
"""Bytes of a message: GitHub sends no larger ones, and does not send again what is refused."""
_STATES: Final = {
    "pending": _Status.start,
    "queued": _Status.start,
    "in_progress": _Status.in_progress,
    "waiting": _Status.waiting_approval,
    "success": _Status.success,
    "failure": _Status.failure,
    "error": _Status.error,
}
_STAGES: Final = {"requested": _Status.planned, "in_progress": _Status.in_progress}
_CONCLUSIONS: Final = {
    "success": _Status.success,
    "failure": _Status.failure,
    "timed_out": _Status.failure,
    "startup_failure": _Status.failure,
    "cancelled": _Status.close,
}


def github(recorder: Recorder) -> Integration:
    """Return the intake of the deployments, runs of workflows and releases of repositories."""
    return Integration(
        recorder, "github", received, is_signed, delivery="x-github-delivery", largest=_LARGEST
    )


def received(body: bytes, headers: Mapping[str, str]) -> Received:
    """Return what a message records, or why it records nothing.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = _payload(body)
    content = json_object(body)
    match headers.get("x-github-event", ""):
        case "":
            return "no X-GitHub-Event"
        case "push":
            return _push(content)
        case "pull_request":
            return _pull_request(content)
        case kind:
            return one_event(_event(kind, content), content)


def _event(kind: str, content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    match kind:
        case "ping":
            return PONG
        case "deployment":
            return _deployment(content, {"state": "pending"})
        case "deployment_status":
            return _deployment(content, part(content, "deployment_status"))
        case "workflow_run":
            return _workflow_run(content)
        case "release":
            return _release(content)
    return "unsupported event"


def _payload(body: bytes) -> bytes:
    try:
        return dict(parse_qsl(body, max_num_fields=10)).get(b"payload", b"")
    except ValueError:
        raise refused("payload", "expected a form") from None


def _attributes(content: Mapping[str, Any], kind: str, own: Mapping[str, Any]) -> event_pb.EventAttributes:
    """Return the attributes of what happens in a repository."""
    repository = text(part(content, "repository"), "full_name")
    people = (part(own, name) for name in ("creator", "actor", "author"))
    return event_pb.EventAttributes(
        source="github",
        external_id=f"{kind}:{identity(own, 'id')}",
        type=event_pb.Type.deployment if kind == "deployment" else event_pb.Type.operation,
        service=repository.rpartition("/")[2],
        owner=next(filter(None, (text(each, "login") for each in people)), ""),
        labels={"repository": repository[:LONGEST_LABEL]} if repository else {},
    )


def _deployment(content: Mapping[str, Any], state: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    deployment = part(content, "deployment")
    status = _STATES.get(text(state, "state"))
    if status is None:
        return "unsupported status"
    attributes = _attributes(content, "deployment", deployment)
    attributes.status = status
    attributes.start_date = time_of(deployment, "created_at")
    attributes.version = version_of(text(deployment, "ref"), text(deployment, "sha"))
    environment = text(state, "environment") or text(deployment, "environment")
    tags.apply([f"environment:{environment}"] if environment else [], attributes)
    title = f"Deploy {attributes.service} {attributes.version}"
    return event_request(
        attributes,
        f"{title} to {environment}" if environment else title,
        text(state, "description") or text(deployment, "description"),
        {
            "sha": text(deployment, "sha"),
            "ref": text(deployment, "ref"),
            "task": text(deployment, "task"),
            "url": text(state, "log_url") or text(state, "target_url"),
        },
        time_of(state, "created_at"),
    )


def _workflow_run(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    run, action = part(content, "workflow_run"), text(content, "action")
    if action not in (*_STAGES, "completed"):
        return "unsupported action"
    attributes = _attributes(content, "workflow_run", run)
    attributes.external_id += f":{text(run, 'run_attempt')[:20] or '1'}"
    attributes.status = _STAGES.get(action) or _CONCLUSIONS.get(text(run, "conclusion"), _Status.done)
    attributes.start_date = time_of(run, "run_started_at") or time_of(run, "created_at")
    name = text(run, "name") or text(run, "path").rpartition("/")[2] or "Workflow"
    return event_request(
        attributes,
        f"{name} #{text(run, 'run_number')} of {attributes.service}",
        text(run, "display_title") or text(part(run, "head_commit"), "message"),
        {
            "sha": text(run, "head_sha"),
            "branch": text(run, "head_branch"),
            "conclusion": text(run, "conclusion"),
            "url": text(run, "html_url"),
        },
        time_of(run, "updated_at"),
    )


def _repository(content: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of the repository with its owner, and without."""
    full = text(part(content, "repository"), "full_name")
    return full, full.rpartition("/")[2]


def _push(content: Mapping[str, Any]) -> Received:
    commits = optional(content, "commits", list) or []
    return pushed(
        [
            commit_of(
                *_repository(content),
                text(each, "id"),
                time_of(each, "timestamp"),
                text(each, "message"),
            )
            for each in commits
            if isinstance(each, dict)
        ],
        content,
    )


def _pull_request(content: Mapping[str, Any]) -> Received:
    change = part(content, "pull_request")
    if text(content, "action") != "closed" or change.get("merged") is not True:
        return "unsupported action"
    attributes = _attributes(content, "pull_request", change)
    attributes.status = _Status.done
    attributes.start_date, merged = time_of(change, "created_at"), time_of(change, "merged_at")
    attributes.owner = text(part(change, "user"), "login")
    sha = text(change, "merge_commit_sha")
    asked = event_request(
        attributes,
        f"Merge #{text(change, 'number')} of {attributes.service}: {text(change, 'title')}",
        text(change, "body"),
        {"sha": sha, "branch": text(part(change, "base"), "ref"), "url": text(change, "html_url")},
        merged,
    )
    commit = commit_of(*_repository(content), sha, merged)
    return [Record(asked, content, commits=[commit] if commit else [])]


def _release(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    if text(content, "action") != "published":
        return "unsupported action"
    release = part(content, "release")
    attributes = _attributes(content, "release", release)
    attributes.status = _Status.success
    attributes.start_date = published = time_of(release, "published_at")
    attributes.version = text(release, "tag_name")
    return event_request(
        attributes,
        f"Release {text(release, 'name') or attributes.version} of {attributes.service}",
        text(release, "body"),
        {
            "url": text(release, "html_url"),
            "prerelease": "true" if release.get("prerelease") is True else "",
        },
        published,
    )
