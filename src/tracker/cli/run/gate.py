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


def require_allowed(connection: Connection, event: event_pb.CreateEventRequest, wait: timedelta) -> None:
    """Check that what an event records may begin, or wait so long until it may.

    With a reason to override, what stands against it is only printed; the server records the reason.

    Raises:
        CommandError: It may not, or not yet.
    """
    attributes = event.attributes or event_pb.EventAttributes()
    request = CHECK_DEPLOYMENT.request(
        service=attributes.service,
        environment=wire_name(attributes.environment),
        version=attributes.version,
        event_id=attributes.related_id,
    )
    answer = checked(connection, request, timedelta() if event.override_reason else wait)
    for reason in answer.reasons:
        if reason.verdict.name == "yes":
            say(f"warning: {reason.text}")
    code = exit_code(answer)
    if code and event.override_reason:
        say(f"overridden: {summary(answer)}")
    elif code:
        raise CommandError(summary(answer), code)
