"""`tracker event create`, `update`, `finish`, `comment` and `delete`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.event.group import EPILOG, app
from tracker.cli.event.options import (
    End,
    Environment,
    EventId,
    ExternalId,
    Impact,
    Labels,
    Message,
    Owner,
    Priority,
    PullRequest,
    RelatedId,
    Service,
    SlackId,
    Source,
    StakeHolders,
    Start,
    Status,
    Ticket,
    Type,
    Version,
)
from tracker.cli.event.requests import attributes_of, links_of
from tracker.cli.exits import USAGE, failures
from tracker.cli.options import DEFAULT_SERVER, Format, Server, Yes, confirm_deletion, who_default
from tracker.cli.output import Output

if TYPE_CHECKING:
    from tracker.client import Connection
    from tracker.pb import event_pb

_ENDINGS = ("success", "failure", "error", "done", "close")


@app.command("create", epilog=EPILOG)
def create(  # noqa: PLR0913  # one for each option
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What happens, in one line.")],
    *,
    service: Service,
    type_: Type,
    status: Status = "",
    environment: Environment = "",
    priority: Priority = "",
    message: Message = "",
    source: Source = "",
    external_id: ExternalId = "",
    owner: Owner = "",
    version: Version = "",
    labels: Labels = None,
    start: Start = None,
    end: End = None,
    impact: Impact = False,
    related_id: RelatedId = "",
    stake_holders: StakeHolders = None,
    pull_request: PullRequest = "",
    ticket: Ticket = "",
    slack_id: SlackId = "",
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Record an event, and print its id.

    A deployment or an operation that begins takes the lock of its service and environment; where another
    holds it, nothing is recorded. Told of again with the same --source and --external-id, it is changed.

    Example: tracker event create "Deploy payments 2.4.0" --service payments --type deployment --status start
    """
    from tracker.client import Connection
    from tracker.client.events import CREATE_EVENT

    request = CREATE_EVENT.request(
        title=title,
        attributes=attributes_of(
            texts={
                "type": type_,
                "status": status,
                "environment": environment,
                "priority": priority,
                "service": service,
                "message": message,
                "source": source,
                "external_id": external_id,
                "owner": owner,
                "version": version,
                "related_id": related_id,
            },
            labels=labels,
            stake_holders=stake_holders,
            period=(start, end),
            impact=impact,
        ),
        links=links_of(pull_request, ticket),
        slack_id=slack_id,
    )
    with failures(output), Connection(server) as connection:
        answer = connection.call(CREATE_EVENT, request)
    _print(answer, answer.event, output, f"{'updated' if answer.updated else 'created'} ")


@app.command("update", epilog=EPILOG)
def update(  # noqa: PLR0913  # one for each option
    id_: EventId,
    *,
    title: Annotated[str, typer.Option(metavar="TITLE", help="What happens, in one line.")] = "",
    service: Service = "",
    type_: Type = "",
    status: Status = "",
    environment: Environment = "",
    priority: Priority = "",
    message: Message = "",
    source: Source = "",
    external_id: ExternalId = "",
    owner: Owner = "",
    version: Version = "",
    labels: Labels = None,
    start: Start = None,
    end: End = None,
    impact: Impact = False,
    related_id: RelatedId = "",
    stake_holders: StakeHolders = None,
    pull_request: PullRequest = "",
    ticket: Ticket = "",
    slack_id: SlackId = "",
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Change an event: what is given replaces what is stored, and all else stays.

    Labels are added; `--label NAME=` takes one away.
    """
    attributes = attributes_of(
        texts={
            "type": type_,
            "status": status,
            "environment": environment,
            "priority": priority,
            "service": service,
            "message": message,
            "source": source,
            "external_id": external_id,
            "owner": owner,
            "version": version,
            "related_id": related_id,
        },
        labels=labels,
        stake_holders=stake_holders,
        period=(start, end),
        impact=impact,
    )
    links = links_of(pull_request, ticket)
    if not (title or slack_id or attributes.to_binary() or links.to_binary()):
        raise CommandError("nothing to change: give at least one option, such as --status", USAGE)
    _merge(id_, title, attributes, links, slack_id, server=server, output=output, done="updated ")


@app.command("finish", epilog=EPILOG)
def finish(
    id_: EventId,
    *,
    status: Annotated[
        str, typer.Option(metavar="STATUS", help=f"How it ended: {', '.join(_ENDINGS)}.")
    ] = "success",
    message: Message = "",
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """End an event: its status changes, its duration is known, its locks are released."""
    if status.lower() not in _ENDINGS:
        raise CommandError(f"--status: expected one of {', '.join(_ENDINGS)}, got {status!r}", USAGE)
    attributes = attributes_of(texts={"status": status.lower(), "message": message})
    _merge(id_, "", attributes, None, "", server=server, output=output, done="finished ")


@app.command("comment", epilog=EPILOG)
def comment(
    id_: EventId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to tell whoever reads the changelog.")],
    *,
    who: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.  [default: you]")] = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Write into the changelog of an event."""
    from tracker.client import Connection
    from tracker.client.events import ADD_CHANGELOG_ENTRY
    from tracker.pb import event_pb

    entry = event_pb.ChangelogEntry(
        user=who_default() if who is None else who,
        change_type=event_pb.ChangeType.commented,
        comment=text,
    )
    with failures(output), Connection(server) as connection:
        answer = connection.call(ADD_CHANGELOG_ENTRY, ADD_CHANGELOG_ENTRY.request(id=id_, entry=entry))
    _print(answer, answer.event, output, "commented on ")


@app.command("delete", epilog=EPILOG)
def delete(
    id_: EventId,
    *,
    yes: Yes = False,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Delete an event for good, and release its locks."""
    from tracker.cli.documents import print_answer
    from tracker.client import Connection
    from tracker.client.events import DELETE_EVENTS

    with failures(output), Connection(server) as connection:
        if not yes:
            confirm_deletion("event", lambda: _title(connection, id_))
        answer = connection.call(DELETE_EVENTS, DELETE_EVENTS.request(id=id_))
    if output is not Output.TEXT:
        print_answer(answer, output)
    else:
        typer.echo(f"deleted {answer.id}")


def _title(connection: Connection, id_: str) -> str:
    from tracker.client.events import GET_EVENT

    event = connection.call(GET_EVENT, GET_EVENT.request(id=id_)).event
    return event.title if event is not None else ""


def _merge(  # noqa: PLR0913  # each is a part of the request, or of what to print
    id_: str,
    title: str,
    attributes: event_pb.EventAttributes,
    links: event_pb.EventLinks | None,
    slack_id: str,
    *,
    server: str,
    output: Output,
    done: str,
) -> None:
    from tracker.client import Connection
    from tracker.client.events import UPDATE_EVENT

    request = UPDATE_EVENT.request(
        id=id_, title=title, attributes=attributes, links=links, slack_id=slack_id, merge=True
    )
    with failures(output), Connection(server) as connection:
        answer = connection.call(UPDATE_EVENT, request)
    _print(answer, answer.event, output, done)


def _print(
    answer: (
        event_pb.CreateEventResponse | event_pb.UpdateEventResponse | event_pb.AddChangelogEntryResponse
    ),
    event: event_pb.Event | None,
    output: Output,
    done: str,
) -> None:
    """Print what became of an event: its id alone in a pipe, for the next command."""
    from tracker.cli.documents import print_answer

    if output is not Output.TEXT:
        print_answer(answer, output)
    elif event is not None and event.metadata is not None:
        typer.echo(f"{done if sys.stdout.isatty() else ''}{event.metadata.id}")
