"""`tracker catalog compliance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import ask
from tracker.cli.catalog.group import EPILOG, app
from tracker.cli.choices import choice_option
from tracker.cli.exits import OUTDATED
from tracker.cli.options import DEFAULT_SERVER, Server, output_option
from tracker.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.pb import catalog_pb

_PROJECTS = ("PROJECT", "COMPLIANT", "OUTDATED", "USES")
_USES = ("PROJECT", "DELIVERABLE", "TYPE", "VERSION", "REFERENCE", "LATEST")


@app.command("compliance", epilog=EPILOG)
def compliance(
    *,
    types: Annotated[
        list[str] | None,
        choice_option("catalog_pb.Type", "Type to report, such as `library`; may be repeated.", "--type"),
    ] = None,
    fail: Annotated[
        bool,
        typer.Option(
            "--fail-on-outdated", help=f"Exit with {OUTDATED} if a project uses an outdated version."
        ),
    ] = False,
    server: Server = DEFAULT_SERVER,
    output: Annotated[
        Output,
        output_option(
            "`json` and `yaml` print the answer of the server, `csv` a table of all uses.",
            Output.JSON,
            Output.YAML,
            Output.CSV,
        ),
    ] = Output.TEXT,
) -> None:
    """Show which projects use the reference versions of their dependencies, and what is outdated.

    Example: tracker catalog compliance --type library --fail-on-outdated
    """
    from tracker.cli.documents import print_answer
    from tracker.client.catalog import GET_VERSION_COMPLIANCE
    from tracker.pb import catalog_pb

    request = GET_VERSION_COMPLIANCE.request(types=[catalog_pb.Type[name] for name in types or ()])
    answer = ask(server, output, GET_VERSION_COMPLIANCE, request)
    rows = [
        (*row, "yes" if use.is_outdated else "no")
        for project in answer.projects
        for use, row in _uses(project)
    ]
    columns = [*map(str.lower, _USES), "outdated"]
    print_answer(answer, output, lambda: _print(answer), columns=columns, rows=rows)
    if fail and any(project.outdated_count for project in answer.projects):
        raise typer.Exit(OUTDATED)


def _uses(
    project: catalog_pb.ProjectCompliance,
) -> Iterator[tuple[catalog_pb.DeliverableUsage, tuple[str, ...]]]:
    """Yield what a project uses, each with its row, a value for each of `_USES`."""
    for use in project.deliverables:
        yield (
            use,
            (
                project.project_name,
                use.name,
                use.type.name if use.type else "",
                use.current_version,
                use.reference_version,
                use.latest_version,
            ),
        )


def _print(answer: catalog_pb.GetVersionComplianceResponse) -> None:
    if answer.summary is None or not answer.projects:
        typer.echo("no projects", err=True)
        return
    summary = answer.summary
    typer.echo(f"{summary.compliant_projects} of {summary.total_projects} projects are compliant")
    typer.echo()
    _print_table(
        _PROJECTS,
        [
            (
                project.project_name,
                f"{project.compliance_percentage:.0f} %",
                str(project.outdated_count),
                str(project.total_count),
            )
            for project in answer.projects
        ],
    )
    outdated = [row for project in answer.projects for use, row in _uses(project) if use.is_outdated]
    if outdated:
        typer.echo()
        _print_table(_USES, outdated)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from tracker.cli.records import print_record, print_table

    names = list(map(str.lower, columns))
    print_table(columns, rows, lambda row: row, lambda row: print_record(dict(zip(names, row, strict=True))))
