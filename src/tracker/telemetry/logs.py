"""The logger: JSON objects for machines, readable lines for a terminal.

The stream that it writes to may stall, fill up or close without harm to the server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias

import orjson
import structlog

from tracker.telemetry.clean import HIDDEN, clean_fields, escaped, is_secret, json_text, tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger

Record: TypeAlias = "tuple[int, str, EventDict]"
"""When a line was logged in nanoseconds since the epoch, its level and its fields."""

Render: TypeAlias = Callable[[int, str, "EventDict"], bytes]
"""Renders a record as a line, without its end; must not raise, nor log."""

_PIPE_SPACE: Final = select.PIPE_BUF
"""Bytes that a pipe reported as writable takes without blocking, in one write or in several."""

_NEWLINE: Final = ord("\n")

_PATIENCE: Final = 1000
"""Milliseconds that a line waits for a stalled reader; further lines do not wait."""


class LineWriter:
    """Writes whole lines to a file descriptor, and drops those that it can't take.

    A stalled reader costs the process one second, once: further lines are dropped immediately until the
    descriptor takes one again, and a line then reports how many are missing.

    Lines logged in an event loop are rendered and written together at the end of its next iteration: a system
    call for each would cost more than its rendering, and answers are sent first. Thread-safe.
    """

    def __init__(self, descriptor: int, render: Render) -> None:
        self._descriptor = descriptor
        self._render = render
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lock = threading.Lock()
        self._space = 0
        self._stalled = False
        self._torn = False
        self._dropped = 0
        self._waiting: deque[Record] = deque()
        self._scheduled = False

    def write(self, *record: *Record) -> None:
        """Write one line, unless the descriptor can't take it."""
        self._waiting.append(record)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(loop.call_soon, self.flush)

    debug = info = warning = error = critical = write

    def flush(self) -> None:
        """Write the waiting lines."""
        self._scheduled = False
        with self._lock:
            lines = [self._render(*self._waiting.popleft()) for _ in range(len(self._waiting))]
            if dropped := self._send(b"\n".join([*lines, b""])):
                self._dropped += dropped
            elif self._dropped:
                fields = {"event": "log lines dropped", "count": self._dropped}
                if not self._send(self._render(time.time_ns(), "warning", fields) + b"\n"):
                    self._dropped = 0

    def _send(self, lines: bytes) -> int:
        """Write whole lines, as many at a time as a pipe takes; return how many could not be written."""
        data = b"\n" + lines if self._torn else lines
        start = 0
        try:
            while start < len(data):
                end = start + _PIPE_SPACE
                part = data[start : data.rfind(b"\n", start, end) + 1 or end]
                if len(part) > self._space and not self._wait():
                    break
                sent = os.write(self._descriptor, part)
                self._space -= sent
                self._torn = part[sent - 1] != _NEWLINE
                start += sent
        except OSError:  # closed pipe, full disk, lost terminal
            pass
        return min(data.count(b"\n", start), lines.count(b"\n"))

    def _wait(self) -> bool:
        self._stalled = not self._poll.poll(0 if self._stalled else _PATIENCE)
        self._space = 0 if self._stalled else _PIPE_SPACE
        return not self._stalled


Format: TypeAlias = Literal["auto", "json", "text"]

_OWN_NAMES: Final = ("time", "level", "msg")
"""The first fields of every line; other fields of these names get a trailing `_`."""


def make_logger(
    level: str,
    format: Format,  # noqa: A002 - the name of the setting
    stream: IO[str] | IO[bytes],
) -> FilteringBoundLogger:
    """Return a logger that writes lines of `level` and above to the file descriptor of `stream`.

    A line that the stream can't take is dropped; logging never raises. A line is rendered after the call that
    logs it: its fields must not be changed.
    """
    terminal = stream.isatty()
    as_text = format == "text" or (format == "auto" and terminal)
    filtering = structlog.make_filtering_bound_logger(level)

    class Logger(filtering):  # type: ignore[misc, valid-type]  # a class that was made for the level
        def _proxy_to_logger(self, level: str, event: str | None = None, /, **fields: object) -> None:
            """Pass a line on, past the processors where it has nothing for them."""
            if "exc_info" in fields:
                super()._proxy_to_logger(level, event, **fields)
            else:
                self._logger.write(time.time_ns(), level, {**self._context, **fields, "event": event})

    logger: FilteringBoundLogger = structlog.wrap_logger(
        LineWriter(stream.fileno(), _text_renderer(colors=terminal) if as_text else _render_json),
        processors=[structlog.processors.ExceptionRenderer(_format_exception), _record],
        wrapper_class=Logger,
        context_class=dict,
    ).bind()
    return logger


@contextmanager
def stdlib_routed(logger: FilteringBoundLogger) -> Iterator[None]:
    """Send the warnings and errors that libraries log through the standard library to `logger`."""
    handler = _Handler(logger)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _Handler(logging.Handler):
    """Passes records of the standard library's logging to a structlog logger."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the arguments don't fit the format
            message = str(record.msg)
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        self._logger.log(level, message, logger=record.name, exc_info=record.exc_info)


def _format_exception(exc_info: ExcInfo) -> str:
    return tail("".join(traceback.format_exception(*exc_info)).rstrip())


def _record(_: LineWriter, level: str, fields: EventDict) -> tuple[Record, EventDict]:
    """Pass a line on to the writer as it is: the last processor."""
    return (time.time_ns(), level, fields), {}


def _render_json(at: int, level: str, fields: EventDict) -> bytes:
    return json_text(_line(at, level, fields)).encode()


def _text_renderer(*, colors: bool) -> Render:
    layout = structlog.dev.ConsoleRenderer(
        colors=colors, event_key="msg", timestamp_key="time", sort_keys=False
    )

    def render(at: int, level: str, fields: EventDict) -> bytes:
        line = {
            name: value if isinstance(value, str) else orjson.dumps(value).decode()
            for name, value in clean_fields(_line(at, level, fields)).items()
        }
        trace = line.pop("exception", None)
        text = layout(None, level, {escaped(name): escaped(value) for name, value in line.items()})
        return "\n  ".join([text, *map(escaped, trace.split("\n") if trace else [])]).encode()

    return render


def _line(at: int, level: str, fields: EventDict) -> EventDict:
    """Return all fields of a line in their order, those with a secret name masked."""
    message = fields.pop("event", "")
    if _has_special_name(tuple(fields)):
        fields = {
            f"{name}_" if name in _OWN_NAMES else name: HIDDEN if is_secret(name) else value
            for name, value in fields.items()
        }
    moment = f"{_second(at // 1_000_000_000)}.{at // 1000 % 1_000_000:06d}Z"
    return {"time": moment, "level": level, "msg": message, **fields}


@lru_cache(1000)
def _has_special_name(names: tuple[str, ...]) -> bool:
    return any(name in _OWN_NAMES or is_secret(name) for name in names)


@lru_cache(1)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
