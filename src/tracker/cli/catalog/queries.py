"""`tracker catalog get` and `tracker catalog list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.cli.catalog.group import EPILOG, Name, app
from tracker.cli.exits import failures
from tracker.cli.options import DEFAULT_SERVER, Format, ListFormat, Server
from tracker.cli.output import Output

if TYPE_CHECKING:
    from tracker.pb import catalog_pb


@app.command("get", epilog=EPILOG)
def get(name: Name, *, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT) -> None:
    """Show an entry; with `--output yaml`, as `tracker catalog apply` takes it."""
    from tracker.cli.catalog.shown import print_entry
    from tracker.cli.documents import print_answer
    from tracker.client import Connection
    from tracker.client.catalog import GET_CATALOG
    from tracker.pb import catalog_pb

    with failures(output), Connection(server) as connection:
        answer = connection.call(GET_CATALOG, GET_CATALOG.request(name=name))
    entry = answer.catalog or catalog_pb.Catalog()
    match output:
        case Output.TEXT:
            print_entry(entry)
        case Output.YAML:
            print_answer(_description(entry), output)
        case _:
            print_answer(answer, output)


@app.command("list", epilog=EPILOG)
def list_entries(*, server: Server = DEFAULT_SERVER, output: ListFormat = Output.TEXT) -> None:
    """List all entries by name; with `--output yaml`, as `tracker catalog apply` takes them."""
    from tracker.cli.catalog.shown import COLUMNS, entry_row, print_entries
    from tracker.cli.documents import print_answer, print_each, print_list
    from tracker.client import Connection
    from tracker.client.catalog import LIST_CATALOGS

    with failures(output), Connection(server) as connection:
        answer = connection.call(LIST_CATALOGS, LIST_CATALOGS.request())
    match output:
        case Output.TEXT:
            print_entries(answer.catalogs)
        case Output.YAML:
            print_each(map(_description, answer.catalogs), output)
        case Output.JSON:
            print_answer(answer, output)
        case _:
            print_list("catalogs", answer.catalogs, output, [name.lower() for name in COLUMNS], entry_row)


def _description(entry: catalog_pb.Catalog) -> catalog_pb.Catalog:
    """Return what people say of an entry: not when they said it."""
    entry.created_at = entry.updated_at = None
    return entry
