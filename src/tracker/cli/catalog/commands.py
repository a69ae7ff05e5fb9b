"""`tracker catalog`: describes what runs, and reports who uses what in which version."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.calls import Api
from tracker.cli.catalog import compliance
from tracker.cli.catalog.shown import ENTRIES, print_applied, print_entry
from tracker.cli.exits import CATALOG_TABLE, USAGE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.options import (
    ListApi,
    RecordApi,
    Server,
    Who,
    Yes,
    command_of,
    confirm_deletion,
)
from tracker.cli.printing import (
    Output,
    echo,
    fields_of,
    json_of,
    print_document,
    print_each,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from protobuf import Message

    from tracker.cli.catalog.reading import Described
    from tracker.client.rpc import A, Q, Rpc
    from tracker.pb import catalog_pb
    from tracker.transcoding.json_text import JsonValue

app = client_group(
    "Manage the catalog: what runs, who is responsible, and which versions it uses.", CATALOG_TABLE
)
command = partial(command_of, app, codes=CATALOG_TABLE)

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", autocompletion=completing.entry_names, help="Name of the entry."),
]


class Form(StrEnum):
    """The form of an export."""

    BACKSTAGE = "backstage"


DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be changed.")]


@command("apply")
def apply(
    *,
    files: Annotated[
        list[Path],
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="YAML or JSON file, a folder of such files, or - for standard input; may be repeated.",
        ),
    ],
    dry_run: DryRun = False,
    who: Who,
    api: RecordApi,
) -> None:
    """Create and update entries from files, and print what changed.

    A file has one entry in each document, or a list of them. Fields that an entry lacks are cleared, except
    versions and dependencies, which stay. Any mistake stops everything, and nothing is changed.

    Example: tracker catalog get shop --output yaml | sed '/^version:/s/1.4/1.5/' | tracker catalog apply -f -
    """
    from tracker.cli.catalog.reading import read

    _apply(api, read, files, who, dry_run=dry_run, keep=False)


@command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="File of Backstage, a folder with such files, or - for standard input."
        ),
    ],
    *,
    dry_run: DryRun = False,
    who: Who,
    api: RecordApi,
) -> None:
    """Create and update entries from catalog-info.yaml of Backstage, and print what changed.

    Its components become entries, with their owner, links, dependencies and annotations; other entities are
    left out. What Backstage knows nothing of, such as versions, stays.

    Example: tracker catalog import catalog-info.yaml --dry-run
    """
    from tracker.cli.catalog.reading import read_backstage

    _apply(api, read_backstage, files, who, dry_run=dry_run, keep=True)


@command("export")
def export(
    *,
    form: Annotated[  # noqa: ARG001 - it says what there is, and there is one
        Form,
        typer.Option(
            "--format", metavar="FORMAT", help="Form of the file: backstage, for catalog-info.yaml."
        ),
    ] = Form.BACKSTAGE,
    api: Server,
) -> None:
    """Print all entries as catalog-info.yaml of Backstage: a component for each.

    Example: tracker catalog export --format backstage
    """
    from tracker.cli.catalog.backstage import entities

    for entity in entities(_entries(api)):
        echo("---")
        print_document(entity, Output.YAML)


def _apply(
    api: Api,
    read: Callable[[Iterable[Path]], Sequence[Described]],
    files: Sequence[Path],
    who: str,
    *,
    dry_run: bool,
    keep: bool,
) -> None:
    from tracker.cli.catalog.applying import applied
    from tracker.cli.catalog.reading import Mistakes

    try:
        entries = read(files)
    except Mistakes as mistakes:
        for line in mistakes.lines:
            say(line)
        raise typer.Exit(USAGE) from None
    if not entries:
        raise CommandError("nothing to apply: the files have no entries", USAGE)
    results: list[JsonValue] = []
    with api.connected() as connection:
        for described in entries:
            result = applied(connection, described, who, dry_run=dry_run, keep=keep)
            if api.output is Output.TEXT:
                print_applied(result, dry_run=dry_run)
            else:
                found: JsonValue = [difference._asdict() for difference in result.differences]
                results.append({**result._asdict(), "differences": found})
    if api.output is not Output.TEXT:
        print_document({"dryRun": dry_run, "entries": results}, api.output)


@command("get")
def get(name: Name, *, api: RecordApi) -> None:
    """Show an entry; with `--output yaml`, as `tracker catalog apply` reads it."""
    from tracker.client.rpcs import GET_CATALOG
    from tracker.pb import catalog_pb

    answer = api.call(GET_CATALOG, GET_CATALOG.request(name=name))
    entry = answer.catalog or catalog_pb.Catalog()
    document = _description(entry) if api.output is Output.YAML else answer
    api.show(document, lambda: print_entry(entry))


@command("list")
def list_entries(*, api: ListApi) -> None:
    """List all entries by name; with `--output yaml`, as `tracker catalog apply` reads them."""
    from tracker.client.rpcs import LIST_CATALOGS

    answer = api.whole(LIST_CATALOGS, LIST_CATALOGS.request())
    if api.output is Output.YAML:
        print_each(map(_description, answer.catalogs), api.output)
    else:
        api.show_list(answer, answer.catalogs, ENTRIES, "no entries")


@command("versions")
def versions(
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
    who: Who,
    api: RecordApi,
) -> None:
    """Show the versions of an entry, or change those that are given; an empty value clears."""
    from tracker.client.rpcs import UPDATE_VERSIONS

    given = {"availableVersions": available, "latestVersion": latest, "referenceVersion": reference}
    part = _part(api, name, UPDATE_VERSIONS, given, who)
    _show_part(api, part)


@command("deps")
def deps(
    name: Name,
    *,
    in_: Annotated[
        list[str] | None,
        typer.Option(
            "--in",
            metavar="NAME",
            autocompletion=completing.entry_names,
            help="Caller of it; may be repeated. Replaces the whole list.",
        ),
    ] = None,
    out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completing.entry_names,
            help="Entry that it calls; may be repeated. Replaces the whole list.",
        ),
    ] = None,
    who: Who,
    api: RecordApi,
) -> None:
    """Show what an entry depends on and what depends on it, or change the lists that are given.

    Shows also the dependencies that other entries list. An empty value clears a list.
    """
    from tracker.client.rpcs import UPDATE_DEPENDENCIES

    given = {"dependenciesIn": in_, "dependenciesOut": out}
    part = _part(api, name, UPDATE_DEPENDENCIES, given, who)
    for other in _entries(api):
        for ours, theirs in (
            (part.dependencies_in, other.dependencies_out),
            (part.dependencies_out, other.dependencies_in),
        ):
            if name in theirs and other.name not in ours:
                ours.append(other.name)
    _show_part(api, part)


@command("delete")
def delete(name: Name, *, yes: Yes = False, who: Who, api: RecordApi) -> None:
    """Delete an entry permanently; entries that name it stay as they are."""
    from tracker.client.rpcs import DELETE_CATALOG

    confirm_deletion(yes, "entry", lambda: name)
    answer = api.call(DELETE_CATALOG, DELETE_CATALOG.request(name=name, who=who))
    api.show(answer, lambda: echo(f"deleted {answer.name}"))


def _entries(api: Api) -> Iterator[catalog_pb.Catalog]:
    """Yield all entries by name."""
    from tracker.client.rpcs import LIST_CATALOGS

    token = ""
    while True:
        page = api.call(LIST_CATALOGS, LIST_CATALOGS.request(page_token=token))
        yield from page.catalogs
        token = page.next_page_token
        if not token:
            return


def _part(api: Api, name: str, rpc: Rpc[Q, A], given: Mapping[str, list[str] | str | None], who: str) -> Q:
    """Return the part of an entry that a request of `rpc` has, after changing it if something is given."""
    from tracker.client.rpcs import GET_CATALOG
    from tracker.pb import catalog_pb

    new: dict[str, JsonValue] = {
        field: [*filter(None, value)] if isinstance(value, list) else value
        for field, value in given.items()
        if value is not None
    }
    entry = api.call(GET_CATALOG, GET_CATALOG.request(name=name)).catalog or catalog_pb.Catalog()
    part = rpc.of({**fields_of(entry), **new, "updatedBy": who})
    if new:
        api.call(rpc, part)
    part.clear_field("updated_by")
    return part


def _show_part(api: Api, part: Message) -> None:
    fields = {name: value for name, value in json_of(part, api.output).items() if name != "updatedBy"}
    api.show(lambda: fields, lambda: print_entry(part))


def _description(entry: catalog_pb.Catalog) -> catalog_pb.Catalog:
    """Return what people write of an entry."""
    entry.created_at = entry.updated_at = None
    entry.updated_by = ""
    entry.clear_field("claimed_updated_by")
    return entry


command("compliance")(compliance.compliance)
