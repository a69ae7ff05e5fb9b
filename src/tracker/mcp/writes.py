"""The tools that change something, and what each would do in a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import Reason
from tracker.mcp.reads import CHANGELOG
from tracker.mcp.records import Records
from tracker.mcp.tools import Argument, Refused, Tool
from tracker.pb import event_pb, lock_pb
from tracker.permissions import Permission

if TYPE_CHECKING:
    from tracker.mcp.tools import Server

_DEPLOYMENT = "deployment"
"""What a lock without a resource is for."""


async def _recorded(server: Server, request: event_pb.CreateEventRequest) -> event_pb.CreateEventResponse:
    event = event_pb.Event(title=request.title, attributes=request.attributes, links=request.links)
    await server.require(Permission.EVENT_WRITE, event)
    return event_pb.CreateEventResponse(event=event)


async def _commented(
    server: Server, request: event_pb.AddChangelogEntryRequest
) -> event_pb.AddChangelogEntryResponse:
    found = await server.ask(event_pb.GetEventRequest(id=request.id), event_pb.GetEventResponse)
    await server.require(Permission.EVENT_WRITE, found.event or event_pb.Event())
    return event_pb.AddChangelogEntryResponse(event=found.event)


async def _taken(server: Server, request: lock_pb.CreateLockRequest) -> lock_pb.CreateLockResponse:
    resource = request.resource or _DEPLOYMENT
    lock = lock_pb.Lock(
        service=request.service,
        who=request.who,
        environment=request.environment,
        resource=resource,
        event_id=request.event_id,
        ttl=request.ttl,
        reason=request.reason,
    )
    await server.require(Permission.LOCK_WRITE, lock)
    asked = lock_pb.ListLocksRequest(
        service=request.service, environment=request.environment, resource=resource
    )
    held = (await server.ask(asked, lock_pb.ListLocksResponse)).locks
    here = [each for each in held if request.environment or not each.environment]
    if here:
        where = f" in {request.environment}" if request.environment else ""
        holder = f"{here[0].who} (lock_id: {here[0].id})"
        message = f"service {request.service} is already locked for {resource}{where} by {holder}"
        raise Refused(message, Reason.LOCK_HELD)
    return lock_pb.CreateLockResponse(lock=lock)


async def _released(server: Server, request: lock_pb.UnLockRequest) -> lock_pb.UnLockResponse:
    found = await server.ask(lock_pb.GetLockRequest(id=request.id), lock_pb.GetLockResponse)
    lock = found.lock or lock_pb.Lock()
    await server.require(Permission.LOCK_WRITE, lock)
    message = f"the lock of {lock.service} in {lock.environment or 'no environment'}, held by {lock.who}"
    return lock_pb.UnLockResponse(message=message, id=lock.id, count=1)


WRITES = (
    Tool(
        "record_event",
        "Record an event",
        "Record a deployment, operation, drift or incident. A deployment or an operation with status start"
        " or in_progress takes the lock of its service and environment too, and is refused while another"
        " holds it. With an `external_id` that is known, that event is changed instead.",
        event_pb.CreateEventRequest,
        event_pb.CreateEventResponse,
        lambda answer: "The event is changed." if answer.updated else "The event is recorded.",
        (
            Argument("title", "What happened, in one line.", required=True),
            Argument(
                "attributes.service", "Service that it is about, as the catalog names it.", required=True
            ),
            Argument("attributes.type", "Kind of event.", required=True),
            Argument("attributes.status", "How far things are."),
            Argument("attributes.environment", "Where it happens."),
            Argument("attributes.message", "What happened, in free text."),
            Argument("attributes.version", "Version of the service."),
            Argument("attributes.priority", "Importance; P1 is the highest."),
            Argument("attributes.impact", "Whether users notice."),
            Argument("attributes.owner", "Person or team responsible for it."),
            Argument("attributes.start_date", "When it began or is to begin, such as 2026-01-31T12:00:00Z."),
            Argument("attributes.end_date", "When it ended or is to end."),
            Argument("attributes.related_id", "Id of the event that it follows up."),
            Argument("attributes.labels", "Labels, such as team: core."),
            Argument("attributes.source", "What reports it.", default="mcp"),
            Argument(
                "attributes.external_id", "What the source calls it; belongs to one event of the source."
            ),
            Argument("links.pull_request_link", "Address of the pull request.", "pull_request"),
            Argument("links.ticket", "Key or address of the ticket."),
        ),
        Records(CHANGELOG),
        preview=_recorded,
    ),
    Tool(
        "comment_event",
        "Comment on an event",
        "Append a comment to the changelog of an event.",
        event_pb.AddChangelogEntryRequest,
        event_pb.AddChangelogEntryResponse,
        lambda _: "The comment is in the changelog of the event.",
        (
            Argument("id", "Id of the event, or its Slack id.", "event_id", required=True),
            Argument("entry.comment", "The comment.", required=True),
            Argument(
                "entry.user", "Who says it; credentials name their owner instead.", "who", default="mcp"
            ),
        ),
        constants={"entry.change_type": "commented"},
        preview=_commented,
    ),
    Tool(
        "take_lock",
        "Take a lock",
        "Take the lock of a service in an environment, so that nobody else deploys it meanwhile. It ends by"
        " itself after `ttl`. If another holds it, the call is refused at once, and names the holder.",
        lock_pb.CreateLockRequest,
        lock_pb.CreateLockResponse,
        lambda _: "The lock is taken.",
        (
            Argument("service", "Service to lock.", required=True),
            Argument("environment", "Environment to lock it in, such as production."),
            Argument("resource", "What it is locked for: deployment, operation or another word."),
            Argument("reason", "Why, for others who want it."),
            Argument("ttl", "How long, 1s to 7d, such as 30m.", default="30m"),
            Argument("who", "Who holds it; credentials name their owner instead.", default="mcp"),
            Argument("event_id", "Id of the event in whose name it is held; the end of that releases it."),
        ),
        preview=_taken,
    ),
    Tool(
        "release_lock",
        "Release a lock",
        "Release a lock that was taken by the same caller. Locks of others can't be released.",
        lock_pb.UnLockRequest,
        lock_pb.UnLockResponse,
        lambda _: "The lock is released.",
        (Argument("id", "Id of the lock.", "lock_id", required=True),),
        preview=_released,
        ends_something=True,
    ),
)
