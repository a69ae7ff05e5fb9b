"""Ids of requests: that of the caller where it is safe to log, else a new one."""

from __future__ import annotations

import re

import uuid_utils

HEADER = "x-request-id"
"""Header over REST, metadata key over gRPC, in requests and in answers."""

_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id(given: str | None) -> str:
    """Return the id `given` with a request, or a new one."""
    return given if given is not None and _SANE.fullmatch(given) else uuid_utils.uuid7().hex
