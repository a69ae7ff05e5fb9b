"""`tracker event create`, `update`, `finish`, `comment` and `delete`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import ask, request_of
from tracker.cli.event.options import EventFields, EventId, Message, command, takes_event
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.options import DEFAULT_SERVER, Format, Server, Yes, confirm_deletion, who_default
from tracker.cli.printing import Output

if TYPE_CHECKING:
    import protobuf

    from tracker.pb import event_pb
    from tracker.transcoding.json_text import JsonValue

_ENDINGS = ("success", "failure", "error", "done", "close")


@command("create")
@takes_event("service", "type")
def create(
    fields: EventFields,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What happens, in one line.")],
    *,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Record an event, and print its id.

    A deployment or an operation that begins takes the lock of its service and environment; if another event
    holds it, nothing is recorded. Repeated with the same --source and --external-id, the event is updated.

    Example: tracker event create "Deploy payments 2.4.0" --service payments --type deployment --status start
    """
    from tracker.client.rpcs import CREATE_EVENT

    answer = ask(server, output, CREATE_EVENT, request_of(CREATE_EVENT, fields.request(title=title)))
    _print(answer, answer.event, output, "updated" if answer.updated else "created")


@command("update")
@takes_event()
def update(
    fields: EventFields,
    id_: EventId,
    *,
    title: Annotated[str, typer.Option(metavar="TITLE", help="What happens, in one line.")] = "",
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Change the given fields of an event; all others stay.

    Labels are added; `--label NAME=` removes one.
    """
    if not (title or fields):
        raise CommandError("nothing to change: give at least one option, such as --status", USAGE)
    _merge(server, output, "updated", fields.request(id=id_, title=title))


@command("finish")
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
    """End an event: change its status, set its duration and release its locks."""
    if status.lower() not in _ENDINGS:
        raise CommandError(f"--status: expected one of {', '.join(_ENDINGS)}, got {status!r}", USAGE)
    attributes: JsonValue = {"status": status.lower(), "message": message}
    _merge(server, output, "finished", {"id": id_, "attributes": attributes})


@command("comment")
def comment(
    id_: EventId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The comment.")],
    *,
    who: Annotated[str | None, typer.Option(metavar="NAME", help="Its author.  [default: you]")] = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Add a comment to the changelog of an event."""
    from tracker.client.rpcs import ADD_CHANGELOG_ENTRY

    author = who_default() if who is None else who
    entry: JsonValue = {"user": author, "change_type": "commented", "comment": text}
    answer = ask(
        server, output, ADD_CHANGELOG_ENTRY, request_of(ADD_CHANGELOG_ENTRY, {"id": id_, "entry": entry})
    )
    _print(answer, answer.event, output, "commented on")


@command("delete")
def delete(
    id_: EventId, *, yes: Yes = False, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT
) -> None:
    """Delete an event permanently, and release its locks."""
    from tracker.cli.printing import print_answer
    from tracker.client.rpcs import DELETE_EVENTS, GET_EVENT

    if not yes:
        confirm_deletion("event", lambda: _title(ask(server, output, GET_EVENT, GET_EVENT.request(id=id_))))
    answer = ask(server, output, DELETE_EVENTS, DELETE_EVENTS.request(id=id_))
    print_answer(answer, output, lambda: typer.echo(f"deleted {answer.id}"))


def _title(answer: event_pb.GetEventResponse) -> str:
    return answer.event.title if answer.event is not None else ""


def _merge(server: str, output: Output, done: str, fields: dict[str, JsonValue]) -> None:
    from tracker.client.rpcs import UPDATE_EVENT

    answer = ask(server, output, UPDATE_EVENT, request_of(UPDATE_EVENT, {**fields, "merge": True}))
    _print(answer, answer.event, output, done)


def _print(answer: protobuf.Message, event: event_pb.Event | None, output: Output, done: str) -> None:
    """Print what was done to an event; in a pipe its id alone, for the next command."""
    from tracker.cli.printing import print_answer

    id_ = event.metadata.id if event is not None and event.metadata is not None else ""
    print_answer(answer, output, lambda: typer.echo(f"{done} {id_}" if sys.stdout.isatty() else id_))
