"""The credentials that calls have: API keys, in any of the headers that tools can send."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from tracker.domain.api_keys import BEGINNING
from tracker.errors import invalid_credentials

if TYPE_CHECKING:
    from tracker.domain.access import Principal
    from tracker.services.access.directory import Directory
    from tracker.services.context import Call


class ApiKeys:
    """Recognizes API keys in `X-Api-Key`, `Authorization: Bearer`, and as password of `Authorization: Basic`.

    It is the last authenticator: other credentials in `Authorization` are refused.
    """

    headers = ("x-api-key", "authorization")

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def authenticate(self, call: Call) -> Principal | None:
        headers = call.headers
        secret = headers.get("x-api-key")
        if secret is None:
            given = headers.get("authorization")
            if given is None:
                return None
            secret = _secret_in(given)
        return self._directory.principal_with(secret.strip())


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
