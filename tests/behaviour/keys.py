"""API keys that tests call with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tests.clients import Client


async def bearer(client: Client, name: str, *permissions: str, **narrowed: Any) -> Client:
    """Return a client with a new key of these permissions, narrowed to services, environments and teams."""
    asked = {"name": name, "permissions": list(permissions), **narrowed}
    created = await client.call("AuthService/CreateApiKey", asked)
    return client.bearing(cast("str", created["secret"]))
