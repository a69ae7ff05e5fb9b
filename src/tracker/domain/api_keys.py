"""API keys: their form, when they are valid, and what their bearers may do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import string
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.access import Grant, Principal, PrincipalKind, Scope, common_grants
from tracker.domain.people import grant_of
from tracker.domain.times import micros
from tracker.permissions import ALL_PERMISSIONS, Permission

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.pb import auth_pb

BEGINNING: Final = "trk_"
_ALPHABET = string.ascii_lowercase + string.digits
_PREFIX_LENGTH = 8
_RANDOM_BYTES = 32


class NewSecret(NamedTuple):
    """The secret of a new key, the part of it that is stored, and the hash of the whole."""

    secret: str
    prefix: str
    secret_hash: bytes


def new_secret() -> NewSecret:
    """Return a secret of 256 random bits.

    Its form is that of the Go implementation (`trk_`, 8 characters, `_`, base64url), followed by a CRC-32 of
    what is before it, in base64url: by that, scanners of source code recognize a key without asking a server.
    """
    prefix = BEGINNING + "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH))
    body = f"{prefix}_{base64url(secrets.token_bytes(_RANDOM_BYTES))}"
    secret = body + _checksum(body)
    return NewSecret(secret, prefix, hash_secret(secret))


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 of a secret: 256 random bits need no slower hash."""
    return hashlib.sha256(secret.encode()).digest()


def valid_until(key: auth_pb.ApiKey) -> float:
    """Return when a key ends or ended, in microseconds since the epoch; infinity if it doesn't."""
    if key.revoked_at is not None:
        return -inf
    return inf if key.expires_at is None else micros(key.expires_at)


def is_valid(key: auth_pb.ApiKey, now: int) -> bool:
    """Return whether a key is accepted at a time (microseconds since the epoch)."""
    return now < valid_until(key)


def principal_of(
    key: auth_pb.ApiKey, teams: Mapping[str, auth_pb.Team], holder: Principal | None = None
) -> Principal:
    """Return the principal of a key's bearer; a key without a team and permissions has all.

    A key that a holder made for itself allows no more than the holder may do, and nothing without it.
    """
    grants = _grants(key, teams)
    if key.holder:
        grants = () if holder is None else common_grants(grants, holder)
    return Principal(f"apikey:{key.id}", PrincipalKind.API_KEY, key.name, grants)


def _grants(key: auth_pb.ApiKey, teams: Mapping[str, auth_pb.Team]) -> tuple[Grant, ...]:
    if key.team_id:
        return (grant_of(teams[key.team_id]),) if key.team_id in teams else ()
    scope = Scope(tuple(key.services), tuple(key.environments), tuple(key.teams))
    known = {permission.value: permission for permission in Permission}
    permissions = frozenset(known[word] for word in key.permissions if word in known)
    return (Grant(permissions if key.permissions else ALL_PERMISSIONS, scope),)


def base64url(data: bytes) -> str:
    """Return bytes in Base64 for URLs, without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _checksum(text: str) -> str:
    return base64url(binascii.crc32(text.encode()).to_bytes(4))
