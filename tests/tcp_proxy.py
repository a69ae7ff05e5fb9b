"""A TCP proxy on the loopback interface, to cut a client off from its server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from enum import Enum
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Cut(Enum):
    """What happens to those who are cut off."""

    SILENT = "silent"
    """Their bytes go nowhere, in both directions, as on a network that lost a route."""
    RESET = "reset"
    """Their connections break, and no new one can be made, as with a server that is gone."""


class TcpProxy:
    """Passes bytes on to a port until it is told to cut; runs in a thread of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._cut: Cut | None = None
        self._before_loss: Callable[[], object] | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.cut(Cut.RESET)
        self._run(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lose_next_answer(self, meanwhile: Callable[[], object] = bool) -> None:
        """Call `meanwhile` when the server answers next, then break the connection on which it does."""
        self._before_loss = meanwhile

    def cut(self, how: Cut) -> None:
        """Cut everybody off."""
        self._run(self._do_cut(how))

    async def _do_cut(self, how: Cut) -> None:
        self._cut = how
        if how is Cut.RESET:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()

    async def _settle(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # connections that were closed end in the next round of the loop

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        with (
            contextlib.suppress(asyncio.CancelledError),
            contextlib.closing(writer),
            contextlib.closing(to_writer),
        ):
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, to_writer))
                both.create_task(self._pass_on(to_reader, writer, answers=True))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                while piece := await reader.read(65_536):
                    if answers and self._before_loss is not None:
                        meanwhile, self._before_loss = self._before_loss, None
                        await asyncio.to_thread(meanwhile)
                        writer.transport.abort()
                    elif self._cut is None:
                        writer.write(piece)
                        await writer.drain()
        finally:
            if self._cut is None:
                writer.close()
            self._writers.discard(writer)

    def _run(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
