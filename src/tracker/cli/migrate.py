"""`tracker migrate`: moves a store to another place, from a file to MongoDB or back."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.exits import INTERRUPTED
from tracker.cli.progress import shown_progress
from tracker.cli.stores import PLACE, Unobserved, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.stores.contents import Kind, StoreContents
    from tracker.stores.migration import Summary


def migrate(
    source: Annotated[str, typer.Option("--from", metavar="STORE", help=f"Store to move. {PLACE}")],
    target: Annotated[
        str, typer.Option("--to", metavar="STORE", help="Its target, in the same form; must be empty.")
    ],
) -> None:
    """Move a store from a file to a MongoDB database, or back.

    Moves everything: events, catalog, links, held locks, fencing tokens, ends of locks. The source stays
    unchanged. Stop all servers on both stores first.

    After an interruption, the same command goes on. No server starts on the new store before everything is
    stored and verified by counts and digests.

    Keep an address with a password out of the arguments, which every user of a machine can read:

        tracker migrate --from data/tracker.db --to env:MONGO_URI
    """
    import asyncio

    from tracker.errors import TrackerError
    from tracker.stores.base import StoreOpenError
    from tracker.stores.choice import chosen_contents
    from tracker.stores.migration import MigrationError
    from tracker.stores.migration import migrate as move

    started = time.monotonic()
    try:
        origin = chosen_contents(place(source, "--from"), "--from", Unobserved())
        destination = chosen_contents(place(target, "--to"), "--to", Unobserved())
        with shown_progress() as progress:
            summaries = asyncio.run(move(origin, destination, progress))
    except (StoreOpenError, MigrationError) as error:
        raise CommandError(str(error)) from None
    except TrackerError as error:
        raise CommandError(f"{error.message}; run the same command again, which goes on") from None
    except KeyboardInterrupt:
        typer.echo("tracker: interrupted; run the same command again, which goes on", err=True)
        sys.exit(INTERRUPTED)
    _report(origin, destination, summaries, time.monotonic() - started)


def _report(
    source: StoreContents, target: StoreContents, summaries: Mapping[Kind, Summary], seconds: float
) -> None:
    typer.echo(f"{source.name} is now in {target.name}, the same by counts and digests:")
    for kind, summary in summaries.items():
        typer.echo(f"  {summary.records:>11,} {kind:<15} {summary.digest:064x}")
    records = sum(summary.records for summary in summaries.values())
    typer.echo(f"{records:,} records in {seconds:.1f} s, {records / seconds:,.0f} a second")
