"""Calls about a lock, each recorded with what its answer says, or that there was none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx2
from tests.clients import Refused
from tests.histories.operations import Answer, Kind, Operation, now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.clients import Client, JsonObject

ANSWER_WITHIN = 2.0
"""Seconds after which a caller takes an answer to be lost."""
NANOS = 1_000_000_000

_UNANSWERED = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"})
_HELD = frozenset({"LOCK_HELD", "LOCK_WAIT_TIMEOUT"})
_OVER = frozenset({"LOCK_TOKEN_USED", "LOCK_LOST", "LOCK_NOT_FOUND"})


@dataclass(frozen=True, slots=True)
class Claim:
    """One wish to have a lock: its name, and the secret that every call for it carries."""

    name: str
    key: str
    lock_token: str
    ttl: float


@dataclass(frozen=True, slots=True)
class Holding:
    """A lock as its holder knows it."""

    claim: Claim
    lock_id: str
    token: int
    until: int
    """When the lease ends, as the holder reckons, by `operations.now`."""


class Caller:
    """One client of the locks; it notes answers that tell of a defect of the server."""

    def __init__(self, name: str, history: list[Operation], defects: list[str]) -> None:
        self._name = name
        self._history = history
        self._defects = defects

    async def acquire(self, client: Client, claim: Claim, wait: float) -> tuple[Answer, Holding | None]:
        """Try to take a lock."""
        called = self._operation(Kind.ACQUIRE, claim)
        request = {
            "service": claim.key,
            "who": claim.name,
            "ttl": f"{claim.ttl:.3f}s",
            "wait": f"{wait:.3f}s",
            "lockToken": claim.lock_token,
        }
        answer = await self._call(client, "CreateLock", request, wait + ANSWER_WITHIN)
        match answer:
            case Refused(reason=reason, metadata={"who": who, "fencing_token": token}) if reason in _HELD:
                if int(token):  # else it is free, but somebody waits for it
                    self._answered(called, Answer.REFUSED, holder=who, holder_token=int(token))
                return Answer.REFUSED, None
            case {"lock": {"id": lock_id, "fencingToken": token}}:
                operation = self._answered(called, Answer.OK, token=int(token))
                return Answer.OK, Holding(claim, lock_id, operation.token, operation.lease_end())
        return self._over_or_unanswered(called, answer), None

    async def renew(self, client: Client, holding: Holding) -> tuple[Answer, Holding]:
        """Begin the lease anew."""
        called = self._operation(Kind.RENEW, holding.claim, holding.token)
        answer = await self._call(client, "RenewLock", _named(holding))
        if isinstance(answer, dict):
            operation = self._answered(called, Answer.OK)
            return Answer.OK, replace(holding, until=operation.lease_end())
        return self._over_or_unanswered(called, answer), holding

    async def release(self, client: Client, holding: Holding) -> Answer:
        """Let the lock go."""
        called = self._operation(Kind.RELEASE, holding.claim, holding.token)
        answer = await self._call(client, "UnLock", _named(holding))
        if isinstance(answer, dict):
            repeated = bool(answer.get("alreadyReleased"))
            return self._answered(called, Answer.OK, repeated=repeated).answer
        return self._over_or_unanswered(called, answer)

    async def check(self, client: Client, holding: Holding) -> None:
        """Ask whether the lock is still held by this acquisition."""
        called = self._operation(Kind.CHECK, holding.claim, holding.token)
        request = {"service": holding.claim.key, "fencingToken": str(holding.token)}
        match await self._call(client, "CheckLock", request):
            case {"holder": {"who": who, "fencingToken": token}, **rest}:
                answer = Answer.OK if rest.get("current") else Answer.REFUSED
                assert (answer is Answer.OK) == (int(token) == holding.token)
                self._answered(called, answer, holder=who, holder_token=int(token))
            case dict() as free:
                assert not free.get("current")
                self._answered(called, Answer.REFUSED)
            case Refused() as refused:
                raise refused

    def _operation(self, kind: Kind, claim: Claim, token: int = 0) -> Operation:
        return Operation(
            client=self._name,
            key=claim.key,
            kind=kind,
            claim=claim.name,
            called=now(),
            token=token,
            ttl=int(claim.ttl * NANOS),
        )

    def _answered(self, called: Operation, answer: Answer, **values: str | int) -> Operation:
        operation = replace(called, returned=now(), answer=answer, **values)  # type: ignore[arg-type] # fields of it
        self._history.append(operation)
        return operation

    def _over_or_unanswered(self, called: Operation, answer: JsonObject | Refused | None) -> Answer:
        if answer is None:
            self._history.append(called)
            return Answer.UNKNOWN
        if isinstance(answer, Refused) and answer.reason in _OVER:
            return self._answered(called, Answer.REFUSED).answer
        raise AssertionError(f"{called}: {answer}")

    async def _call(
        self, client: Client, method: str, request: Mapping[str, object], within: float = ANSWER_WITHIN
    ) -> JsonObject | Refused | None:
        """Return the answer, or None where none says whether the call took effect."""
        try:
            async with asyncio.timeout(within):
                return await client.call(f"LockService/{method}", request)
        except Refused as refused:
            if refused.code == "INTERNAL" and refused.reason:
                self._defects.append(f"{method}: {refused.message}")
                return None
            # An error that no server wrote is that of a broken connection, whatever its code.
            return None if refused.code in _UNANSWERED or not refused.reason else refused
        except (TimeoutError, httpx2.TransportError):
            return None


def _named(holding: Holding) -> dict[str, str]:
    return {"id": holding.lock_id, "lockToken": holding.claim.lock_token}
