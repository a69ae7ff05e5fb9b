"""Runs `tracker event`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.commands import at, tracker

if TYPE_CHECKING:
    import subprocess

    from tests.server_process import ServerProcess


def run(server: ServerProcess, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `tracker event` and check what it exits with."""
    done = tracker("event", *arguments, environ=at(server) | {"TZ": "UTC"})
    assert done.returncode == code, done.stderr
    return done


def created(server: ServerProcess, title: str, service: str, *options: str, type_: str = "deployment") -> str:
    """Record an event and return its id."""
    return run(server, "create", title, "--service", service, "--type", type_, *options).stdout.strip()
