"""The contract of a store for commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.commits import Commit


class CommitStore(Protocol):
    """Commits, each identified by its repository and its hash."""

    async def add(self, commits: Sequence[Commit]) -> None:
        """Store commits in place of stored ones, which keep their push if the new one names none."""

    async def find(self, shas: Sequence[str], repository: str | None = None) -> Sequence[Commit]:
        """Return the commits with some whole hashes, of a repository or of any.

        They are ordered by repository and hash.
        """

    async def pushed(self, heads: Sequence[str]) -> Sequence[Commit]:
        """Return the commits of the pushes whose newest commits have some whole hashes, in the same order."""

    async def forget(self, before: int) -> None:
        """Delete the commits that were made before a time (microseconds since the epoch)."""
