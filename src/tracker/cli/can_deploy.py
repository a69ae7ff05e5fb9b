"""`tracker can-deploy`: whether something may be deployed."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import DENIED, NOT_YET
from tracker.cli.options import RecordApi, names_of
from tracker.cli.printing import echo, say, shown_time
from tracker.cli.time_options import duration_option, moment_option, timestamp

if TYPE_CHECKING:
    from tracker.client.connection import Connection
    from tracker.pb import deployment_pb

PAUSE_SECONDS = 15.0
"""Seconds between two questions of a command that waits."""

_WORDS = {"yes": "yes", "not_yet": "not yet", "no": "no"}


def can_deploy(
    *,
    service: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=completing.values_of("service"), help="Service to deploy."
        ),
    ],
    environment: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=names_of("event_pb.Environment"), help="Where to deploy it to."
        ),
    ],
    version: Annotated[str, typer.Option(metavar="VERSION", help="Version to deploy.")] = "",
    event: Annotated[
        str,
        typer.Option(
            metavar="ID",
            autocompletion=completing.event_ids,
            help="Event of this deployment, if there is one.",
        ),
    ] = "",
    at: Annotated[
        datetime | None,
        moment_option("Another time to ask for.  [default: now]"),
    ] = None,
    wait: Annotated[timedelta | None, duration_option("How long to wait, if the answer is not yet.")] = None,
    api: RecordApi,
) -> None:
    """Say whether a service may be deployed to an environment, with every reason.

    Freeze windows, locks, open incidents, running and failed deployments, planned work, missing approvals,
    the order of environments and the server's own rules are considered. Nothing is changed.

    Example: tracker can-deploy --service shop --environment production --version 1.4.2 --wait 30m
    """
    from tracker.client.rpcs import CHECK_DEPLOYMENT

    request = CHECK_DEPLOYMENT.request(
        service=service,
        environment=environment,
        version=version,
        event_id=event,
        at=timestamp(at),
    )
    with api.connected() as connection:
        answer = checked(connection, request, timedelta() if wait is None else wait)
    api.show(answer, lambda: print_answer(answer))
    if code := exit_code(answer):
        raise typer.Exit(code)


def checked(
    connection: Connection, request: deployment_pb.CheckDeploymentRequest, wait: timedelta
) -> deployment_pb.CheckDeploymentResponse:
    """Ask until the answer is another one than not yet, or so long."""
    from tracker.client.rpcs import CHECK_DEPLOYMENT
    from tracker.pb import deployment_pb

    give_up = time.monotonic() + wait.total_seconds()
    waiting = ""
    while True:
        answer = connection.call(CHECK_DEPLOYMENT, request)
        rest = give_up - time.monotonic()
        if answer.verdict is not deployment_pb.Verdict.not_yet or rest <= 0:
            return answer
        why = "; ".join(_blocking(answer))
        if why != waiting:
            say(f"not yet: {why}; waiting")
            waiting = why
        time.sleep(min(PAUSE_SECONDS, rest))


def exit_code(answer: deployment_pb.CheckDeploymentResponse) -> int:
    """Return the exit code for an answer; one that this version does not know is no."""
    from tracker.pb import deployment_pb

    known = {deployment_pb.Verdict.yes: 0, deployment_pb.Verdict.not_yet: NOT_YET}
    return known.get(answer.verdict, DENIED)


def print_answer(answer: deployment_pb.CheckDeploymentResponse) -> None:
    """Print an answer for people: the verdict, and a line for each reason."""
    verdict = _word(answer.verdict)
    echo(f"{verdict}, from {shown_time(answer.not_before)} on" if answer.not_before else verdict)
    for each in answer.reasons:
        mark = "warning" if _word(each.verdict) == "yes" else _word(each.verdict)
        where = each.event_id or each.lock_id or each.freeze_window_id
        echo(f"  {mark}: {each.text}" + (f" ({where})" if where else ""))


def summary(answer: deployment_pb.CheckDeploymentResponse) -> str:
    """Return why a deployment may not begin, on one line."""
    until = f" (from {shown_time(answer.not_before)} on)" if answer.not_before else ""
    return f"{_word(answer.verdict)}{until}: {'; '.join(_blocking(answer))}"


def _blocking(answer: deployment_pb.CheckDeploymentResponse) -> list[str]:
    return [each.text for each in answer.reasons if _word(each.verdict) != "yes"]


def _word(verdict: deployment_pb.Verdict) -> str:
    return _WORDS.get(str(verdict.name), "no")
