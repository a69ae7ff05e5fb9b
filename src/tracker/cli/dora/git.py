"""The commits between deployments, as a Git repository on this machine has them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.cli.exits import USAGE, CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_SHA: Final = re.compile(r"[0-9a-f]{7,64}")
_MOST: Final = 5_000
"""Commits of a deployment, as in Datadog."""


@dataclass(frozen=True, slots=True)
class Range:
    """When the commits of a range were made, and its merges, in seconds since the epoch."""

    made: Sequence[int]
    merged: Sequence[int]


class Repository:
    """A Git repository, which is only read."""

    def __init__(self, folder: Path) -> None:
        """Check that there is one.

        Raises:
            CommandError: There is none, or no Git.
        """
        self._folder = folder
        try:
            found = self._run(["rev-parse", "--git-dir"])
        except OSError as error:
            raise CommandError(f"--commits-from-git: can't run git: {error.strerror}", USAGE) from None
        if found is None:
            raise CommandError(f"--commits-from-git: {folder} is not in a Git repository", USAGE)

    def between(self, before: str, commit: str) -> Range | None:
        """Return the commits up to one that are not up to another; None if the repository lacks either."""
        if not _SHA.fullmatch(before) or not _SHA.fullmatch(commit):
            return None
        listed = self._run(["log", f"--max-count={_MOST}", "--format=%ct %P", f"{before}..{commit}", "--"])
        if listed is None:
            return None
        times: tuple[list[int], list[int]] = ([], [])
        for line in listed.splitlines():
            at, *parents = line.split()
            times[len(parents) > 1].append(int(at))
        return Range(*times)

    def _run(self, arguments: Iterable[str]) -> str | None:
        """Return what a command of Git prints, or None if it fails."""
        done = subprocess.run(  # noqa: S603 - Git, with arguments that are checked
            ["git", "-C", str(self._folder), "--no-pager", *arguments],  # noqa: S607 - the user's own
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        return done.stdout if done.returncode == 0 else None
