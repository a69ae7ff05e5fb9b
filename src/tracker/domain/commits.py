"""Commits that pushes bring: when what is deployed was written."""

from __future__ import annotations

from typing import NamedTuple


class Commit(NamedTuple):
    """A commit, and the service that its repository has the code of; the time is in microseconds.

    `head` is the newest commit of the push that brought it, `base` the one before the push; empty where
    that is not known. `merge` is 1 for a merge.
    """

    repository: str
    sha: str
    committed_at: int
    service: str
    head: str = ""
    base: str = ""
    merge: int = 0
