"""Texts by mail and about 100 other services, through apprise: in a process of its own for each.

apprise blocks, and connects on its own: the process can be ended, and reaches no network that is not allowed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from tracker.outgoing.public_http import AddressRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Network, IPv6Network

_COMMAND: Final = (sys.executable, "-I", "-B", "-m", "tracker.outgoing.apprise_process")
_SECONDS: Final = 30.0
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class AppriseProcesses:
    """Sends texts by addresses of apprise, to public networks and those that are allowed."""

    _allowed: Sequence[IPv4Network | IPv6Network]
    _turns: asyncio.Semaphore
    errors: tuple[type[Exception], ...] = (AddressRefusedError,)
    """What `shown` raises for an address that is none."""

    @classmethod
    def opened(cls, allowed: Sequence[IPv4Network | IPv6Network]) -> AppriseProcesses:
        """Return what sends a few texts at a time."""
        return cls(allowed, asyncio.Semaphore(_AT_ONCE))

    async def shown(self, url: str) -> str:
        """Return an address as apprise shows it, without its secrets.

        Raises:
            AddressRefusedError: It is none, or apprise is not installed.
        """
        if find_spec("apprise") is None:
            raise AddressRefusedError(
                "apprise is not installed on the server: `pip install 'tracker-server[notify]'`, "
                "or `make run EXTRAS=all` in a clone"
            )
        answer = await self._run({"url": url})
        if answer.get("problem"):
            raise AddressRefusedError(str(answer["problem"]))
        return str(answer["shown"])

    async def notify(self, url: str, title: str, body: str, mood: str) -> str:
        """Send a text; return why that failed, or nothing."""
        allowed = [str(each) for each in self._allowed]
        task = {"url": url, "title": title, "body": body, "mood": mood, "allowed": allowed}
        return str((await self._run(task)).get("problem", ""))

    async def _run(self, task: Mapping[str, object]) -> Mapping[str, Any]:
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # it may have the address
                env={name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ},
            )
            try:
                async with asyncio.timeout(_SECONDS):
                    written, _ = await process.communicate(json.dumps(task).encode())
            except TimeoutError:
                return {"problem": f"no answer within {_SECONDS:.0f} seconds"}
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        try:
            answer = json.loads(written)
        except ValueError:
            return {"problem": f"the process ended with {process.returncode}"}
        return answer if isinstance(answer, dict) else {}
