"""The step that bounds the memory of answers that are not yet sent, over both wires."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from tracker.errors import Reason, TrackerError
from tracker.pb.options import is_always_served, only_reads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.context import Call

PART = 128 * 1024
"""Bytes of an answer that are encoded at a time: about a millisecond of the event loop."""

_MIB = 1024 * 1024

_SHARE_OF_ONE = 0.5
"""The part of the memory that one principal may hold; for callers without credentials there is none."""


class AnswerObserver(Protocol):
    """What is reported of unsent answers, for metrics."""

    def unsent_bytes(self, read: Callable[[], float]) -> object:
        """`read` returns how many bytes are held, whenever it is asked."""

    def answer_refused(self) -> None:
        """A call was refused for lack of memory."""


class UnsentAnswers:
    """One budget of memory for all answers of a server that are not yet sent.

    It counts the documents that calls read for their answers, the encoded answers, and what connections have
    not taken yet. A call that would exceed it is refused, but a change only before it begins, and what must
    always be served never. No principal may hold more than half of it.
    """

    def __init__(self, mib: int, observer: AnswerObserver) -> None:
        self._limit = mib * _MIB
        self._observer = observer
        self._lock = Lock()  # threads of the store read documents
        self._encoding = asyncio.Lock()
        self._held = 0
        self._held_by: dict[str, int] = {}
        observer.unsent_bytes(lambda: self._held)

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        rpc = endpoint.rpc
        always = endpoint.quiet or (rpc is not None and is_always_served(rpc))
        refusable = not always and (rpc is None or only_reads(rpc))

        def admitted(read: Read, call: Call) -> Awaitable[Any]:
            call.hold_by(Answer(self, refusable=refusable))
            if not always and self._held >= self._limit:
                raise self._full()
            return then(read, call)

        return admitted

    def answer(self) -> Answer:
        """Return the memory of what a connection has not taken yet, which is not refused any more."""
        return Answer(self, refusable=False)

    def resize(self, answer: Answer, size: int) -> None:
        """Let an answer hold so many bytes; after its end, none.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED; they do not fit, and it holds what it held.
        """
        owner = answer.owner
        with self._lock:
            more = (0 if answer.ended else size) - answer.bytes
            if not more:
                return
            of_owner = self._held_by.get(owner, 0) + more if owner else 0
            fits_owner = of_owner <= self._limit * _SHARE_OF_ONE
            if more < 0 or not answer.refusable or (fits_owner and self._held + more <= self._limit):
                self._held += more
                answer.bytes += more
                if of_owner:
                    self._held_by[owner] = of_owner
                else:
                    self._held_by.pop(owner, None)
                return
        raise self._full() if fits_owner else self._full(f" to {owner}", _SHARE_OF_ONE)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn to encode a long answer: one at a time, and others are served in between."""
        async with self._encoding:
            await asyncio.sleep(0)
            yield

    def _full(self, to_whom: str = "", share: float = 1) -> TrackerError:
        self._observer.answer_refused()
        return TrackerError(
            Reason.UNSENT_ANSWERS,
            f"answers{to_whom} that are not yet sent may take {self._limit * share / _MIB:g} MiB,"
            " which are in use:"
            " try again later, or ask for less at a time",
        )


class Answer:
    """The memory that one call holds for its answer, in `bytes`.

    `owner` is the id of the principal whose memory it is, if any; it changes only while nothing is held.
    """

    __slots__ = ("_memory", "bytes", "ended", "owner", "refusable")

    def __init__(self, memory: UnsentAnswers, *, refusable: bool) -> None:
        self._memory = memory
        self.refusable = refusable
        self.bytes = 0
        self.ended = False
        self.owner = ""

    def hold(self, size: int) -> None:
        """Hold so many bytes, no more and no less; after the end, none.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED; they do not fit, and it holds what it held.
        """
        self._memory.resize(self, size)

    def add(self, size: int) -> None:
        """Hold so many bytes more, as `hold` does; a call that has ended reads no further.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED, or CANCELLED.
        """
        if self.ended:
            raise TrackerError(Reason.CANCELLED, "the call has ended")
        self.hold(self.bytes + size)

    def end(self) -> None:
        """Hold nothing from now on."""
        self.ended = True
        self.hold(0)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for the turn to encode a long answer."""
        return self._memory.turn()
