"""What `kubectl` prints, as messages: lists are divided, and what it watches is sent as it arrives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KUBERNETES: Final = "kubernetes"
_TOGETHER: Final = 100
"""Events of a list that are sent together."""


def texts_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the JSON texts in lines: each is one line, or ends where a line begins with its last brace."""
    text = bytearray()
    for line in lines:
        if text or line.strip():
            text += line
        ends = line.startswith(b"}") or (len(text) == len(line) and line.rstrip().endswith(b"}"))
        if ends and _is_json(text):
            yield bytes(text)
            text.clear()
    if text.strip():
        yield bytes(text)


def parts_of(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what to send for some texts; what is no JSON, the server refuses."""
    for text in texts:
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        items = content.get("items") if isinstance(content, dict) else None
        if not isinstance(items, list) or len(items) <= _TOGETHER:
            yield text
            continue
        for begin in range(0, len(items), _TOGETHER):
            yield json.dumps({"items": items[begin : begin + _TOGETHER]}).encode()


def _is_json(text: bytearray) -> bool:
    try:
        json.loads(bytes(text))
    except ValueError:
        return False
    return True
