"""How commands end: their exit codes, and the failures that a user can do something about."""

from __future__ import annotations

from collections.abc import Mapping


class CommandError(Exception):
    """Ends the command with an exit code; each line of the message says why and what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


FAILED = 1
"""Anything that has no code of its own, such as a lock that is unknown or a token that is wrong."""
WRONG_SETTING = 2
"""A setting of the server, or its file, is wrong."""
OUTDATED = 3
"""A project uses an outdated version, and --fail-on-outdated was given."""
USAGE = 64
"""The command line, or what the server was asked for, is wrong (`EX_USAGE`)."""
UNREACHABLE = 69
"""The server gave no answer, or can't serve the call now (`EX_UNAVAILABLE`)."""
DENIED = 1
"""Nothing may be deployed."""
NOT_YET = 75
"""Nothing may be deployed yet (`EX_TEMPFAIL`)."""
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
TOKEN_TABLE = _table({0: "done", FAILED: "failed, such as a token that is unknown"})
STATE_TABLE = _table({0: "done", FAILED: "failed, such as a state that is unknown"})
VIEW_TABLE = _table({0: "done", FAILED: "failed, such as a view that is unknown"})
WEBHOOK_TABLE = _table({0: "done", FAILED: "failed, such as a webhook that is unknown"})
INTAKE_TABLE = _table({0: "done", FAILED: "failed, such as a message that records nothing"})
GATE_TABLE = _table({0: "yes", DENIED: "no, or failed", NOT_YET: "not yet; with --wait, for so long"})
FREEZE_TABLE = _table({0: "done", FAILED: "failed, such as a freeze window that is unknown"})
RETENTION_TABLE = _table(
    {0: "done", FAILED: "failed, such as a policy or hold that is unknown, or events that are held"}
)
ACCESS_TABLE = _table({0: "done", FAILED: "failed, such as a token that is refused"})
EVENT_TABLE = _table({**_STATS, LOCKED: "a lock is in the way of the event"})
CATALOG_TABLE = _table(
    {
        0: "done",
        FAILED: "failed, such as an entry that is unknown",
        OUTDATED: "compliance: with --fail-on-outdated, an outdated version is used",
    },
    "the command line, a file or a value is wrong",
)
AUDIT_TABLE = _table(
    {0: "done; of `verify`, nothing was changed", FAILED: "verify: entries were changed or are missing"},
    "the command line is wrong, or a file can't be read",
)
ARCHIVE_TABLE = _table(
    {
        0: "done: every event is there",
        FAILED: "a line was refused, or the export can't be written",
        INTERRUPTED: "interrupted; the same command continues",
    },
    "the command line is wrong, or the file can't be read",
)
RUN_TABLE = _table({**_COMMAND, 0: "what the command exits with, 0 to 255", FAILED: "the event was refused"})
DOCTOR_TABLE = {
    "0": "nothing needs attention",
    "1": "there are warnings",
    "2": "a check has failed",
    "64": "the command line is wrong",
}
LOCK_TABLE = _table(
    {
        **{code: f"run: {text}" if code >= NOT_EXECUTABLE else text for code, text in _COMMAND.items()},
        0: "done; of `run`, what the command exits with",
        FAILED: "failed, such as a lock that is unknown or a token that is wrong",
    }
)


def epilog(codes: Mapping[str, str]) -> str:
    """Return the text that follows the help of a command: its exit codes."""
    lines = "\n".join(f"  {code:<6} {meaning}" for code, meaning in codes.items())
    return f"\b\nExit codes:\n{lines}"
