"""`tracker versions`: what runs where, and how it differs between moments or environments."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.options import ListApi, value_of
from tracker.cli.tables import Column, Table
from tracker.cli.time_options import end_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.cli.printing import Cell
    from tracker.pb import version_pb
    from tracker.transcoding.json_text import JsonValue

_COLUMNS = (
    Column("SERVICE", least=10),
    Column("ENVIRONMENT", rank=1, least=8),
    Column("PLACE", rank=6, least=6),
    Column("VERSION", least=8),
    Column("SINCE", rank=2, least=5),
    Column("BY", rank=5, least=6),
    Column("NOTE", rank=3, least=12),
    Column("ID", rank=4, id=True),
)


def versions(
    service: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE",
            autocompletion=completing.values_of("service"),
            help="Its versions.  [default: all]",
        ),
    ] = "",
    *,
    environment: Annotated[
        str,
        typer.Option(
            parser=value_of("event_pb.Environment"),
            metavar="NAME",
            autocompletion=completing.values_of("environment"),
            help="Only what runs in this environment.",
        ),
    ] = "",
    as_of: Annotated[datetime | None, end_option("What ran at an earlier time.")] = None,
    compared_with: Annotated[
        datetime | None,
        end_option("What differs from another time."),
    ] = None,
    environments: Annotated[
        tuple[str, str] | None,
        typer.Option(
            parser=value_of("event_pb.Environment"),
            metavar="NAME OTHER",
            autocompletion=completing.values_of("environment"),
            help="What runs in the first environment and not everywhere in the second.",
        ),
    ] = None,
    services: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Services whose names match, such as `shop-*`."),
    ] = None,
    team: Annotated[str, typer.Option(metavar="NAME", help="Services that the catalog says it owns.")] = "",
    version: Annotated[
        str, typer.Option(metavar="PATTERN", help="Where these versions run, such as `2.*`.")
    ] = "",
    behind: Annotated[
        bool, typer.Option("--behind", help="Only what is behind the previous environment.")
    ] = False,
    api: ListApi,
) -> None:
    """List which versions of services run in which environments.

    A version runs where the last deployment that ended well has put it.

    Example: tracker versions checkout --as-of 2026-01-31T12:00
    """
    from tracker.client.rpcs import GET_DEPLOYED_VERSIONS

    if environments is not None and environment:
        raise typer.BadParameter("not together with --environments", param_hint="--environment")
    here, there = environments or (environment, "")
    moments = {
        name: "" if moment is None else moment.isoformat(timespec="seconds")
        for name, moment in (("as_of", as_of), ("compared_with", compared_with))
    }
    asked: dict[str, JsonValue] = {
        "service": service,
        "environment": here or 0,
        "compared_environment": there or 0,
        "services": [*(services or ())],
        "team": team,
        "version": version,
        **moments,
    }
    answer = api.call(GET_DEPLOYED_VERSIONS, GET_DEPLOYED_VERSIONS.of(asked))
    token = answer.next_page_token
    while token:
        page = api.call(GET_DEPLOYED_VERSIONS, GET_DEPLOYED_VERSIONS.of({**asked, "page_token": token}))
        answer.versions.extend(page.versions)
        answer.environments.extend(set(page.environments) - set(answer.environments))
        answer.incomplete, token = answer.incomplete or page.incomplete, page.next_page_token
    answer.next_page_token = ""
    if behind:
        answer.versions = [each for each in answer.versions if _number(each.behind_previous_environment)]
    compared = f"in {there}" if there else "then"
    api.show_list(
        answer, answer.versions, Table(_COLUMNS, partial(_row, compared=compared)), "no deployments"
    )


def _number(value: object) -> int:
    return int(getattr(value, "value", 0))


def _row(each: version_pb.DeployedVersion, compared: str) -> Sequence[Cell]:
    """Return the row of a version, a value for each of `_COLUMNS`."""
    place = "/".join(part for part in (each.region, each.cluster) if part)
    environment = each.environment.name if each.environment else ""
    note = "; ".join(_notes(each, compared))
    return (
        each.service,
        environment,
        place,
        each.version or "-",
        each.since,
        each.deployed_by,
        note,
        each.event_id,
    )


def _notes(each: version_pb.DeployedVersion, compared: str) -> Iterable[str]:
    if each.compared_version or not each.version:
        yield f"{each.compared_version or 'nothing'} {compared}"
    if each.rolled_back:
        yield f"rolled back from {each.previous_version}"
    if each.later is not None:
        yield f"{each.later.version or 'a later one'}: {each.later.status.name}"
    if number := _number(each.behind_previous_environment):
        yield f"{number} behind {each.previous_environment.name}"
    elif number := _number(each.behind_newest):
        yield f"{number} behind {each.newest_version}"
