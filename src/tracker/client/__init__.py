"""The Python client of the API: typed calls over REST, with the generated messages."""

from __future__ import annotations

from .connection import ApiError, Connection, UnreachableError

__all__ = ["ApiError", "Connection", "UnreachableError"]
