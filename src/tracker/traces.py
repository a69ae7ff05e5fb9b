"""Traces that calls and events belong to, as W3C Trace Context has them: https://www.w3.org/TR/trace-context/."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

HEADER: Final = "traceparent"
"""The header, the metadata of gRPC and the extension of CloudEvents that names a trace."""
VARIABLE: Final = "TRACEPARENT"
"""The environment variable by which programs tell those that they start."""

_PARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.DOTALL
)
_FIRST_VERSION: Final = "00-"


class SpanIds(NamedTuple):
    """The ids of a span and of its trace, in hexadecimal digits."""

    trace_id: str
    span_id: str


def trace_of(parent: str) -> str:
    """Return the id of the trace that a `traceparent` names, 32 hexadecimal digits, or nothing."""
    found = _PARENT.fullmatch(parent.strip())
    if found is None or (found[2] and parent.strip().startswith(_FIRST_VERSION)):
        return ""
    return found[1]


def parent_of(trace_id: str, span: str) -> str:
    """Return the `traceparent` of a span that a text identifies, in a sampled trace."""
    return f"00-{trace_id}-{hashlib.sha256(span.encode()).hexdigest()[:16]}-01"
