"""`tracker catalog versions` and `tracker catalog deps`: the parts of an entry that change by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.catalog.group import EPILOG, Name, app
from tracker.cli.exits import failures
from tracker.cli.options import DEFAULT_SERVER, Format, Server
from tracker.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.cli.documents import Json
    from tracker.client.rpc import A, Q, Rpc


@app.command("versions", epilog=EPILOG)
def versions(  # noqa: PLR0913  # one for each option
    name: Name,
    *,
    available: Annotated[
        list[str] | None,
        typer.Option(metavar="VERSION", help="One that can be used; may be repeated. Replaces all of them."),
    ] = None,
    latest: Annotated[str | None, typer.Option(metavar="VERSION", help="The newest.")] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The one that everybody should use.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Show the versions of an entry, or change those that are given; an empty one clears."""
    from tracker.client.catalog import UPDATE_VERSIONS

    given = {"availableVersions": available, "latestVersion": latest, "referenceVersion": reference}
    _show_or_set(name, UPDATE_VERSIONS, given, server, output)


@app.command("deps", epilog=EPILOG)
def deps(
    name: Name,
    *,
    in_: Annotated[
        list[str] | None,
        typer.Option(
            "--in", metavar="NAME", help="Entry that calls it; may be repeated. Replaces all of them."
        ),
    ] = None,
    out: Annotated[
        list[str] | None,
        typer.Option(
            "--out", metavar="NAME", help="Entry that it calls; may be repeated. Replaces all of them."
        ),
    ] = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Show the dependencies of an entry, or change those that are given; an empty one clears."""
    from tracker.client.catalog import UPDATE_DEPENDENCIES

    given = {"dependenciesIn": in_, "dependenciesOut": out}
    _show_or_set(name, UPDATE_DEPENDENCIES, given, server, output)


def _show_or_set(
    name: str, rpc: Rpc[Q, A], given: Mapping[str, list[str] | str | None], server: str, output: Output
) -> None:
    """Show the part of an entry that a request of `rpc` has, changed before where something is given."""
    from protobuf import message_from_json_value

    from tracker.cli.catalog.shown import print_entry
    from tracker.cli.documents import json_of, print_answer
    from tracker.client import Connection
    from tracker.client.catalog import GET_CATALOG
    from tracker.pb import catalog_pb

    new: dict[str, Json] = {
        field: [*filter(None, value)] if isinstance(value, list) else value
        for field, value in given.items()
        if value is not None
    }
    with failures(output), Connection(server) as connection:
        entry = connection.call(GET_CATALOG, GET_CATALOG.request(name=name)).catalog or catalog_pb.Catalog()
        part = message_from_json_value(
            rpc.request, {**json_of(entry, output), **new}, ignore_unknown_fields=True
        )
        if new:
            connection.call(rpc, part)
    if output is Output.TEXT:
        print_entry(part)
    else:
        print_answer(part, output)
