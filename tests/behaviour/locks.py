"""Calls for locks that many tests make."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.clients import Client, JsonObject

RUNNING = {"status": "start", "environment": "production"}


async def lock(client: Client, **fields: Any) -> Any:
    body = {"service": "payments", "who": "ana", "environment": "production", **fields}
    return (await client.call("LockService/CreateLock", body))["lock"]


async def locks(client: Client) -> Any:
    return (await client.call("LockService/ListLocks", {}))["locks"]


def a_token() -> str:
    return secrets.token_urlsafe(32)


async def take(client: Client, **fields: Any) -> Any:
    body = {"service": "payments", "who": "ana", "environment": "production", **fields}
    return await client.call("LockService/CreateLock", body)


async def unlock(client: Client, held: JsonObject, **fields: Any) -> Any:
    return await client.call("LockService/UnLock", {"id": held["id"], **fields})
