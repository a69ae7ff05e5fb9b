"""The exit codes of commands that ask a server, and which failure has which."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.cli.errors import CommandError
from tracker.cli.output import Output, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.client import ApiError
    from tracker.transcoding.json_text import JsonValue

FAILED = 1
"""Anything that has no code of its own, such as a lock that is unknown or a token that is wrong."""
OUTDATED = 3
"""A project uses an outdated version, and --fail-on-outdated was given."""
USAGE = 64
"""The command line, or what the server was asked for, is wrong (`EX_USAGE`)."""
UNREACHABLE = 69
"""The server gave no answer, or can't serve the call now (`EX_UNAVAILABLE`)."""
LOCKED = 75
"""Another holds the lock, or the lock was lost (`EX_TEMPFAIL`)."""
WAITED = 124
"""The lock was not free within `--wait`, as of `timeout`."""
NOT_EXECUTABLE = 126
"""The command to run was found, but can't be run, as in shells."""
NOT_FOUND = 127
"""The command to run was not found, as in shells."""
INTERRUPTED = 130
"""Interrupted by Ctrl-C, as in shells."""
SIGNALLED = 128
"""Added to the number of the signal that ended the command, as in shells."""


def _table(codes: Mapping[int, str], usage: str = "the command line or a value is wrong") -> dict[str, str]:
    """Return what each exit code of a command means, for the help."""
    meanings = {USAGE: usage, UNREACHABLE: "the server gave no answer, or can't serve now", **codes}
    table = {str(code): meanings[code] for code in sorted(meanings)}
    return table | ({f"{SIGNALLED}+n": table.pop(str(SIGNALLED))} if SIGNALLED in codes else {})


_STATS = {0: "done", FAILED: "failed, such as an event that is unknown"}
_COMMAND = {
    LOCKED: "another holds the lock, or the lock was lost",
    WAITED: "the lock was not free within --wait",
    NOT_EXECUTABLE: "the command can't be run",
    NOT_FOUND: "there is no such command",
    SIGNALLED: "signal n ended the command",
}
STATS_TABLE = _table(_STATS)
EVENT_TABLE = _table({**_STATS, LOCKED: "a lock is in the way of the event"})
CATALOG_TABLE = _table(
    {
        0: "done",
        FAILED: "failed, such as an entry that is unknown",
        OUTDATED: "compliance: with --fail-on-outdated, an outdated version is used",
    },
    "the command line, a file or a value is wrong",
)
ARCHIVE_TABLE = _table(
    {
        0: "done: every event is there",
        FAILED: "a line was refused, or the export can't be written",
        INTERRUPTED: "interrupted; the same command goes on",
    },
    "the command line is wrong, or the file can't be read",
)
RUN_TABLE = _table({**_COMMAND, 0: "what the command exits with, 0 to 255", FAILED: "the event was refused"})
LOCK_TABLE = _table(
    {
        **{code: f"run: {text}" if code >= NOT_EXECUTABLE else text for code, text in _COMMAND.items()},
        0: "done; of `run`, what the command exits with",
        FAILED: "failed, such as a lock that is unknown or a token that is wrong",
    }
)


def exit_code(error: ApiError) -> int:
    """Return the exit code of a command whose call the server refused."""
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
    """Turn the failure of a call into that of the command, and print it as a document if one was asked for.

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


def _document(output: Output, message: str, **details: JsonValue) -> None:
    from tracker.cli.documents import print_document

    if output in (Output.JSON, Output.YAML):
        print_document({"error": {"message": message, **details}}, output)
