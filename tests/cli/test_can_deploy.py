"""`tracker can-deploy`, `tracker run --gate` and `tracker event approve`."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.cli.commands import at, start, tracker
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.server_process import ServerProcess

SHOP = ("--service", "shop", "--environment", "production")


def test_what_may_not_be_deployed_is_not_run_without_a_reason(server: ServerProcess) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = tracker(*arguments, environ=at(server))
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert run("can-deploy", *SHOP) == "yes\n"
    assert "did you mean production?" in run("can-deploy", "--service", "shop", "--environment", "prodution")
    incident = run(
        "event", "create", "Down", "--service", "shop", "--type", "incident", "--status", "open"
    ).strip()
    assert f"not yet: open incident (no priority): Down ({incident})" in run("can-deploy", *SHOP, code=75)
    run("event", "finish", incident)
    assert run("run", "--gate", "--type", "incident", *SHOP, "--", "echo", "rehearsed") == "rehearsed\n"
    run("freeze", "create", "Launch", "--from", "2020-01-01", "--until", "2199-01-01")
    told = run("can-deploy", *SHOP, "--output", "json", code=75)
    assert json.loads(told)["notBefore"] == "2199-01-01T00:00:00Z"
    refused = run("run", "--gate", *SHOP, "--", "echo", "deployed", code=75)
    assert "freeze window 'Launch' until" in refused
    assert "deployed" not in refused
    done = run("run", "--gate", "--override", "hotfix", *SHOP, "--version", "2", "--", "echo", "deployed")
    assert "overridden: not yet" in done
    (event,) = json.loads(run("event", "list", "version:2", "--output", "json"))["events"]
    assert "hotfix" in [each["comment"] for each in event["changelog"]]
    run("event", "create", "Deploy 3", *SHOP, "--type", "deployment", "--status", "failure", "--version", "3")
    run("freeze", "update", "Launch", "--off")
    assert "no: version 3 failed here" in run("can-deploy", *SHOP, "--version", "3", code=1)
    assert "warning: the last deployment here failed" in run("can-deploy", *SHOP, "--version", "4")
    assert "--gate needs --environment" in run("run", "--gate", "--service", "shop", "--", "true", code=64)


def test_of_two_that_are_allowed_at_once_the_second_is_asked_again_with_the_lock(
    server: ServerProcess,
) -> None:
    work = ("--service", "till", "--environment", "production", "--type", "operation")
    tell = [sys.executable, "-m", "tracker", "event", "create", "Till is down", "--type", "incident"]
    down = shlex.join([*tell, "--service", "till", "--status", "open"])
    gated = ("run", "--gate", "--lock", "--wait", "60s", *work, "--", "sh", "-c", f"echo ran; {down}")
    place = ("--service", "till", "--environment", "production", "--resource", "operation")
    held = ("lock", "run", *place, "--", "sh", "-c", "echo held; cat")
    with ExitStack() as stack:
        holder = stack.enter_context(start(*held, environ=at(server)))
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        both = [stack.enter_context(start(*gated, environ=at(server))) for _ in range(2)]
        for each in both:  # they have been allowed, and wait for the lock
            assert each.stderr is not None
            assert "waiting: " in each.stderr.readline()
        holder.communicate(timeout=PATIENCE)
        ends = [each.communicate(timeout=PATIENCE) for each in both]
    assert sorted(each.returncode for each in both) == [0, 75]
    assert ["ran" in out for out, _ in ends] == [each.returncode == 0 for each in both]
    assert any("not yet: open incident (no priority): Till is down" in err for _, err in ends)
    listed = tracker("event", "list", "service:till type:operation", "--output", "json", environ=at(server))
    statuses = [each["attributes"]["status"] for each in json.loads(listed.stdout)["events"]]
    assert sorted(statuses) == ["close", "success"]
    assert "till" not in tracker("lock", "list", environ=at(server)).stdout


def test_an_event_that_waits_is_approved_or_rejected(server: ServerProcess) -> None:
    def run(*arguments: str) -> str:
        done = tracker(*arguments, environ=at(server))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def status(id_: str) -> str:
        return str(json.loads(run("event", "get", id_, "--output", "json"))["event"]["attributes"]["status"])

    waits = [
        run("event", "create", "Deploy", *SHOP, "--type", "deployment", "--status", "waiting_approval")
        for _ in range(2)
    ]
    run("event", "approve", waits[0], "--comment", "tested", "--who", "bo")
    run("event", "reject", waits[1])
    assert [status(each) for each in waits] == ["planned", "close"]
