"""A log file that tests write to and read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.telemetry.log_file import LogFile

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogFile]:
    file = LogFile(tmp_path_factory.mktemp("log") / "log")
    yield file
    file.close()
