"""API keys that users and keys make for themselves: never wider than who made them, nor valid for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.api_keys import principal_of, valid_until
from tracker.domain.times import micros
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.permissions import Permission
from tracker.services.access.words import unfit
from tracker.services.context import permission_required
from tracker.time_text import DAY

if TYPE_CHECKING:
    from tracker.domain.access import Principal
    from tracker.pb import auth_pb
    from tracker.services.access.directory import Directory
    from tracker.services.context import Call

_MOST: Final = 100
"""Keys of a holder that are valid, or have been within a day."""


class OwnKeys:
    """Decides who may have keys of its own, and which; they are valid for `longest_days` at most."""

    def __init__(self, directory: Directory, longest_days: int) -> None:
        self._directory = directory
        self._longest = longest_days * DAY

    def require(self, key: auth_pb.ApiKey, call: Call, now: int) -> None:
        """Check that the caller may have a new key, and make it the holder.

        Raises:
            TrackerError: FAILED_PRECONDITION, PERMISSION_DENIED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT.
        """
        principal = call.principal
        if principal.is_anonymous:
            raise TrackerError(Reason.AUTHENTICATION_REQUIRED, "authentication required")
        if not self._longest:
            raise _not_here("AUTH_OWN_TOKEN_MAX_DAYS is 0: nobody makes tokens for itself")
        if not self._directory.may_hold(principal.id):
            raise _not_here(
                "only users who log in here, and tokens that no token made, have tokens of their own"
            )
        if not key.permissions:
            raise invalid(FieldViolation("permissions", "a token of one's own names what it allows"))
        key.holder = principal.id
        effective = principal_of(key, {}, principal)
        for permission in map(Permission, key.permissions):
            if not effective.may(permission):
                narrowed = [*key.services, *key.environments, *key.teams] if principal.may(permission) else []
                where = f" for {', '.join(narrowed)}" if narrowed else ""
                raise permission_required(principal, permission, where)
        if sum(now < _ended_at(each) + DAY for each in self.of(principal)) >= _MOST:
            message = f"the caller has {_MOST} tokens of its own, with those that ended within a day"
            raise TrackerError(Reason.TOO_MANY_API_KEYS, message)
        self.require_end(key, now)

    def require_end(self, key: auth_pb.ApiKey, now: int) -> None:
        """Check that a key of a holder does not last for too long.

        Raises:
            TrackerError: INVALID_ARGUMENT.
        """
        if key.holder and valid_until(key) > now + self._longest:
            days = self._longest // DAY
            raise unfit("expires_at", f"expiresAt may be {days} days ahead at most, for a token of one's own")

    def usual_end(self, usual: int) -> int:
        """Return how long a key is valid whose creator does not say, in microseconds."""
        return min(usual, self._longest)

    def of(self, principal: Principal) -> list[auth_pb.ApiKey]:
        """Return the keys of a holder, also those that are over."""
        return [key for key in self._directory.api_keys.values() if key.holder == principal.id]


def _ended_at(key: auth_pb.ApiKey) -> float:
    """Return when a key ends, or has ended, in microseconds since the epoch."""
    return valid_until(key) if key.revoked_at is None else micros(key.revoked_at)


def _not_here(message: str) -> TrackerError:
    return TrackerError(Reason.NO_OWN_API_KEYS, message)
