"""`tracker event create`, `update`, `finish`, `comment` and `delete`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.event.options import EventFields, EventId, Message, command, event_options
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.options import RecordApi, Yes, confirm_deletion, who_default

if TYPE_CHECKING:
    import protobuf

    from tracker.cli.calls import Api
    from tracker.pb import event_pb
    from tracker.transcoding.json_text import JsonValue

_ENDINGS = ("success", "failure", "error", "done", "close")


@command("create")
def create(
    fields: Annotated[EventFields, event_options("service", "type")],
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What happens, in one line.")],
    *,
    api: RecordApi,
) -> None:
    """Record an event, and print its id.

    A deployment or an operation that begins takes the lock of its service and environment; if another event
    holds it, nothing is recorded. Repeated with the same --source and --external-id, the event is updated.

    Example: tracker event create "Deploy payments 2.4.0" --service payments --type deployment --status start
    """
    from tracker.client.rpcs import CREATE_EVENT

    answer = api.call(CREATE_EVENT, CREATE_EVENT.of(fields.request(title=title)))
    _show(api, answer, answer.event, "updated" if answer.updated else "created")


@command("update")
def update(
    fields: Annotated[EventFields, event_options()],
    id_: EventId,
    *,
    title: Annotated[str, typer.Option(metavar="TITLE", help="What happens, in one line.")] = "",
    api: RecordApi,
) -> None:
    """Change the given fields of an event; all others stay.

    Labels are added; `--label NAME=` removes one.
    """
    if not (title or fields):
        raise CommandError("nothing to change: give at least one option, such as --status", USAGE)
    _merge(api, "updated", fields.request(id=id_, title=title))


@command("finish")
def finish(
    id_: EventId,
    *,
    status: Annotated[
        str, typer.Option(metavar="STATUS", help=f"How it ended: {', '.join(_ENDINGS)}.")
    ] = "success",
    message: Message = "",
    api: RecordApi,
) -> None:
    """End an event: change its status, set its duration and release its locks."""
    if status.lower() not in _ENDINGS:
        raise CommandError(f"--status: expected one of {', '.join(_ENDINGS)}, got {status!r}", USAGE)
    _merge(api, "finished", {"id": id_, "attributes": {"status": status.lower(), "message": message}})


@command("comment")
def comment(
    id_: EventId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The comment.")],
    *,
    who: Annotated[str | None, typer.Option(metavar="NAME", help="Its author.  [default: you]")] = None,
    api: RecordApi,
) -> None:
    """Add a comment to the changelog of an event."""
    from tracker.client.rpcs import ADD_CHANGELOG_ENTRY

    author = who_default() if who is None else who
    entry: JsonValue = {"user": author, "change_type": "commented", "comment": text}
    answer = api.call(ADD_CHANGELOG_ENTRY, ADD_CHANGELOG_ENTRY.of({"id": id_, "entry": entry}))
    _show(api, answer, answer.event, "commented on")


@command("delete")
def delete(id_: EventId, *, yes: Yes = False, api: RecordApi) -> None:
    """Delete an event permanently, and release its locks."""
    from tracker.client.rpcs import DELETE_EVENTS, GET_EVENT

    def title() -> str:
        event = api.call(GET_EVENT, GET_EVENT.request(id=id_)).event
        return event.title if event is not None else ""

    if not yes:
        confirm_deletion("event", title)
    answer = api.call(DELETE_EVENTS, DELETE_EVENTS.request(id=id_))
    api.show(answer, lambda: typer.echo(f"deleted {answer.id}"))


def _merge(api: Api, done: str, fields: dict[str, JsonValue]) -> None:
    from tracker.client.rpcs import UPDATE_EVENT

    answer = api.call(UPDATE_EVENT, UPDATE_EVENT.of({**fields, "merge": True}))
    _show(api, answer, answer.event, done)


def _show(api: Api, answer: protobuf.Message, event: event_pb.Event | None, done: str) -> None:
    """Print what was done to an event; in a pipe its id alone, for the next command."""
    id_ = event.metadata.id if event is not None and event.metadata is not None else ""
    api.show(answer, lambda: typer.echo(f"{done} {id_}" if sys.stdout.isatty() else id_))
