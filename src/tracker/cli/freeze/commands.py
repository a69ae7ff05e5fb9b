"""`tracker freeze`: creates and changes freeze windows, and shows when they are in effect."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import FREEZE_TABLE
from tracker.cli.freeze.options import FreezeFields, freeze_options
from tracker.cli.helped import client_group
from tracker.cli.named import only_named
from tracker.cli.options import ListApi, RecordApi, Who, Yes, command_of, confirm_deletion, number_option
from tracker.cli.printing import echo, print_record, say, shown_time
from tracker.cli.tables import Column, Table
from tracker.cli.time_options import moment_option, timestamp

if TYPE_CHECKING:
    from tracker.cli.calls import Api
    from tracker.cli.printing import Cell
    from tracker.pb import freeze_pb

app = client_group("Say when nothing should be deployed, and see what is in effect.", FREEZE_TABLE)
command = partial(command_of, app, codes=FREEZE_TABLE)

Window = Annotated[
    str,
    typer.Argument(
        metavar="WINDOW", autocompletion=completing.freeze_titles, help="Title or id of the freeze window."
    ),
]
Service = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=completing.values_of("service"),
        help="Only those for a service.  [default: any]",
    ),
]
Environment = Annotated[
    str, typer.Option(metavar="NAME", help="Only those for an environment.  [default: any]")
]
_WINDOWS = (
    Column("TITLE", least=16),
    Column("TYPE"),
    Column("STATE", rank=1),
    Column("FROM"),
    Column("UNTIL"),
    Column("REPEATS", rank=3, least=12),
    Column("FOR", rank=2, least=12),
    Column("ID", rank=4),
)
_OCCURRENCES = (
    Column("FROM"),
    Column("UNTIL"),
    Column("TYPE"),
    Column("TITLE", least=16),
    Column("FOR", rank=2, least=12),
    Column("ID", rank=3),
)


@command("create")
def create(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is for.")],
    fields: Annotated[FreezeFields, freeze_options(begins=True)],
    *,
    who: Who,
    api: RecordApi,
) -> None:
    """Create a freeze window, and print its id.

    Without --service, --environment and --team it is for everything. Work that runs may finish.

    Example: tracker freeze create Weekends --from 2026-01-30T16:00 --for 2d16h --repeat 'FREQ=WEEKLY'
    """
    from tracker.client.rpcs import CREATE_FREEZE_WINDOW

    request = fields.onto(CREATE_FREEZE_WINDOW.request(title=title, created_by=who, active=True))
    answer = api.call(CREATE_FREEZE_WINDOW, request)
    api.show(answer, lambda: echo(answer.freeze_window.id if answer.freeze_window else ""))


@command("list")
def list_(*, service: Service = "", environment: Environment = "", api: ListApi) -> None:
    """List the freeze windows, each with when it is in effect, or will be next.

    Example: tracker freeze list --environment production
    """
    from tracker.client.rpcs import LIST_FREEZE_WINDOWS

    request = LIST_FREEZE_WINDOWS.request(service=service, environment=environment)
    answer = api.whole(LIST_FREEZE_WINDOWS, request)
    api.show_list(answer, answer.freeze_windows, Table(_WINDOWS, _row), "there are no freeze windows")


@command("upcoming")
def upcoming(
    *,
    service: Service = "",
    environment: Environment = "",
    since: Annotated[
        datetime | None,
        moment_option("Start of the period.  [default: now]"),
    ] = None,
    until: Annotated[
        datetime | None,
        moment_option("End of the period.  [default: 30 days later]"),
    ] = None,
    limit: Annotated[int, number_option("How many to print.", "--limit", "-n", least=1, most=10_000)] = 1_000,
    api: ListApi,
) -> None:
    """List each time at which freeze windows are in effect.

    Example: tracker freeze upcoming --service shop --environment production --until +90d
    """
    from tracker.client.rpcs import LIST_FREEZE_OCCURRENCES

    request = LIST_FREEZE_OCCURRENCES.request(
        service=service,
        environment=environment,
        since=timestamp(since),
        until=timestamp(until),
        limit=limit,
    )
    answer = api.call(LIST_FREEZE_OCCURRENCES, request)
    api.show_list(answer, answer.occurrences, Table(_OCCURRENCES, _occurrence_row), "nothing is frozen")
    if answer.more:
        say("there are more: --limit prints more, --since others")


@command("show")
def show(window: Window, *, api: RecordApi) -> None:
    """Show a freeze window.

    Example: tracker freeze show Christmas
    """
    found = _found(api, window)
    api.show(found, lambda: _print(found))


@command("update")
def update(
    window: Window,
    fields: Annotated[FreezeFields, freeze_options(begins=False)],
    *,
    title: Annotated[str | None, typer.Option(metavar="TITLE", help="Another title.")] = None,
    api: RecordApi,
) -> None:
    """Change a freeze window; what no option names stays as it is.

    Example: tracker freeze update Christmas --until 2027-01-05 --soft
    """
    from tracker.client.rpcs import UPDATE_FREEZE_WINDOW

    old = _found(api, window)
    kept = {
        field.name: getattr(old, field.name)
        for field in UPDATE_FREEZE_WINDOW.request.desc().fields
        if field.name != "created_by"
    }
    if old.duration and fields.moves:
        kept["ends_at"] = None
    request = fields.onto(UPDATE_FREEZE_WINDOW.request(**kept))
    request.title = old.title if title is None else title
    answer = api.call(UPDATE_FREEZE_WINDOW, request)
    api.show(answer, lambda: _print(answer.freeze_window or old))


@command("delete")
def delete(window: Window, *, yes: Yes = False, api: RecordApi) -> None:
    """Delete a freeze window; `update --off` only switches it off.

    Example: tracker freeze delete Christmas --yes
    """
    from tracker.client.rpcs import DELETE_FREEZE_WINDOW

    found = _found(api, window)
    confirm_deletion(yes, "freeze window", lambda: found.title)
    answer = api.call(DELETE_FREEZE_WINDOW, DELETE_FREEZE_WINDOW.request(id=found.id))
    api.show(answer, lambda: echo(f"deleted the freeze window {found.title}"))


@command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="File; - is standard input."),
    ],
    fields: Annotated[FreezeFields, freeze_options(begins=False, times=False)],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    who: Who,
    api: RecordApi,
) -> None:
    """Create a freeze window for each event of an iCalendar file; those imported before are changed.

    Events are known by their UID; the window of one that is cancelled is switched off. Options say what the
    windows are for, and in which zone times without one are.

    Example: tracker freeze import holidays.ics --environment production --soft
    """
    from tracker.cli.freeze.importing import imported

    imported(api, file, fields, who, dry_run=dry_run)


def _found(api: Api, name: str) -> freeze_pb.FreezeWindow:
    """Return the freeze window of an id or a title."""
    from tracker.client.rpcs import LIST_FREEZE_WINDOWS

    known = api.whole(LIST_FREEZE_WINDOWS, LIST_FREEZE_WINDOWS.request()).freeze_windows
    return only_named(
        known, name, lambda each: each.title, one="freeze window", several="freeze windows have the title"
    )


def _print(window: freeze_pb.FreezeWindow) -> None:
    print_record(
        {
            "id": window.id,
            "title": window.title,
            "description": window.description,
            "type": _type(window),
            "for": _for(window) or "everything",
            "state": _state(window),
            "begins": shown_time(window.starts_at),
            "ends": shown_time(window.ends_at),
            "repeats": window.rrule,
            "each lasts": window.duration,
            "except": ", ".join(window.exceptions),
            "time zone": window.timezone,
            "next from": shown_time(window.next_starts_at),
            "next until": shown_time(window.next_ends_at),
            "uid": window.uid,
            "created by": window.created_by,
            "created": shown_time(window.created_at),
            "updated": shown_time(window.updated_at),
        }
    )


def _type(window: freeze_pb.FreezeWindow) -> str:
    return str(window.type.name).lower() if window.type else ""


def _state(window: freeze_pb.FreezeWindow) -> str:
    if not window.active:
        return "off"
    if window.in_effect:
        return "in effect"
    return "to come" if window.next_starts_at else "over"


def _for(window: freeze_pb.FreezeWindow) -> str:
    """Return what a freeze window is for, each kind once."""
    kinds = (window.scope_ids, window.services, window.environments, window.teams)
    return " · ".join(",".join(each) for each in kinds if each)


def _row(window: freeze_pb.FreezeWindow) -> tuple[Cell, ...]:
    return (
        window.title,
        _type(window),
        _state(window),
        window.next_starts_at or window.starts_at,
        window.next_ends_at or window.ends_at,
        window.rrule,
        _for(window),
        window.id,
    )


def _occurrence_row(each: freeze_pb.FreezeOccurrence) -> tuple[Cell, ...]:
    from tracker.pb import freeze_pb

    window = each.freeze_window or freeze_pb.FreezeWindow()
    return (each.starts_at, each.ends_at, _type(window), window.title, _for(window), window.id)
