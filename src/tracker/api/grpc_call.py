"""One call over gRPC, from its headers to its trailers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from protobuf import Message

from tracker.api.calls.answers import PART
from tracker.api.grpc_protocol import (
    HEADERS,
    MessageReader,
    decompressed,
    error_trailers,
    framed,
    success_trailers,
)
from tracker.api.handling import PREFER, handle
from tracker.api.http2_stream import ConnectionLimits, Stream
from tracker.api.wires import internal_error
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.transcoding.unknown import MAX_UNKNOWN, unknown_numbers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import Handler
    from tracker.api.grpc_methods import GrpcMethod
    from tracker.api.http2_engine import Header
    from tracker.api.http2_stream import StreamOwner
    from tracker.services.context import AnswerMemory, Call

_UNREAD = 16 * 1024
"""Bytes of a stream that may wait to be sent while it goes on."""


@dataclass(frozen=True, slots=True)
class GrpcLimits(ConnectionLimits):
    """What one connection, and one call on it, may take."""

    message_seconds: float = 30
    """From the end of a call's metadata to the end of its message."""
    message_bytes: int = 4 * 1024 * 1024


class Served(NamedTuple):
    """A method, what answers its calls, and what these calls may take."""

    method: GrpcMethod
    handle: Handler
    limits: GrpcLimits
    log: FilteringBoundLogger


class GrpcCall(Stream):
    """One call, which is answered in a task of its own; the end of its stream cancels the task."""

    __slots__ = ("_begun", "_call", "_messages", "_refusal", "_served", "_task", "_waiter")

    def __init__(
        self,
        connection: StreamOwner,
        stream_id: int,
        served: Served,
        call: Call,
        refusal: TrackerError | None = None,
    ) -> None:
        """Begin to answer a call, or to refuse it with an error that the wire has found."""
        super().__init__(connection, stream_id)
        self._served = served
        self._call = call
        self._refusal = refusal
        self._messages = MessageReader(served.limits.message_bytes)
        self._waiter: asyncio.Future[None] | None = None
        self._begun = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def received(self, data: bytes) -> None:
        """Take a part of the messages."""
        if self._messages.feed(data) or self.is_complete:
            self._wake()

    def sent(self) -> None:
        """Hold no more memory, and let a stream go on."""
        if (memory := self._memory) is not None:
            memory.hold(0)
        self._wake()

    def closed(self) -> None:
        """Stop the work of a call that is not answered, and hold no more memory."""
        self._task.cancel()
        if (memory := self._memory) is not None:
            memory.end()

    def cut_off(self) -> None:
        """Stop the work of a call that the server waits for no longer."""
        self._task.cancel()

    @property
    def _memory(self) -> AnswerMemory | None:
        """What holds memory for the answer, once the chain has set it."""
        return getattr(self._call, "answer", None)

    async def _run(self) -> None:
        call, served = self._call, self._served
        try:
            await (self._stream() if served.method.endpoint.streams else self._answer())
        except TrackerError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(TrackerError(Reason.DRAINING, "the server is stopping"))
        except Exception:
            method = served.method.endpoint.name
            served.log.exception("defect", request_id=call.request_id, method=method)
            self._fail(internal_error(call.request_id))

    async def _answer(self) -> None:
        """Answer with one message."""
        call = self._call
        encoded = await self._encode(await self._served.handle(self._read, call))
        trailers = success_trailers(call)
        if call.undo is not None:
            self.expect_receipt(call.undo)
        self.send(framed(encoded), headers=HEADERS, trailers=trailers)

    async def _stream(self) -> None:
        """Answer with a stream of messages."""
        call, method = self._call, self._served.method

        async def send(message: object) -> None:
            encoded = method.encode(message)
            call.answer.hold(self.unsent + len(encoded))
            self.send(framed(encoded), headers=() if self._begun else HEADERS)
            self._begun = True
            while self.unsent > _UNREAD:
                await self._wait()

        call.send = send
        await self._served.handle(self._read_all if method.takes_stream else self._read, call)
        self._end(success_trailers(call))

    async def _encode(self, message: object) -> bytes:
        memory, encode = self._call.answer, self._served.method.encode
        if memory.bytes > PART:
            async with memory.turn():
                memory.hold(2 * memory.bytes)
                encoded = encode(message)
        else:
            encoded = encode(message)
        memory.hold(len(encoded))
        return encoded

    async def _read(self) -> object:
        """Wait for the request, and decode it.

        Raises:
            TrackerError: It is refused, took too long to arrive, or is malformed.
        """
        if self._refusal is not None:
            raise self._refusal
        request = await self._next_message()
        if request is None:
            raise invalid(FieldViolation("", "the call has no message"))
        message = self._served.method.decode(request)
        if isinstance(message, Message):
            # Bytes beyond those of the known fields may be another encoding of these.
            more = len(message.to_binary(write_unknown_fields=False)) != len(request)
            if more or PREFER in self._call.headers:
                handle(self._call, [*islice(unknown_numbers(message), MAX_UNKNOWN)])
        return message

    async def _read_all(self) -> AsyncIterator[object]:
        return self._requests()

    async def _requests(self) -> AsyncIterator[object]:
        while (request := await self._next_message(in_time=False)) is not None:
            yield self._served.method.decode(request)

    async def _next_message(self, *, in_time: bool = True) -> bytes | None:
        """Return the next message, or None after the last one."""
        taken = self._messages.take()
        if taken is None and not self.is_complete:
            try:
                async with asyncio.timeout(self._served.limits.message_seconds if in_time else None):
                    while (taken := self._messages.take()) is None and not self.is_complete:
                        self.make_room(self._messages.expected, self._messages.size)
                        await self._wait()
            except TimeoutError:
                why = "the request's message took too long to arrive"
                raise TrackerError(Reason.REQUEST_TIMEOUT, why) from None
        if taken is None:
            return None
        compressed, message = taken
        if compressed:
            async with self._call.answer.turn():
                encoding = self._call.headers.get("grpc-encoding", "identity")
                message = decompressed(message, encoding, self._served.limits.message_bytes)
        return message

    async def _wait(self) -> None:
        """Wait until something was received or sent."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: TrackerError) -> None:
        if self._call.undo is not None:
            self._call.undo()
        if not self.is_closed:
            self._end(error_trailers(self._call, error))

    def _end(self, trailers: Sequence[Header]) -> None:
        if self._begun:
            self.send(trailers=trailers)
        else:
            self.send_headers_alone((*HEADERS, *trailers))
