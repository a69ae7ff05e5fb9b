"""Access is tested on each kind of store."""

from __future__ import annotations

from tests.each_store import mongo_uri

__all__ = ["mongo_uri"]
