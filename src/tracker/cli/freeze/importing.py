"""`tracker freeze import`: makes the freeze windows of a server those of a calendar."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.exits import FAILED, USAGE, CommandError
from tracker.cli.freeze.calendars import CalendarError, Imported, read_calendar
from tracker.cli.printing import say
from tracker.client.connection import ApiError
from tracker.client.rpcs import CREATE_FREEZE_WINDOW, LIST_FREEZE_WINDOWS, UPDATE_FREEZE_WINDOW
from tracker.errors import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.cli.calls import Api
    from tracker.cli.freeze.options import FreezeFields
    from tracker.client.connection import Connection
    from tracker.pb import freeze_pb

_STDIN = Path("-")


def imported(api: Api, file: Path, fields: FreezeFields, who: str, *, dry_run: bool) -> None:
    """Create and change the freeze windows of a file, and print how many of each.

    Raises:
        CommandError: The file is not a calendar, or the server refused some.
    """
    zone = fields.zone()
    try:
        content = sys.stdin.buffer.read() if file == _STDIN else file.read_bytes()
        events = read_calendar(content, zone)
    except (CalendarError, OSError) as error:
        raise CommandError(f"{file}: {error}", USAGE) from None
    given = {name: value for name, value in fields.given.items() if name != "timezone"}
    counts: Counter[str] = Counter()
    with api.connected() as connection:
        listed = connection.whole(LIST_FREEZE_WINDOWS, LIST_FREEZE_WINDOWS.request()).freeze_windows
        known = {each.uid or each.id: each for each in listed}
        for event in events:
            event.window.created_by = who
            fields._replace(given=given).onto(event.window)
            try:
                did = _apply(connection, event, known, dry_run=dry_run)
            except ApiError as error:
                if error.code is not Code.INVALID_ARGUMENT:
                    raise
                did, event.problem = "refused", str(error)
            if event.problem:
                say(f"{event.name}: {event.problem}")
            counts[did] += 1
    done = ", ".join(f"{count} {did}" for did, count in counts.items()) or "no events"
    say(f"{file}: {done}{' (nothing was changed)' if dry_run else ''}")
    if counts["refused"]:
        raise CommandError(f"{counts['refused']} of {len(events)} events are not freeze windows", FAILED)


def _apply(
    connection: Connection, event: Imported, known: Mapping[str, freeze_pb.FreezeWindow], *, dry_run: bool
) -> str:
    """Create or change the window of an event, and return what was done."""
    if event.problem:
        return "refused"
    stored = known.get(event.window.uid) if event.window.uid else None
    if stored is None:
        if event.gone:
            return "skipped"
        if not dry_run:
            connection.call(CREATE_FREEZE_WINDOW, event.window)
        return "created"
    # The fields of both requests have the same names.
    names = [each.name for each in CREATE_FREEZE_WINDOW.request.desc().fields]
    request = UPDATE_FREEZE_WINDOW.request(
        id=stored.id, **{name: getattr(event.window, name) for name in names}
    )
    request.active = not event.gone
    if not dry_run:
        connection.call(UPDATE_FREEZE_WINDOW, request)
    return "switched off" if event.gone else "updated"
