"""Log lines: one JSON object a line for machines, a readable line for a terminal."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias

import orjson
import structlog

from tracker.telemetry.clean import HIDDEN, LIMIT, clean, cut, escaped, is_secret, may_hold_secret, tail
from tracker.telemetry.lines import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from structlog.typing import Context, FilteringBoundLogger, Processor

Format: TypeAlias = Literal["auto", "json", "text"]

OWN_KEYS: Final = ("time", "level", "msg")
"""What every line begins with; a field with one of these names gets a `_` behind it."""

_NAMES: Final = 1000
"""Names of fields that are remembered to be harmless."""

_UNSEEN = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def make_logger(
    level: str,
    format: Format,  # noqa: A002  # what the setting is called
    stream: IO[str] | IO[bytes],
) -> FilteringBoundLogger:
    """Return a logger of lines of `level` and above, which go to the file descriptor of `stream`.

    A line that the stream can't take is dropped; logging never raises.
    """
    terminal = stream.isatty()
    as_text = format == "text" or (format == "auto" and terminal)
    renderer = _TextLines(colors=terminal) if as_text else _JsonLines()
    writer = LineWriter(stream.fileno(), renderer.notice)
    return _logger_class(level, renderer)(writer, (), {})


@contextmanager
def stdlib_routed(logger: FilteringBoundLogger) -> Iterator[None]:
    """Send warnings and worse that libraries give to the standard library's logging to `logger`."""
    handler = _Handler(logger)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _logger_class(
    level: str, renderer: _JsonLines | _TextLines
) -> Callable[[LineWriter, Sequence[Processor], Context], FilteringBoundLogger]:
    filtering = structlog.make_filtering_bound_logger(level)

    class Logger(filtering):  # type: ignore[misc, valid-type]  # one of a few classes, chosen by the level
        """Hands a line to its one renderer when it is written: structlog's own way copies the fields thrice.

        The fields of a line must not change once it is logged.
        """

        def _proxy_to_logger(self, level: str, event: str | None = None, /, **fields: object) -> None:
            fields = {**self._context, **fields}
            if text := _traceback(fields.pop("exc_info", None)):
                fields["exception"] = text
            self._logger.write(partial(renderer, time.time_ns(), level, event or "", fields))

    return Logger


class _Clock:
    """Writes nanoseconds since the epoch as RFC 3339 with microseconds, and formats each second only once."""

    def __init__(self) -> None:
        self._second = (0, "")

    def __call__(self, nanos: int) -> str:
        second, nanos = divmod(nanos, 1_000_000_000)
        known, text = self._second
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        return f"{text}.{nanos // 1000:06d}Z"


class _JsonLines:
    """Renders a line as a JSON object."""

    def __init__(self) -> None:
        self._clock = _Clock()
        self._plain: set[str] = set()

    def __call__(self, at: int, level: str, message: str, fields: Mapping[str, object]) -> bytes:
        if not self._plain.issuperset(fields):
            names = set(fields)
            fields = _prepared(fields)
            if len(self._plain) < _NAMES:
                self._plain |= {name for name in names if name in fields and not is_secret(name)}
        line = {"time": self._clock(at), "level": level, "msg": message, **fields}
        try:
            data = orjson.dumps(line)
        except TypeError:  # a value or a key that JSON has no word for, a lone surrogate
            data = orjson.dumps(_cleaned(line))
        else:
            if len(data) > LIMIT or data.find(b"{", 1) > 0 or may_hold_secret(data):
                data = orjson.dumps(_cleaned(line))
        if data.isascii() and b"\x7f" not in data:
            return data
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", data.decode()).encode()

    def notice(self, dropped: int) -> bytes:
        """Return the line that says how many lines are missing before it."""
        return self(time.time_ns(), "warning", "log lines dropped", {"count": dropped})


class _TextLines:
    """Renders a line for a person at a terminal; a traceback follows on lines of its own."""

    def __init__(self, *, colors: bool) -> None:
        self._clock = _Clock()
        self._layout = structlog.dev.ConsoleRenderer(
            colors=colors, event_key="msg", timestamp_key="time", sort_keys=False
        )

    def __call__(self, at: int, level: str, message: str, fields: Mapping[str, object]) -> bytes:
        line = _cleaned({"time": self._clock(at), "level": level, "msg": message, **_prepared(fields)})
        trace = line.pop("exception", None)
        shown = {escaped(key): escaped(_as_text(value)) for key, value in line.items()}
        text = self._layout(None, level, shown)
        if trace is not None:
            text += "".join(f"\n  {escaped(row)}" for row in _as_text(trace).split("\n"))
        return text.encode()

    def notice(self, dropped: int) -> bytes:
        """Return the line that says how many lines are missing before it."""
        return self(time.time_ns(), "warning", "log lines dropped", {"count": dropped})


class _Handler(logging.Handler):
    """Hands records of the standard library's logging to a structlog logger."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the arguments don't fit the format
            message = str(record.msg)
        failure = {"exc_info": record.exc_info} if record.exc_info else {}
        self._logger.log(_severity(record.levelno), message, logger=record.name, **failure)


def _severity(level: int) -> int:
    return next(known for known in (logging.CRITICAL, logging.ERROR, logging.WARNING) if level >= known)


def _prepared(fields: Mapping[str, object]) -> dict[str, object]:
    """Return fields without secrets and with names of their own."""
    return {
        f"{name}_" if name in OWN_KEYS else name: HIDDEN if is_secret(name) else value
        for name, value in fields.items()
    }


def _traceback(failure: object) -> str:
    """Return the traceback of what `exc_info` may be: an exception, its triple, true for the current one."""
    if isinstance(failure, tuple):
        failure = failure[1]
    elif failure and not isinstance(failure, BaseException):
        failure = sys.exception()
    if not isinstance(failure, BaseException):
        return ""
    return tail("".join(traceback.format_exception(failure)).rstrip())


def _cleaned(line: Mapping[str, object]) -> dict[str, object]:
    cleaned = {}
    for key, value in line.items():
        shown = clean(value)
        if isinstance(shown, dict | list) and len(data := orjson.dumps(shown)) > LIMIT:
            shown = cut(data.decode())
        cleaned[cut(key.encode(errors="backslashreplace").decode())] = shown
    return cleaned


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
