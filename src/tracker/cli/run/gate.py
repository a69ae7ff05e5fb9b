"""What `tracker run --gate` asks before it runs a command."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tracker.cli.can_deploy import checked, exit_code, summary
from tracker.cli.exits import CommandError
from tracker.cli.printing import say
from tracker.client.rpcs import CHECK_DEPLOYMENT
from tracker.pb import event_pb
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from tracker.client.connection import Connection


class NotAllowedError(CommandError):
    """The server does not allow what was to be run."""


def require_allowed(
    connection: Connection, event: event_pb.CreateEventRequest, wait: timedelta, event_id: str = ""
) -> None:
    """Check that what an event records may begin, or wait so long until it may.

    `event_id` is the id of the event once it is recorded; before, its approvals are those of the one that it
    links to. With a reason to override, what forbids it is only printed; the server records why.

    Raises:
        NotAllowedError: It may not, or not yet.
    """
    attributes = event.attributes or event_pb.EventAttributes()
    request = CHECK_DEPLOYMENT.request(
        service=attributes.service,
        environment=wire_name(attributes.environment),
        version=attributes.version,
        event_id=event_id or attributes.related_id,
    )
    answer = checked(connection, request, timedelta() if event.override_reason else wait)
    for reason in () if event_id else answer.reasons:
        if reason.verdict.name == "yes":
            say(f"warning: {reason.text}")
    code = exit_code(answer)
    if code and event.override_reason:
        say(f"overridden: {summary(answer)}")
    elif code:
        raise NotAllowedError(summary(answer), code)
