"""The intake of DogStatsD: datagrams over UDP or a Unix socket. Nobody gets an answer."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from tracker.errors import SetupError, TrackerError
from tracker.intakes.dogstatsd_messages import parse
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracker.api.calls.endpoint import Handler
    from tracker.pb import event_pb

_ADDRESS = re.compile(r"udp://(?P<host>\[[0-9a-fA-F:.]+\]|[^:/]+):(?P<port>[0-9]{1,5})|unix://(?P<path>/.+)")
_LARGEST: Final = 65_536
"""Bytes of a datagram."""
_READ_AT_ONCE: Final = 256
_BUFFER: Final = 8 * 1024 * 1024
"""Bytes of datagrams that wait in the kernel, as far as it allows so many."""
_WAITING: Final = 10_000
"""Events that wait to be recorded."""
_TOGETHER: Final = 64


class DogstatsdObserver(Protocol):
    """What is reported of datagrams, for metrics."""

    def dogstatsd_messages(self, counts: Mapping[str, int]) -> None:
        """So many messages of each kind have arrived.

        Kinds are `event`, `metric`, `check` and `malformed`; of the events, `refused` are those that could
        not be recorded, and `dropped` those that were too many at a time.
        """


class Dogstatsd:
    """Receives datagrams at an address, and records their events by `handle`, a handler of the chain."""

    def __init__(
        self, address: str, handle: Handler, new_id: Callable[[], str], observer: DogstatsdObserver
    ) -> None:
        """Open the socket.

        Raises:
            SetupError: The address has another form.
            OSError: The address can't be had.
        """
        self._handle = handle
        self._new_id = new_id
        self._observer = observer
        self._waiting: asyncio.Queue[tuple[event_pb.CreateEventRequest, str]] = asyncio.Queue(_WAITING)
        self._recording: asyncio.Future[None] | None = None
        self._socket, self._path = _open(address)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    @property
    def port(self) -> int:
        """The port of UDP that it receives at."""
        return int(self._socket.getsockname()[1])

    def _receive(self) -> None:
        """Take the datagrams that have arrived; others are served between two calls of this."""
        counts: Counter[str] = Counter()
        with suppress(BlockingIOError):
            for _ in range(_READ_AT_ONCE):
                datagram, sender = self._socket.recvfrom(_LARGEST)
                messages = parse(datagram)
                counts += messages.counts
                peer = f"{sender[0]}:{sender[1]}" if isinstance(sender, tuple) else "127.0.0.1"
                for event in messages.events:
                    try:
                        self._waiting.put_nowait((event, peer))
                    except asyncio.QueueFull:
                        counts["dropped"] += 1
        self._observer.dogstatsd_messages(counts)

    async def record(self) -> None:
        """Record some of the events that wait: one round of a background task; `close` waits for it."""
        taken = [await self._waiting.get()]
        self._recording = asyncio.ensure_future(self._record(taken))
        await asyncio.shield(self._recording)

    async def _record(self, taken: list[tuple[event_pb.CreateEventRequest, str]]) -> None:
        while len(taken) < _TOGETHER and not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
        refused = sum(await asyncio.gather(*(self._is_refused(*each) for each in taken)))
        self._observer.dogstatsd_messages({"refused": refused})

    async def _is_refused(self, event: event_pb.CreateEventRequest, peer: str) -> bool:
        async def read() -> event_pb.CreateEventRequest:
            return event

        call = Call("http", self._new_id().replace("-", ""), peer)
        try:
            await self._handle(read, call)
        except TrackerError:  # the chain has logged it
            return True
        finally:
            call.answer.end()
        return False

    async def close(self) -> None:
        """Receive nothing more, and record what has arrived."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._receive()
        self._socket.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if self._recording is not None:
            await self._recording
        while not self._waiting.empty():
            await self._record([])


def _open(address: str) -> tuple[socket.socket, Path | None]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise SetupError(f"DOGSTATSD_ADDRESS: expected udp://HOST:PORT or unix:///PATH, not {address}")
    path = None if found["path"] is None else Path(found["path"])
    if path is None:
        host = found["host"].strip("[]")
        family, kind, _, _, place = socket.getaddrinfo(host, int(found["port"]), type=socket.SOCK_DGRAM)[0]
    else:
        family, kind, place = socket.AF_UNIX, socket.SOCK_DGRAM, str(path)  # type: ignore[assignment] # a path
        if path.is_socket():  # of a server that has died
            path.unlink()
    opened = socket.socket(family, kind)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        opened.settimeout(0)
        opened.bind(place)
    except OSError as error:
        opened.close()
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)}: DOGSTATSD_ADDRESS {address}") from None
    return opened, path
