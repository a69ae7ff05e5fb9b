"""The contract of a store for the audit log (`tracker.audit.chain`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.audit.chain import Entry

_PAGE_CHARACTERS = 2**20
"""The length of the contents at which a page ends, after at least one entry."""


class AuditFilter(NamedTuple):
    """Which entries to read: those after a number, before one, and with what else is given.

    `mentions` has texts, any of which the content contains. Times are microseconds since the epoch.
    """

    after: int = 0
    before: int = 2**62
    record: str = ""
    record_id: str = ""
    since: int = 0
    until: int = 2**62
    mentions: Sequence[str] = ()


class Contents(NamedTuple):
    """A content and its salt for the entry of a number."""

    number: int
    content: str
    salt: bytes


@dataclass(slots=True)
class AuditPage:
    """Up to `most` entries while they are read; `more` is whether another one follows."""

    most: int
    entries: list[Entry] = field(default_factory=list)
    more: bool = False
    _length: int = 0

    def take(self, entry: Entry) -> bool:
        """Add the next entry if there is room for it; return whether there was."""
        self._length += len(entry.content)
        self.more = len(self.entries) == self.most or (self._length > _PAGE_CHARACTERS and bool(self.entries))
        if not self.more:
            self.entries.append(entry)
        return not self.more


class AuditStore(Protocol):
    """The entries of the audit log, by number."""

    async def append(self, make: Callable[[Entry | None], Sequence[Entry]]) -> Sequence[Entry]:
        """Store what `make` returns for the last entry, or for None if there is none, and return it."""

    async def last(self, record: str = "") -> Entry | None:
        """Return the last entry, or the last one about a kind of record."""

    async def read(self, wanted: AuditFilter, most: int, *, newest_first: bool = False) -> AuditPage:
        """Return the first of the entries that match: up to `most`, and fewer where contents are long."""

    async def replace(self, contents: Sequence[Contents]) -> None:
        """Replace the contents of entries that are there."""

    async def forget(self, before: int) -> None:
        """Delete the entries before a number."""
