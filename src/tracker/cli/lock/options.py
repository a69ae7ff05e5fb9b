"""The options that several commands of `tracker lock` share."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.choices import names_of
from tracker.cli.errors import CommandError
from tracker.cli.exits import USAGE
from tracker.cli.options import label_option
from tracker.cli.times import duration_option
from tracker.time_text import rounded_text

_SHORTEST_TTL = timedelta(seconds=2)
_LONGEST_GRACE = timedelta(seconds=30)


Service = Annotated[str, typer.Option(metavar="NAME", help="Service that the lock is for.")]
Environment = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=names_of("event_pb.Environment"),
        help="Environment of the service, such as `production`.",
    ),
]
Resource = Annotated[
    str, typer.Option(metavar="NAME", help="What the service is locked for; empty, it is `deployment`.")
]


Wait = Annotated[timedelta | None, duration_option("How long to wait where it is held.")]
RunTtl = Annotated[
    timedelta | None, duration_option("How long the lease lasts unless renewed.  [default: 30s]")
]
Grace = Annotated[
    timedelta | None,
    duration_option("Time between SIGTERM and SIGKILL.  [default: a quarter of --ttl, at most 30s]"),
]
LockDelay = Annotated[
    timedelta | None, duration_option("How long it stays closed to others if its lease expires, up to 1m.")
]
Who = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Who holds it.  [default: you, at this machine]")
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever finds it held is told.")]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label", parser=label_option, metavar="NAME=VALUE", help="Label of the lock; may be repeated."
    ),
]
EventId = Annotated[str, typer.Option(metavar="ID", help="Event in whose name it is held.")]

Token = Annotated[
    str | None,
    typer.Option(
        envvar="TRACKER_LOCK_TOKEN",
        metavar="TOKEN",
        help="Token of the lock. Other users of the machine can see it here: prefer the variable or a file.",
    ),
]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="File that holds the token.")]
LockId = Annotated[str, typer.Argument(envvar="TRACKER_LOCK_ID", metavar="ID", help="Id of the lock.")]


def lease_times(ttl: timedelta | None, grace: timedelta | None) -> tuple[timedelta, timedelta]:
    """Return how long the lease of a lock lasts that a command is run under, and how long its end may take.

    Raises:
        CommandError: A time is out of bounds.
    """
    ttl = timedelta(seconds=30) if ttl is None else ttl
    grace = min(ttl / 4, _LONGEST_GRACE) if grace is None else grace
    if ttl < _SHORTEST_TTL:
        raise CommandError(f"--ttl must be {rounded_text(_SHORTEST_TTL)} or longer", USAGE)
    if grace > ttl / 3:
        raise CommandError(f"--grace must be no longer than a third of --ttl, {rounded_text(ttl / 3)}", USAGE)
    return ttl, grace
