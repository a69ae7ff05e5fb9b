"""The intake of notifications of HCP Terraform and Terraform Enterprise.

https://developer.hashicorp.com/terraform/cloud-docs/api-docs/notification-configurations
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracker.intakes import tags
from tracker.intakes.integrations import (
    PONG,
    Integration,
    Record,
    event_request,
    identity,
    one_event,
    time_of,
)
from tracker.intakes.requests import json_object, optional, part, refused, text
from tracker.intakes.signatures import hexadecimal
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.intakes.integrations import Received
    from tracker.intakes.recorder import Recorder

is_signed: Final = hexadecimal("x-tfe-notification-signature", {"": "sha512"})

_Status, _Type = event_pb.Status, event_pb.Type
_STAGES: Final = {
    "run:created": _Status.planned,
    "run:planning": _Status.planned,
    "run:needs_attention": _Status.waiting_approval,
    "run:applying": _Status.in_progress,
    "run:completed": _Status.success,
    "run:errored": _Status.failure,
}
_CLOSED: Final = ("canceled", "force_canceled", "discarded", "planned_and_finished")
"""The statuses of runs that applied nothing, as people ended them or a plan was all, or had no changes."""
_ASSESSMENTS: Final = {
    "assessment:drifted": (_Type.drift, _Status.warning, "has drifted"),
    "assessment:check_failure": (_Type.operation, _Status.failure, "fails its checks"),
    "assessment:failed": (_Type.operation, _Status.error, "could not be assessed"),
}
_MOST: Final = 100


def terraform(recorder: Recorder) -> Integration:
    """Return the intake of runs and of health assessments of workspaces."""
    return Integration(recorder, "terraform", received, is_signed)


def received(body: bytes, _headers: Mapping[str, str]) -> Received:
    """Return what a message records, or why it records nothing.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    content = json_object(body)
    if "details" in content or text(content, "trigger_scope"):
        return one_event(_assessment(content), content)
    notifications = optional(content, "notifications", list) or []
    if len(notifications) > _MOST or not all(isinstance(each, dict) for each in notifications):
        raise refused("notifications", f"expected a list of up to {_MOST} objects")
    triggers = [text(each, "trigger") for each in notifications]
    if "verification" in triggers:
        return PONG
    runs = [
        Record(_run(content, each, _STAGES[trigger]), content | each)
        for trigger, each in zip(triggers, notifications, strict=True)
        if trigger in _STAGES
    ]
    return runs or "unsupported trigger"


def _attributes(content: Mapping[str, Any]) -> event_pb.EventAttributes:
    """Return the attributes of what happens in a workspace.

    One whose name ends with an environment, such as `cart-prod`, is that of a service there.
    """
    workspace = text(content, "workspace_name")
    attributes = event_pb.EventAttributes(source="terraform", service=workspace)
    service, dash, place = workspace.rpartition("-")
    tags.apply([f"environment:{place}"] if dash and service else [], attributes)
    if attributes.environment:
        attributes.service = service
    attributes.labels = {
        "workspace": workspace,
        "organization": text(content, "organization_name"),
    }
    return attributes


def _run(
    content: Mapping[str, Any], notification: Mapping[str, Any], status: event_pb.Status
) -> event_pb.CreateEventRequest:
    attributes = _attributes(content)
    attributes.external_id = f"run:{identity(content, 'run_id')}"
    closed = text(notification, "run_status") in _CLOSED
    attributes.type, attributes.status = _Type.deployment, _Status.close if closed else status
    attributes.owner = text(content, "run_created_by")
    attributes.start_date = time_of(content, "run_created_at")
    return event_request(
        attributes,
        f"Terraform run in {text(content, 'workspace_name') or 'a workspace'}",
        "\n".join(filter(None, (text(content, "run_message"), text(notification, "message")))),
        attributes.labels | {"run_status": text(notification, "run_status"), "url": text(content, "run_url")},
        time_of(notification, "run_updated_at"),
    )


def _assessment(content: Mapping[str, Any]) -> event_pb.CreateEventRequest | str:
    details, trigger = part(content, "details"), text(content, "trigger").strip()
    if trigger == "verification":
        return PONG
    if trigger not in _ASSESSMENTS:
        return "unsupported trigger"
    result = part(details, "new_assessment_result")
    attributes = _attributes(details)
    attributes.external_id = f"assessment:{identity(result, 'id')}"
    attributes.type, attributes.status, happened = _ASSESSMENTS[trigger]
    attributes.start_date = at = time_of(result, "created_at")
    return event_request(
        attributes,
        f"{text(details, 'workspace_name') or 'A workspace'} {happened}",
        text(content, "message"),
        attributes.labels
        | {
            name: text(result, name)
            for name in ("resources_drifted", "resources_undrifted", "checks_failed", "checks_errored")
        },
        at,
    )
