"""Locks of a server process, and a wrong wall clock."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx2
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.server_process import ServerProcess


FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


DAY = 86_400


class Locks:
    """The locks of a server, for one service."""

    def __init__(self, server: ServerProcess) -> None:
        self._http = httpx2.Client(
            base_url=f"http://127.0.0.1:{server.http_port}/api/v1alpha1", verify=False, timeout=PATIENCE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def take(self, **fields: Any) -> Any:
        answer = self._http.post("/lock", json={"service": "payments", **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["lock"]

    def renew(self, held: Any) -> Any:
        answer = self._http.post(f"/lock/{held['id']}/renew")
        assert answer.status_code == 200, answer.text
        return answer.json()["lock"]

    def release(self, held: Any) -> None:
        assert self._http.delete(f"/lock/{held['id']}").status_code == 200

    def exists(self, held: Any) -> bool:
        return self._http.get(f"/lock/{held['id']}").status_code == 200

    def wait_for_end(self, held: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.exists(held):
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two polls
