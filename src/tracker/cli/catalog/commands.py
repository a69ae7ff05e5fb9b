"""`tracker catalog get`, `list`, `versions`, `deps` and `delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import ask, request_of
from tracker.cli.catalog.group import EPILOG, app
from tracker.cli.options import DEFAULT_SERVER, Format, ListFormat, Server, Yes, confirm_deletion
from tracker.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.client.rpc import A, Q, Rpc
    from tracker.pb import catalog_pb
    from tracker.transcoding.json_text import JsonValue

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the entry.")]


@app.command("get", epilog=EPILOG)
def get(name: Name, *, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT) -> None:
    """Show an entry; with `--output yaml`, as `tracker catalog apply` reads it."""
    from tracker.cli.catalog.shown import print_entry
    from tracker.cli.documents import print_answer
    from tracker.client.catalog import GET_CATALOG
    from tracker.pb import catalog_pb

    answer = ask(server, output, GET_CATALOG, GET_CATALOG.request(name=name))
    entry = answer.catalog or catalog_pb.Catalog()
    document = _description(entry) if output is Output.YAML else answer
    print_answer(document, output, lambda: print_entry(entry))


@app.command("list", epilog=EPILOG)
def list_entries(*, server: Server = DEFAULT_SERVER, output: ListFormat = Output.TEXT) -> None:
    """List all entries by name; with `--output yaml`, as `tracker catalog apply` reads them."""
    from tracker.cli.catalog.shown import COLUMNS, entry_row, print_entries
    from tracker.cli.documents import print_answer, print_each
    from tracker.client.catalog import LIST_CATALOGS

    answer = ask(server, output, LIST_CATALOGS, LIST_CATALOGS.request())
    found = answer.catalogs
    if output is Output.YAML:
        print_each(map(_description, found), output)
        return
    print_answer(
        answer,
        output,
        lambda: print_entries(found),
        records=found,
        columns=map(str.lower, COLUMNS),
        rows=map(entry_row, found),
    )


@app.command("versions", epilog=EPILOG)
def versions(  # noqa: PLR0913  # one for each option
    name: Name,
    *,
    available: Annotated[
        list[str] | None,
        typer.Option(metavar="VERSION", help="Available version; may be repeated. Replaces the whole list."),
    ] = None,
    latest: Annotated[str | None, typer.Option(metavar="VERSION", help="Newest version.")] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Version that every project should use.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Show the versions of an entry, or change those that are given; an empty value clears."""
    from tracker.client.catalog import UPDATE_VERSIONS

    given = {"availableVersions": available, "latestVersion": latest, "referenceVersion": reference}
    _show_or_set(name, UPDATE_VERSIONS, given, server, output)


@app.command("deps", epilog=EPILOG)
def deps(
    name: Name,
    *,
    in_: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="NAME", help="Caller of it; may be repeated. Replaces the whole list."),
    ] = None,
    out: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Entry that it calls; may be repeated. Replaces the whole list."),
    ] = None,
    server: Server = DEFAULT_SERVER,
    output: Format = Output.TEXT,
) -> None:
    """Show the dependencies of an entry, or change those that are given; an empty value clears."""
    from tracker.client.catalog import UPDATE_DEPENDENCIES

    given = {"dependenciesIn": in_, "dependenciesOut": out}
    _show_or_set(name, UPDATE_DEPENDENCIES, given, server, output)


@app.command("delete", epilog=EPILOG)
def delete(
    name: Name, *, yes: Yes = False, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT
) -> None:
    """Delete an entry permanently; entries that name it stay as they are."""
    from tracker.cli.documents import print_answer
    from tracker.client.catalog import DELETE_CATALOG

    if not yes:
        confirm_deletion("entry", lambda: name)
    answer = ask(server, output, DELETE_CATALOG, DELETE_CATALOG.request(name=name))
    print_answer(answer, output, lambda: typer.echo(f"deleted {answer.name}"))


def _show_or_set(
    name: str, rpc: Rpc[Q, A], given: Mapping[str, list[str] | str | None], server: str, output: Output
) -> None:
    """Show the part of an entry that a request of `rpc` has, after changing it if something is given."""
    from tracker.cli.catalog.shown import print_entry
    from tracker.cli.documents import json_of, print_answer
    from tracker.client.catalog import GET_CATALOG
    from tracker.pb import catalog_pb

    new: dict[str, JsonValue] = {
        field: [*filter(None, value)] if isinstance(value, list) else value
        for field, value in given.items()
        if value is not None
    }
    entry = ask(server, output, GET_CATALOG, GET_CATALOG.request(name=name)).catalog or catalog_pb.Catalog()
    part = request_of(rpc, {**json_of(entry, output), **new})
    if new:
        ask(server, output, rpc, part)
    print_answer(part, output, lambda: print_entry(part))


def _description(entry: catalog_pb.Catalog) -> catalog_pb.Catalog:
    """Return what people write of an entry, without its times."""
    entry.created_at = entry.updated_at = None
    return entry
