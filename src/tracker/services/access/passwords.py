"""Passwords of local users, stored as Argon2id hashes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from tracker.errors import FieldViolation, invalid

if TYPE_CHECKING:
    from collections.abc import Sized

    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 128
NOBODY: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$LIZovGF4QfZGaydx5+Y1gQ$69duw2DXJDFBEMXmqqSj7PsCvenyZK14H6LlcThjPEw"
)
"""A hash of the same parameters, of random bytes that nobody knows."""


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # noqa: PLC0415 - many servers have no passwords

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def has_good_length(password: Sized) -> bool:
    """Return whether a password is as long as it must be, in characters."""
    return SHORTEST <= len(password) <= LONGEST


def require_policy(password: str, field: str = "password") -> None:
    """Check a new password.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is too short or too long.
    """
    if not has_good_length(password):
        raise invalid(FieldViolation(field, f"password must be {SHORTEST} to {LONGEST} characters"))


def hash_password(password: str) -> bytes:
    """Return the hash of a password, with its salt and parameters; blocks for some 50 ms."""
    return _hasher().hash(password).encode()


def verify_password(stored: bytes, password: str) -> bool:
    """Return whether a password has this hash; blocks as `hash_password` does.

    An empty hash, of a user who is not known or has no password, takes as long and is never right.
    """
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - the same

    try:
        right = _hasher().verify(stored.decode() or NOBODY, password)
    except (VerificationError, InvalidHashError, UnicodeError):
        return False
    return right and bool(stored)
