"""Cleans log lines: no secrets, no control characters, at most 4 KiB per field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

import orjson

LIMIT: Final = 4096
"""Bytes of one field that are logged."""

HIDDEN: Final = "***"
"""Replaces a secret."""

_CUT: Final = "…"
_DEPTH: Final = 3
_ITEMS: Final = 64
_INT_LIMIT: Final = 2**63

_SECRET_NAME = re.compile(
    r"(?i)authorization|cookie|passw|secret|credential|(?:api|private)[-_]?key|(?<!fencing_)token$"
)
# Every repetition is bounded: hostile text can't make the search slow.
_SECRET_TEXT = re.compile(
    r"(\w://)[^\s\"'<>/?#@:]{0,128}(?::[^\s\"'<>]{0,256})?(?=@)"
    r"|(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:\w{1,16}\s{1,4})?)[^\s\"',]{1,4096}"
    r"|(\bbearer\s{1,4})[\w.~+/=-]{8,4096}"
    r"|(\btrk_)\w{1,256}",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def is_secret(name: str) -> bool:
    """Return whether a field of this name is a secret, whatever its value."""
    return _SECRET_NAME.search(name) is not None


def redacted(text: str) -> str:
    """Return `text` without the credentials in its URLs, its authorization headers and API tokens."""
    return _SECRET_TEXT.sub(lambda found: f"{found[found.lastindex or 0]}{HIDDEN}", text)


def escaped(text: str) -> str:
    """Return `text` with control characters escaped, including those of line breaks and direction."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def tail(text: str) -> str:
    """Return the end of `text` that fits a field, without secrets: a traceback ends with the error."""
    data = redacted(text).encode(errors="backslashreplace")
    return data.decode() if len(data) <= LIMIT else _CUT + data[3 - LIMIT :].decode(errors="ignore")


def json_text(fields: Mapping[str, object]) -> str:
    """Return fields as JSON on one line, cleaned first where the text may need it."""
    try:
        text = orjson.dumps(fields).decode()
    except TypeError:  # a value, a name or a lone surrogate that JSON can't represent
        text = ""
    if not text or len(text) > LIMIT or text.find("{", 1) > 0 or _may_hold_secret(text.lower()):
        text = orjson.dumps(clean_fields(fields)).decode()
    if text.isascii() and "\x7f" not in text:
        return text
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _may_hold_secret(text: str) -> bool:
    return ("@" in text and "://" in text) or "authorization" in text or "bearer" in text or "trk_" in text


def clean_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return fields without secrets, each at most `LIMIT` bytes long."""
    cleaned = {}
    for name, value in fields.items():
        shown = _clean(value, _DEPTH)
        if isinstance(shown, dict | list) and len(data := orjson.dumps(shown)) > LIMIT:
            shown = _cut(data.decode())
        cleaned[_clean_text(name)] = shown
    return cleaned


def _clean(value: object, depth: int) -> object:
    """Return a value as JSON can hold it: bounded in size and depth, without secrets."""
    if (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and abs(value) < _INT_LIMIT)
    ):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _clean_text(bytes(value[: 2 * LIMIT]).decode(errors="backslashreplace"))
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence | AbstractSet):
        return _clean_text(_text(value))
    if depth == 0:
        return _CUT
    if isinstance(value, Mapping):
        named = ((_clean_text(_text(key)), item) for key, item in islice(value.items(), _ITEMS))
        return {name: HIDDEN if is_secret(name) else _clean(item, depth - 1) for name, item in named}
    return [_clean(item, depth - 1) for item in islice(value, _ITEMS)]


def _clean_text(text: str) -> str:
    """Return the start of `text` without secrets, including one that the cut would split."""
    return _cut(redacted(text[: 2 * LIMIT].encode(errors="backslashreplace").decode()))


def _cut(text: str) -> str:
    """Return the start of `text` that fits a field."""
    if len(text) <= LIMIT // 4:  # at most four bytes a character
        return text
    data = text.encode()
    return text if len(data) <= LIMIT else data[: LIMIT - 3].decode(errors="ignore") + _CUT


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a line must not fail for what it is about
        return f"<{type(value).__name__}: {type(error).__name__}>"
