"""`tracker terraform`: lists, prints and restores states of Terraform."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlencode

import typer

from tracker.cli.exits import STATE_TABLE, USAGE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.options import ListApi, RecordApi, Server, command_of, number_option
from tracker.cli.printing import echo
from tracker.cli.tables import Column, Table

if TYPE_CHECKING:
    from tracker.cli.printing import Cell
    from tracker.pb import terraform_pb

app = client_group("List, print and restore states of Terraform and OpenTofu.", STATE_TABLE)
command = partial(command_of, app, codes=STATE_TABLE)

_NEWEST = 2**63 - 1

State = Annotated[
    str,
    typer.Argument(metavar="STATE", help="Service, and environment if it has one: `network/production`."),
]
_STATES = (
    Column("STATE"),
    Column("VERSION"),
    Column("SERIAL", rank=2),
    Column("RESOURCES", rank=1),
    Column("SIZE", rank=4),
    Column("WRITTEN"),
    Column("TERRAFORM", rank=3),
)
_VERSIONS = (
    Column("VERSION"),
    Column("SERIAL"),
    Column("RESOURCES", rank=1),
    Column("SIZE", rank=3),
    Column("WRITTEN"),
    Column("BY", rank=2, least=12),
    Column("RESTORED", rank=4),
)


@command("states")
def states(*, api: ListApi) -> None:
    """List the states, each with its current version.

    Example: tracker terraform states
    """
    from tracker.client.rpcs import LIST_STATES

    answer = api.whole(LIST_STATES, LIST_STATES.request())
    api.show_list(answer, answer.states, Table(_STATES, _state_row), "no states")


@command("versions")
def versions(state: State, *, api: ListApi) -> None:
    """List the versions of a state that are kept, the newest first.

    Example: tracker terraform versions network/production
    """
    from tracker.client.rpcs import LIST_STATE_VERSIONS

    service, environment = _named(state)
    request = LIST_STATE_VERSIONS.request(service=service, environment=environment)
    answer = api.call(LIST_STATE_VERSIONS, request)
    api.show_list(answer, answer.versions, Table(_VERSIONS, _version_row), "no versions")


@command("pull")
def pull(
    state: State,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="File to write.  [default: standard output]")
    ] = None,
    *,
    number: Annotated[
        int,
        number_option("Version to print.  [default: the current one]", "--version", least=0, most=_NEWEST),
    ] = 0,
    api: Server,
) -> None:
    """Write a version of a state as Terraform wrote it. States contain secrets.

    Example: tracker terraform pull network/production --version 7 > terraform.tfstate
    """
    names = "/".join(quote(each, safe="") for each in _named(state) if each)
    query = f"?{urlencode({'version': number})}" if number else ""
    with api.connected() as connection:
        content = connection.content(f"/terraform/{names}{query}")
    if file is None:
        sys.stdout.buffer.write(content)
        return
    try:
        file.touch(mode=0o600)
        file.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{file} can't be written: {error.strerror}", USAGE) from None


@command("restore")
def restore(
    state: State,
    number: Annotated[
        int, typer.Argument(metavar="VERSION", min=1, help="Number of the version, as `versions` has it.")
    ],
    *,
    api: RecordApi,
) -> None:
    """Make the content of an earlier version of a state that of a new one.

    What Terraform has built is not changed: its next plan shows how that differs.

    Example: tracker terraform restore network/production 7
    """
    from tracker.client.rpcs import RESTORE_STATE_VERSION

    service, environment = _named(state)
    request = RESTORE_STATE_VERSION.request(service=service, environment=environment, number=number)
    answer = api.call(RESTORE_STATE_VERSION, request)
    new = 0 if answer.version is None else answer.version.number
    api.show(answer, lambda: echo(f"version {new} of {state} has the content of version {number}"))


def _named(state: str) -> tuple[str, str]:
    """Return the service and the environment of a state."""
    service, slash, environment = state.partition("/")
    if not service or (slash and not environment) or "/" in environment:
        raise CommandError(f"expected SERVICE or SERVICE/ENVIRONMENT, not {state}", USAGE)
    return service, environment


def _state_row(state: terraform_pb.State) -> tuple[Cell, ...]:
    if not state.versions:
        return (state.id, "", "", "", "", None, "")
    current = state.versions[0]
    return (
        state.id,
        str(current.number),
        str(current.serial),
        str(current.resource_count),
        str(current.size),
        current.created_at,
        current.terraform_version,
    )


def _version_row(version: terraform_pb.StateVersion) -> tuple[Cell, ...]:
    return (
        str(version.number),
        str(version.serial),
        str(version.resource_count),
        str(version.size),
        version.created_at,
        version.created_by,
        str(version.restored_from or ""),
    )
