"""Signatures of the messages of webhooks: Standard Webhooks 1.0 (https://www.standardwebhooks.com).

What is signed is `{id}.{seconds since the epoch}.{body}`. The header has a signature for each secret:
`v1,` with HMAC-SHA256 or `v1a,` with Ed25519, in base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tracker.pb import webhook_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KEY_BYTES: Final = 32


def new_key() -> bytes:
    """Return a new key, for either kind of signature."""
    return secrets.token_bytes(_KEY_BYTES)


def shown_secret(key: bytes, kind: webhook_pb.WebhookSignature) -> str:
    """Return what a receiver needs to verify and must keep secret; empty where that is a public key."""
    return "" if kind is webhook_pb.WebhookSignature.ed25519 else f"whsec_{base64.b64encode(key).decode()}"


def public_key(key: bytes) -> str:
    """Return the public key that verifies signatures with Ed25519."""
    public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    return f"whpk_{base64.b64encode(public).decode()}"


def signed_headers(
    keys: Iterable[bytes], kind: webhook_pb.WebhookSignature, message_id: str, seconds: int, body: bytes
) -> Mapping[str, str]:
    """Return the headers of a message that is sent at a time."""
    content = b".".join((message_id.encode(), str(seconds).encode(), body))
    signatures = " ".join(_signature(key, kind, content) for key in keys)
    return {"webhook-id": message_id, "webhook-timestamp": str(seconds), "webhook-signature": signatures}


def _signature(key: bytes, kind: webhook_pb.WebhookSignature, content: bytes) -> str:
    if kind is webhook_pb.WebhookSignature.ed25519:
        made, version = Ed25519PrivateKey.from_private_bytes(key).sign(content), "v1a"
    else:
        made, version = hmac.digest(key, content, hashlib.sha256), "v1"
    return f"{version},{base64.b64encode(made).decode()}"
