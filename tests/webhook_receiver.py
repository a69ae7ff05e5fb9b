"""A receiver of webhooks on the loopback interface."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping


class Received(NamedTuple):
    """A request that a receiver got at a time, in seconds, and how it answered."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """Keeps what it gets; `answer` returns the status of each answer, and its further header lines.

    `say` returns the body of the answer to a path, headers and body.
    """

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.answer: Callable[[], tuple[int, str]] = lambda: (204, "")
        self.say: Callable[[str, Mapping[str, str], bytes], bytes] = lambda *_: b""
        self._grown = asyncio.Condition()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def wait_for(self, count: int) -> list[Received]:
        """Return what was received, as soon as that is so much."""
        async with asyncio.timeout(PATIENCE), self._grown:
            await self._grown.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        self._connections[writer] = asyncio.current_task()
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                lines = [line.partition(": ") for line in head.split("\r\n")[1:-2]]
                path = head.split(" ", 2)[1]
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                status, more = self.answer()
                said = self.say(path, headers, body)
                writer.write(
                    f"HTTP/1.1 {status} X\r\n{more}content-length: {len(said)}\r\n\r\n".encode() + said
                )
                async with self._grown:
                    self.received.append(Received(time.perf_counter(), path, headers, body, status))
                    self._grown.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def close(self) -> None:
        """End the connections."""
        for writer in self._connections:
            writer.close()
        await asyncio.gather(*(task for task in self._connections.values() if task is not None))


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    try:
        receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
        yield receiver
    finally:
        server.close()
        await receiver.close()
