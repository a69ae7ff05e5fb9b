"""Commits that pushes bring: when what is deployed was written."""

from __future__ import annotations

from typing import NamedTuple


class Commit(NamedTuple):
    """A commit, and the service that its repository has the code of; the time is in microseconds."""

    repository: str
    sha: str
    committed_at: int
    service: str
