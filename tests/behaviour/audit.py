"""The audit log of a running server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.clients import Client


async def entries(client: Client, count: int, **wanted: Any) -> list[Any]:
    """Return entries as soon as there are as many as expected, with what their contents say."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer: Any = await client.call("AuditService/ListAuditEntries", wanted)
            if len(answer.get("entries", ())) >= count:
                return [each | json.loads(each["content"]) for each in answer["entries"]]
            await asyncio.sleep(0.05)
