"""Intakes are tested on each kind of store, with the clients of other products as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.each_store import mongo_uri

if TYPE_CHECKING:
    from tracker.app import App

__all__ = ["mongo_uri"]


@pytest.fixture
def url(app: App) -> str:
    host, port = app.http_address
    return f"http://{host}:{port}"
