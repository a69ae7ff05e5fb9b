"""The credentials that calls have: API keys, in any of the headers that tools can send."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from tracker.domain.api_keys import BEGINNING
from tracker.errors import invalid_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.domain.access import Principal
    from tracker.services.access.directory import Bearer, Directory
    from tracker.services.context import Call

_MOST_REMEMBERED = 1_024
"""Pairs of headers whose key is known without hashing it, at most."""


class ApiKeys:
    """Recognizes API keys in `X-Api-Key`, `Authorization: Bearer`, and as password of `Authorization: Basic`.

    It is the last authenticator: other credentials in `Authorization` are refused.
    """

    headers = ("x-api-key", "authorization")

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._accepted: dict[tuple[str | None, str | None], Bearer] = {}

    def known(self, headers: Mapping[str, str]) -> Principal | None:
        """Return the principal of credentials that were accepted before, if they still are."""
        bearer = self._accepted.get((headers.get("x-api-key"), headers.get("authorization")))
        return None if bearer is None else self._directory.principal_of(bearer)

    async def authenticate(self, call: Call) -> Principal | None:
        given = secret, authorization = call.headers.get("x-api-key"), call.headers.get("authorization")
        if secret is None:
            if authorization is None:
                return None
            secret = _secret_in(authorization)
        bearer = self._directory.bearer_with(secret.strip())
        principal = None if bearer is None else self._directory.principal_of(bearer)
        if bearer is None or principal is None:
            raise invalid_credentials()
        if len(self._accepted) >= _MOST_REMEMBERED:
            self._accepted.clear()
        self._accepted[given] = bearer
        return principal


def _secret_in(authorization: str) -> str:
    """Return the API key in a header `Authorization`.

    Raises:
        TrackerError: UNAUTHENTICATED; it has none.
    """
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() == "basic":
        try:
            password = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            raise invalid_credentials() from None
        if password.startswith(BEGINNING):
            return password
    raise invalid_credentials()
