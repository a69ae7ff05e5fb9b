"""The inbox: what became of the messages of senders, and those that recorded nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from tracker.errors import TrackerError
from tracker.pb import intake_pb
from tracker.services.intakes.masking import masked_body, masked_headers
from tracker.stores.intakes import KeptMessage, Tally
from tracker.time_text import DAY, MICROS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.domain.commits import Commit
    from tracker.services.context import Context
    from tracker.stores.commits import CommitStore
    from tracker.stores.intakes import IntakeStore

KEPT_MESSAGES: Final = 200
"""Messages of a sender that are kept."""
KEPT_BYTES: Final = 16 * 2**20
"""Bytes of the bodies of these."""
KEPT_SECONDS: Final = 30 * 24 * 60 * 60
"""How long they are kept."""
COMMITS_KEPT_SECONDS: Final = 400 * 24 * 60 * 60
"""The greatest age of commits that are kept."""

_LONGEST_BODY: Final = 2**20
_LONGEST_REASON: Final = 300
_MOST_HEADERS: Final = 60
_LONGEST_HEADER: Final = 1000
_FLUSH_SECONDS: Final = 5.0
_FORGET_SECONDS: Final = 600

Outcome = intake_pb.IntakeOutcome


class Message(NamedTuple):
    """A message of a sender: the template of the path, the values of its variables, headers, and raw body."""

    sender: str
    path: str
    captures: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes


class Result(NamedTuple):
    """What became of a message, why it recorded nothing, and the latest time in it.

    That is in microseconds since the epoch, 0 for none.
    """

    outcome: intake_pb.IntakeOutcome
    reason: str = ""
    latest: int = 0


class Inbox:
    """Counts messages, and keeps those that recorded nothing."""

    def __init__(self, store: IntakeStore, commits: CommitStore, context: Context) -> None:
        self._store = store
        self._commits = commits
        self._context = context
        self._counted: dict[str, Tally] = {}
        self._forget_at = 0

    def count(self, sender: str, result: Result) -> None:
        """Count a message; the store has it a few seconds later."""
        now = self._context.now()
        known = self._counted.get(sender, Tally(sender))
        skew = result.latest - now if result.latest and abs(result.latest - now) <= DAY else None
        if skew is not None and known.skew is not None:
            skew = max(skew, known.skew)
        name = result.outcome.name
        counted = known._replace(seen_at=now, skew=known.skew if skew is None else skew)._replace(
            **{name: getattr(known, name) + 1}
        )
        if result.outcome in (Outcome.refused, Outcome.failed):
            counted = counted._replace(problem_at=now, problem=result.reason[:_LONGEST_REASON])
        self._counted[sender] = counted

    async def keep(self, message: Message, result: Result) -> None:
        """Keep a message that recorded nothing; if the store can't, the message is lost."""
        headers = [*masked_headers(message.headers).items()][:_MOST_HEADERS]
        body = masked_body(message.body) if len(message.body) <= _LONGEST_BODY else ""
        kept = KeptMessage(
            self._context.new_id(),
            message.sender,
            self._context.now(),
            int(result.outcome),
            result.reason[:_LONGEST_REASON],
            message.path,
            orjson.dumps(message.captures).decode(),
            orjson.dumps({name: of[:_LONGEST_HEADER] for name, of in headers}).decode(),
            body,
            len(body.encode()),
        )
        try:
            await self._store.keep(kept)
            await self._trim(message.sender)
        except TrackerError as error:
            self._context.log.warning("message of an intake is not kept", error=error.message)

    async def add_commits(self, commits: Sequence[Commit]) -> None:
        """Store the commits of a push that are not too old.

        Raises:
            TrackerError: UNAVAILABLE.
        """
        oldest = self._context.now() - COMMITS_KEPT_SECONDS * MICROS
        if kept := [each for each in commits if each.committed_at >= oldest]:
            await self._commits.add(kept)

    async def flush(self) -> None:
        """Give the store what was counted.

        Raises:
            TrackerError: UNAVAILABLE; it is counted later.
        """
        counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            await self._store.count([*counted.values()])
        except TrackerError:
            for sender, tally in counted.items():
                self._counted[sender] = _sum(tally, self._counted.get(sender, Tally(sender)))
            raise

    async def work(self) -> None:
        """Store what was counted, and forget what is old: one round of a background task."""
        await asyncio.sleep(_FLUSH_SECONDS)
        await self.flush()
        now = self._context.now()
        if now >= self._forget_at:
            await self._store.forget(now - KEPT_SECONDS * MICROS)
            await self._commits.forget(now - COMMITS_KEPT_SECONDS * MICROS)
            self._forget_at = now + _FORGET_SECONDS * MICROS

    async def close(self) -> None:
        """Store what was counted."""
        try:
            await self.flush()
        except TrackerError as error:
            self._context.log.warning("counts of intakes are lost", error=error.message)

    async def _trim(self, sender: str) -> None:
        """Delete the oldest messages of a sender that are too many."""
        total, surplus = 0, []
        for number, (message_id, size) in enumerate(await self._store.sizes(sender), 1):
            total += size
            if number > KEPT_MESSAGES or total > KEPT_BYTES:
                surplus.append(message_id)
        if surplus:
            await self._store.drop(surplus)


def _sum(earlier: Tally, later: Tally) -> Tally:
    """Return the counts of two spans of time."""
    newest = later if later.problem_at else earlier
    return Tally(
        earlier.sender,
        max(earlier.seen_at, later.seen_at),
        earlier.recorded + later.recorded,
        earlier.ignored + later.ignored,
        earlier.refused + later.refused,
        earlier.failed + later.failed,
        skew=earlier.skew if later.skew is None else later.skew,
        problem_at=newest.problem_at,
        problem=newest.problem,
    )
