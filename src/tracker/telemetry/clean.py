"""What a log field may show: no secrets, nothing that a terminal would act on, no more than 4 KiB."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

LIMIT: Final = 4096
"""Bytes of one field that are logged."""

HIDDEN: Final = "***"
"""What stands in place of a secret."""

_CUT: Final = "…"
_DEPTH: Final = 3
_ITEMS: Final = 64
_INT_LIMIT: Final = 2**63

_SECRET_NAME = re.compile(
    r"(?i)authorization|cookie|passw|secret|credential|(?:api|private)[-_]?key|(?<!fencing_)token$"
)
# Every repetition is bounded, so that hostile text can't make the search slow.
_SECRET_TEXT = re.compile(
    r"(\w://)[^\s\"'<>/?#@:]{0,128}(?::[^\s\"'<>]{0,256})?(?=@)"
    r"|(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:\w{1,16}\s{1,4})?)[^\s\"',]{1,4096}"
    r"|(\bbearer\s{1,4})[\w.~+/=-]{8,4096}"
    r"|(\btrk_)\w{1,256}",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def is_secret(name: str) -> bool:
    """Return whether a field of this name is a secret, whatever its value."""
    return _SECRET_NAME.search(name) is not None


def may_hold_secret(text: bytes) -> bool:
    """Return whether a text needs to be searched for secrets: quick, and wrong only on the safe side."""
    low = text.lower()
    return (b"://" in low and b"@" in low) or b"authorization" in low or b"bearer" in low or b"trk_" in low


def escaped(text: str) -> str:
    """Return `text` with what moves a cursor, ends a line or can't be encoded written as an escape."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cut(text: str) -> str:
    """Return the start of `text`, as much of it as fits a field."""
    if len(text) <= LIMIT // 4:
        return text
    data = text.encode()
    return text if len(data) <= LIMIT else data[: LIMIT - 3].decode(errors="ignore") + _CUT


def tail(text: str) -> str:
    """Return the end of `text`, as much of it as fits a field: where a traceback says what went wrong."""
    data = redacted(text).encode(errors="backslashreplace")
    return data.decode() if len(data) <= LIMIT else _CUT + data[3 - LIMIT :].decode(errors="ignore")


def redacted(text: str) -> str:
    """Return `text` without the credentials in its URLs, its authorization headers and API tokens."""
    return _SECRET_TEXT.sub(lambda found: f"{found[found.lastindex or 0]}{HIDDEN}", text)


def clean(value: object, depth: int = _DEPTH) -> object:
    """Return what may be logged of a value: what JSON can hold, bounded in size, without secrets."""
    if (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and abs(value) < _INT_LIMIT)
    ):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _cleaned(bytes(value[: 2 * LIMIT]).decode(errors="backslashreplace"))
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence | AbstractSet):
        return _cleaned(_text(value))
    if depth == 0:
        return _CUT
    if isinstance(value, Mapping):
        named = ((_cleaned(_text(key)), item) for key, item in islice(value.items(), _ITEMS))
        return {name: HIDDEN if is_secret(name) else clean(item, depth - 1) for name, item in named}
    return [clean(item, depth - 1) for item in islice(value, _ITEMS)]


def _cleaned(text: str) -> str:
    """Return the start of `text`; what follows it is searched too, for a secret that the cut would split."""
    return cut(redacted(text[: 2 * LIMIT].encode(errors="backslashreplace").decode()))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  # a line must not fail for what it is about
        return f"<{type(value).__name__}: {type(error).__name__}>"
