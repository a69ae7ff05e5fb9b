"""The intake of DogStatsD: datagrams over UDP or a Unix socket. Nobody gets an answer.

Datagrams that arrive are only kept, as bytes, so that a burst of them is not lost in the kernel while events
are recorded; they are parsed when it is their turn.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
from collections import Counter, deque
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
_READ_AT_ONCE: Final = 1024
_BUFFER: Final = 8 * 1024 * 1024
"""Bytes of datagrams that wait in the kernel, as far as it allows so many."""
_RCVBUFFORCE: Final = 33
"""The option of Linux by which a process that may do so has a larger buffer than others."""
_MEMINFO: Final = 55
"""The option of Linux that returns nine numbers, the last of which says how many datagrams were lost."""
_NUMBERS: Final = struct.Struct("9I")
_WAITING: Final = 50_000
"""Datagrams that wait to be read."""
_WAITING_BYTES: Final = 32 * 1024 * 1024
_TOGETHER: Final = 128


class DogstatsdObserver(Protocol):
    """What is reported of datagrams, for metrics."""

    def dogstatsd_messages(self, counts: Mapping[str, int]) -> None:
        """So many messages of each kind have arrived.

        Kinds are `event`, `metric`, `check` and `malformed`; of the events, `refused` are those that could
        not be recorded. `dropped` are datagrams that were too many at a time, `lost` those that the kernel
        had no room for.
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
        self._waiting: deque[tuple[bytes, object]] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._lost = 0
        self._recording: asyncio.Future[None] | None = None
        self._socket, self._path = _open(address)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    @property
    def port(self) -> int:
        """The port of UDP that it receives at."""
        return int(self._socket.getsockname()[1])

    def _receive(self) -> None:
        """Take the datagrams that have arrived; others are served between two calls of this."""
        dropped = 0
        with suppress(BlockingIOError):
            for _ in range(_READ_AT_ONCE):
                received = self._socket.recvfrom(_LARGEST)
                if len(self._waiting) < _WAITING and self._waiting_bytes < _WAITING_BYTES:
                    self._waiting.append(received)
                    self._waiting_bytes += len(received[0])
                else:
                    dropped += 1
        self._arrived.set()
        lost, self._lost = self._lost, _lost(self._socket)
        if dropped or lost != self._lost:
            self._observer.dogstatsd_messages({"dropped": dropped, "lost": max(0, self._lost - lost)})

    async def record(self) -> None:
        """Record the events of some datagrams: one round of a background task; `close` waits for it."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        self._recording = asyncio.ensure_future(self._record())
        await asyncio.shield(self._recording)

    async def _record(self) -> None:
        events: list[tuple[event_pb.CreateEventRequest, str]] = []
        counts: Counter[str] = Counter()
        for _ in range(_TOGETHER):
            if not self._waiting:
                break
            datagram, sender = self._waiting.popleft()
            self._waiting_bytes -= len(datagram)
            messages = parse(datagram)
            counts += messages.counts
            peer = f"{sender[0]}:{sender[1]}" if isinstance(sender, tuple) else "127.0.0.1"
            events += [(event, peer) for event in messages.events]
        self._observer.dogstatsd_messages(counts)
        for begin in range(0, len(events), _TOGETHER):
            these = events[begin : begin + _TOGETHER]
            refused = sum(await asyncio.gather(*(self._is_refused(*each) for each in these)))
            if refused:
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
        while self._waiting:
            await self._record()


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
        with suppress(OSError):  # it takes a privilege, or another system
            opened.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
        opened.settimeout(0)
        opened.bind(place)
    except OSError as error:
        opened.close()
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)}: DOGSTATSD_ADDRESS {address}") from None
    return opened, path


def _lost(opened: socket.socket) -> int:
    """Return how many datagrams the kernel had no room for, 0 where it does not say."""
    try:
        told = opened.getsockopt(socket.SOL_SOCKET, _MEMINFO, _NUMBERS.size)
    except OSError:
        return 0
    return int(_NUMBERS.unpack(told)[-1]) if len(told) == _NUMBERS.size else 0
