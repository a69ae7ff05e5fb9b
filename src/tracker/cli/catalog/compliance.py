"""`tracker catalog compliance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import Api
from tracker.cli.exits import OUTDATED
from tracker.cli.options import api_options, choice_option
from tracker.cli.printing import Output, echo
from tracker.cli.tables import Column, print_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.pb import catalog_pb

_PROJECTS = (
    Column("PROJECT", least=10),
    Column("COMPLIANT", least=5),
    Column("OUTDATED", rank=1, least=4),
    Column("USES", rank=2, least=4),
)
_USES = (
    Column("PROJECT", least=10),
    Column("DELIVERABLE", least=10),
    Column("TYPE", rank=3, least=7),
    Column("VERSION", rank=1, least=6),
    Column("REFERENCE", rank=1, least=6),
    Column("LATEST", rank=2, least=6),
)


def compliance(
    *,
    types: Annotated[
        list[str] | None,
        choice_option(
            "catalog_pb.Type",
            "Type to report: package, chart, container, module or library; may be repeated.",
            "--type",
        ),
    ] = None,
    fail: Annotated[
        bool,
        typer.Option(
            "--fail-on-outdated", help=f"Exit with {OUTDATED} if a project uses an outdated version."
        ),
    ] = False,
    api: Annotated[
        Api,
        api_options(
            "`json` and `yaml` print the answer of the server, `csv` a table of all uses.",
            *(Output.JSON, Output.YAML, Output.CSV),
        ),
    ],
) -> None:
    """Show which projects use the reference versions of their dependencies, and what is outdated.

    Example: tracker catalog compliance --type library --fail-on-outdated
    """
    from tracker.client.rpcs import GET_VERSION_COMPLIANCE

    request = GET_VERSION_COMPLIANCE.of({"types": [*(types or ())]})
    answer = api.whole(GET_VERSION_COMPLIANCE, request)
    rows = [
        (*_use_row(project, use), "yes" if use.is_outdated else "no")
        for project in answer.projects
        for use in project.deliverables
    ]
    columns = [*(column.name.lower() for column in _USES), "outdated"]
    api.show(answer, lambda: _print_compliance(answer), columns=columns, rows=rows)
    if fail and any(project.outdated_count for project in answer.projects):
        raise typer.Exit(OUTDATED)


def _use_row(project: catalog_pb.ProjectCompliance, use: catalog_pb.DeliverableUsage) -> Sequence[str]:
    """Return the row of what a project uses, a value for each of `_USES`."""
    type_ = use.type.name if use.type else ""
    versions = (use.current_version, use.reference_version, use.latest_version)
    return (project.project_name, use.name, type_, *versions)


def _print_compliance(answer: catalog_pb.GetVersionComplianceResponse) -> None:
    if answer.summary is None or not answer.projects:
        echo("no projects", err=True)
        return
    summary = answer.summary
    echo(f"{summary.compliant_projects} of {summary.total_projects} projects are compliant")
    echo()
    projects = [
        (
            each.project_name,
            f"{each.compliance_percentage:.0f} %",
            each.outdated_count,
            each.total_count,
        )
        for each in answer.projects
    ]
    print_rows(_PROJECTS, projects)
    outdated = [
        _use_row(each, use) for each in answer.projects for use in each.deliverables if use.is_outdated
    ]
    if outdated:
        echo()
        print_rows(_USES, outdated)
