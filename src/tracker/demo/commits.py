"""Sample commits: what deployments to production brought."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracker.domain.commits import Commit
from tracker.domain.events import attributes_of, event_time
from tracker.pb import event_pb
from tracker.time_text import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 4_000
"""Minutes between a commit and its deployment."""


def sha_of(service: str, version: str) -> str:
    """Return the hash of the commit that a version is built from."""
    return hashlib.sha1(f"{service} {version}".encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Pushes:
    """Makes the commits of deployments, which are given in the order of time."""

    _deployed: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def of(self, event: event_pb.Event) -> Iterator[Commit]:
        """Yield the commits that a deployment to production brought: one to four, in one push."""
        attributes = attributes_of(event)
        sha = attributes.labels.get("sha", "")
        if attributes.environment != event_pb.Environment.production or not sha:
            return
        base, self._deployed[attributes.service] = self._deployed.get(attributes.service, ""), sha
        if sha in self._seen:
            return
        self._seen.add(sha)
        repository = f"https://git.example.com/{attributes.service}"
        for number in range(1 + int(sha[0], 16) % 4):
            own = (
                hashlib.sha1(f"{sha} {number}".encode(), usedforsecurity=False).hexdigest() if number else sha
            )
            before = (30 + int(own[:6], 16) % _LONGEST) * MINUTE
            yield Commit(repository, own, event_time(event) - before, attributes.service, sha, base)
