"""The exit codes of commands that ask a server, and which failure has which."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.cli.errors import CommandError
from tracker.cli.output import Output, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.cli.documents import Json
    from tracker.client import ApiError

FAILED = 1
"""Anything that has no code of its own, such as a lock that is unknown or a token that is wrong."""
OUTDATED = 3
"""A project uses a version that it should not, and this is to be a failure."""
USAGE = 64
"""The command line, or what the server was asked for, is wrong (`EX_USAGE`)."""
UNREACHABLE = 69
"""The server gave no answer, or can't serve the call now (`EX_UNAVAILABLE`)."""
LOCKED = 75
"""Another holds the lock, or the lock was lost (`EX_TEMPFAIL`)."""
WAITED = 124
"""The lock was not free within `--wait`, as `timeout` has it."""
NOT_EXECUTABLE = 126
"""The command to run was found, but can't be run, as shells have it."""
NOT_FOUND = 127
"""The command to run was not found, as shells have it."""
INTERRUPTED = 130
"""Interrupted by Ctrl-C, as shells have it."""
SIGNALLED = 128
"""Added to the number of the signal that ended the command, as shells have it."""

EVENT_TABLE = {
    "0": "done",
    str(FAILED): "failed, such as an event that is unknown",
    str(USAGE): "the command line or a value is wrong",
    str(UNREACHABLE): "the server gave no answer, or can't serve now",
    str(LOCKED): "a lock is in the way of the event",
}
"""What each code of `tracker event` and `tracker stats` means, for the help."""

CATALOG_TABLE = {
    "0": "done",
    str(FAILED): "failed, such as an entry that is unknown",
    str(OUTDATED): "compliance: with --fail-on-outdated, an outdated version is used",
    str(USAGE): "the command line, a file or a value is wrong",
    str(UNREACHABLE): "the server gave no answer, or can't serve now",
}
"""What each code of `tracker catalog` means, for the help."""

ARCHIVE_TABLE = {
    "0": "done: every event is there",
    str(FAILED): "a line was refused, or the export can't be written",
    str(USAGE): "the command line is wrong, or the file can't be read",
    str(UNREACHABLE): "the server gave no answer, or can't serve now",
    str(INTERRUPTED): "interrupted; the same command goes on",
}
"""What each code of `tracker import` and `tracker export` means, for the help."""

LOCK_TABLE = {
    "0": "done; of `run`, what the command exits with",
    str(FAILED): "failed, such as a lock that is unknown or a token that is wrong",
    str(USAGE): "the command line or a value is wrong",
    str(UNREACHABLE): "the server gave no answer, or can't serve now",
    str(LOCKED): "another holds the lock, or the lock was lost",
    str(WAITED): "the lock was not free within --wait",
    str(NOT_EXECUTABLE): "run: the command can't be run",
    str(NOT_FOUND): "run: there is no such command",
    f"{SIGNALLED}+n": "run: signal n ended the command",
}
"""What each code of `tracker lock` means, for the help."""

RUN_TABLE = {
    "0": "what the command exits with, 0 to 255",
    str(FAILED): "the event was refused",
    str(USAGE): "the command line or a value is wrong",
    str(UNREACHABLE): "the server gave no answer, or can't serve now",
    str(LOCKED): "another holds the lock, or the lock was lost",
    str(WAITED): "the lock was not free within --wait",
    str(NOT_EXECUTABLE): "the command can't be run",
    str(NOT_FOUND): "there is no such command",
    f"{SIGNALLED}+n": "signal n ended the command",
}
"""What each code of `tracker run` means, for the help."""


def exit_code(error: ApiError) -> int:
    """Return what a command ends with that the server refused."""
    from tracker.errors import Code, Reason

    by_reason: dict[str, int] = {
        Reason.LOCK_WAIT_TIMEOUT: WAITED,
        Reason.LOCK_HELD: LOCKED,
        Reason.LOCK_DELAY: LOCKED,
        Reason.LOCK_LOST: LOCKED,
        Reason.LOCK_TOKEN_USED: LOCKED,
    }
    by_code = {
        Code.INVALID_ARGUMENT: USAGE,
        Code.UNAVAILABLE: UNREACHABLE,
        Code.DEADLINE_EXCEEDED: UNREACHABLE,
        Code.RESOURCE_EXHAUSTED: UNREACHABLE,
    }
    return by_reason.get(error.reason) or by_code.get(error.code, FAILED)


@contextmanager
def failures(output: Output = Output.TEXT) -> Iterator[None]:
    """Turn what a call to the server ends with into the failure of the command, for who it prints for.

    Raises:
        CommandError: The call failed.
    """
    from tracker.client import ApiError, UnreachableError

    try:
        yield
    except ApiError as error:
        _document(
            output,
            error.message,
            code=error.code.name,
            reason=error.reason,
            metadata={name: str(value) for name, value in error.metadata.items()},
        )
        raise CommandError(printable(error.message), exit_code(error)) from None
    except UnreachableError as error:
        _document(output, str(error), code="UNAVAILABLE", reason="UNREACHABLE", metadata={})
        raise CommandError(str(error), UNREACHABLE) from None


def _document(output: Output, message: str, **details: Json) -> None:
    from tracker.cli.documents import print_document

    if output in (Output.JSON, Output.YAML):
        print_document({"error": {"message": message, **details}}, output)
