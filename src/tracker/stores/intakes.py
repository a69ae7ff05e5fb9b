"""The contract of a store for what intakes keep: counts for each sender, and what recorded nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tally(NamedTuple):
    """What became of the messages of a sender; times are microseconds since the epoch, 0 for none.

    `skew` is how far its clock is ahead, in microseconds, or None where that is not known.
    """

    sender: str
    seen_at: int = 0
    recorded: int = 0
    ignored: int = 0
    refused: int = 0
    failed: int = 0
    skew: int | None = None
    problem_at: int = 0
    problem: str = ""


class KeptMessage(NamedTuple):
    """A message that recorded nothing; times are microseconds since the epoch, 0 for none.

    `outcome` is a number of the proto's `IntakeOutcome`. `captures` are the values of the path's variables,
    and `headers` are by name, both as JSON.
    """

    id: str
    sender: str
    received_at: int
    outcome: int
    reason: str
    path: str
    captures: str
    headers: str
    body: str
    body_bytes: int
    replayed_at: int = 0


class Place(NamedTuple):
    """The place of a message in a list, by its time and its id."""

    received_at: int
    id: str


class IntakeStore(Protocol):
    """Counts of messages, and messages that recorded nothing."""

    async def count(self, tallies: Sequence[Tally]) -> None:
        """Add counts to those of senders, and keep the latest times, skew and problem.

        Where the database does not say whether it has added them, they may be added twice.
        """

    async def tallies(self) -> Sequence[Tally]:
        """Return the counts of all senders, ordered by name."""

    async def keep(self, message: KeptMessage) -> None:
        """Store a new message."""

    async def settle(self, message: KeptMessage) -> None:
        """Store what became of a message that was replayed: `outcome`, `reason` and `replayed_at`."""

    async def get(self, message_id: str) -> KeptMessage | None:
        """Return a message, or None."""

    async def list(self, sender: str, outcome: int, after: Place | None, most: int) -> Sequence[KeptMessage]:
        """Return messages of a sender, or of all for "", with an outcome, or any for 0, the newest first.

        Their bodies are left out.
        """

    async def sizes(self, sender: str) -> Sequence[tuple[str, int]]:
        """Return the ids and the lengths of the messages of a sender, the newest first."""

    async def drop(self, ids: Sequence[str]) -> None:
        """Delete some messages."""

    async def forget(self, before: int) -> None:
        """Delete the messages that came before a time."""
