"""A server for the tests of commands that ask one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "tracker.db") as server:
        yield server


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    """The name of a service that no other test uses."""
    return str(request.node.name)
