"""`tracker doctor`: checks a server, and says what to do."""

from __future__ import annotations

import os
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.exits import CommandError
from tracker.cli.operating.options import BackupPlace, OtherServer, TokenFile, lenient_settings
from tracker.cli.options import output_option
from tracker.cli.printing import Output, print_document, terminal_width
from tracker.cli.server import require_access_control
from tracker.cli.tables import line_printer
from tracker.cli.time_options import duration_option
from tracker.config import Configuration
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tracker.diagnosis.findings import Finding
    from tracker.diagnosis.machine import Backups
    from tracker.transcoding.json_text import JsonValue

_STYLES = {"ok": "green", "skipped": "dim", "warning": "yellow", "failed": "bold red"}
_STATUS_WIDTH, _CHECK_WIDTH, _GAP = 8, 15, 2
_NARROW = 60
"""Columns below which what was found stands below its check."""


def doctor(
    configuration: Annotated[Configuration | Sequence[str], lenient_settings()],
    *,
    server: OtherServer = "",
    token_file: TokenFile = None,
    backups: BackupPlace = None,
    backup_age: Annotated[
        timedelta | None, duration_option("How old the newest backup may be.  [default: 26h]")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--full", help="Search all of the store for damage, which may take minutes.")
    ] = False,
    output: Annotated[
        Output, output_option("`json` and `yaml` print one document.", Output.JSON, Output.YAML)
    ] = Output.TEXT,
) -> None:
    """Check the server of this machine, or with --server another one, and say what to do.

    Here: settings, ports, TLS, store, disk, tokens, webhooks, audit log, backups, issuers. Of another server,
    what it answers. Nothing is changed; the server may run or not.

    Example: tracker doctor --backups /var/backups/tracker
    """
    if server:
        findings = _of_server(server, token_file)
    else:
        from tracker.diagnosis.machine import Backups

        places = Backups(backups) if backup_age is None else Backups(backups, backup_age)
        findings = of_machine(configuration, places, whole=whole)
    found: list[Finding] = []
    show = _printer() if output is Output.TEXT else None
    for finding in findings:
        found.append(finding)
        if show is not None:
            show(finding)
    if output is not Output.TEXT:
        print_document(document_of(found), output)
    else:
        _print_summary(found)
    sys.exit(_exit_code(found))


def of_machine(
    configuration: Configuration | Sequence[str], backups: Backups, *, whole: bool = False
) -> Iterator[Finding]:
    """Check what is on this machine; of settings that can't be read, only that."""
    from tracker.diagnosis.findings import failed
    from tracker.diagnosis.machine import check_machine

    if not isinstance(configuration, Configuration):
        advice = "correct it: `tracker config` prints the settings"
        yield from (failed("settings", problem, advice) for problem in configuration)
        return
    try:
        require_access_control(configuration.settings)
    except CommandError as error:
        what, _, advice = str(error).partition(". ")
        yield failed("settings", what, advice)
    yield from check_machine(configuration, os.environ, backups, whole=whole)


def document_of(found: Sequence[Finding], *, names: bool = True) -> dict[str, JsonValue]:
    """Return findings as JSON, the worst status first; names of records may be those of persons."""
    return {
        "status": worst(found),
        "findings": [
            {
                "check": each.check,
                "status": each.status.value,
                "found": each.found,
                "advice": each.advice,
                "names": list(each.names) if names else [],
            }
            for each in found
        ],
    }


def worst(found: Sequence[Finding]) -> str:
    """Return the worst status of findings."""
    statuses = {each.status.value for each in found}
    return next((status for status in ("failed", "warning") if status in statuses), "ok")


def _of_server(server: str, token_file: Path | None) -> Iterator[Finding]:
    from tracker.cli.credentials import credential_for
    from tracker.client.connection import Connection
    from tracker.diagnosis.server import check_server

    credential = credential_for(server, token_file)
    with Connection(
        server, patience=0, token=credential.token, plain_http=credential.plain_http
    ) as connection:
        yield from check_server(connection)


def _exit_code(found: Sequence[Finding]) -> int:
    return {"failed": 2, "warning": 1}.get(worst(found), 0)


class _printer:  # noqa: N801 - used as a function
    """Prints findings as they are made: what was found, and below it what to do."""

    def __init__(self) -> None:
        self._print = line_printer(" " * _GAP)
        self._terminal = sys.stdout.isatty()

    def __call__(self, finding: Finding) -> None:
        status, style = finding.status.value, _STYLES[finding.status.value]
        names = f" ({', '.join(finding.names)})" if finding.names else ""
        head = [(f"{status:<{_STATUS_WIDTH}}", style), (f"{finding.check:<{_CHECK_WIDTH}}", "bold")]
        indent = " " * (_STATUS_WIDTH + _CHECK_WIDTH + _GAP)
        narrow = self._terminal and terminal_width() < _NARROW
        lines = [*self._wrapped(finding.found + names, narrow=narrow)]
        advice = [*self._wrapped(finding.advice, narrow=narrow)] if finding.advice else []
        if narrow:
            indent = ""
            self._print(head)
        else:
            self._print([*head, (lines.pop(0), "")])
        for text, style in (*((line, "") for line in lines), *((line, "cyan") for line in advice)):
            self._print([(indent, ""), (text, style)])

    def _wrapped(self, text: str, *, narrow: bool) -> Sequence[str]:
        if not self._terminal:
            return [text]
        room = terminal_width() - (_GAP if narrow else _STATUS_WIDTH + _CHECK_WIDTH + 2 * _GAP)
        return textwrap.wrap(text, max(16, room)) or [""]


def _print_summary(found: Sequence[Finding]) -> None:
    counts: Mapping[str, int] = Counter(each.status.value for each in found)
    names = {"failed": "failed", "warning": "with a warning", "skipped": "not made", "ok": "ok"}
    text = ", ".join(f"{counts[status]} {name}" for status, name in names.items() if counts.get(status))
    line_printer()([(f"{number_of(len(found), 'check')}: {text}", "bold")])
