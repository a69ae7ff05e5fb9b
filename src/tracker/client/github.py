"""The id tokens of a job in GitHub Actions, in place of a secret.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import TYPE_CHECKING, Final

import httpx2

from tracker.client.connection import ApiError
from tracker.errors import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_EARLY: Final = 60.0
"""Seconds before its end at which a token is replaced: calls take time, and clocks differ."""
_TIMEOUT: Final = 10.0


class GithubToken:
    """The current id token of a job; GitHub's last some minutes, and a job may take longer."""

    def __init__(self, audience: str, environ: Mapping[str, str]) -> None:
        """Take the audience of the tokens, and the variables of a job for which `is_offered` holds."""
        self._audience = audience
        self._url = environ[_URL]
        self._headers = {"authorization": f"Bearer {environ[_TOKEN]}"}
        self._token, self._ends = "", 0.0
        self._asking = threading.Lock()

    @staticmethod
    def is_offered(environ: Mapping[str, str]) -> bool:
        """Return whether this is a job with `permissions: id-token: write`."""
        return bool(environ.get(_URL) and environ.get(_TOKEN))

    def __call__(self) -> str:
        """Return a token that is valid for a while.

        Raises:
            ApiError: GitHub gave none.
        """
        with self._asking:
            if time.time() > self._ends - _EARLY:
                self._token = self._ask()
                self._ends = _end_of(self._token)
            return self._token

    def _ask(self) -> str:
        url = httpx2.URL(self._url).copy_merge_params({"audience": self._audience})
        try:
            answer = httpx2.get(url, headers=self._headers, timeout=_TIMEOUT).raise_for_status()
            return str(answer.json()["value"])
        except (httpx2.HTTPError, ValueError, LookupError, TypeError) as error:
            why = (
                f"status {error.response.status_code}" if isinstance(error, httpx2.HTTPStatusError) else error
            )
            raise ApiError(Code.UNAVAILABLE, f"GitHub gave no id token: {why}") from None


def _end_of(token: str) -> float:
    """Return when a token ends (seconds since the epoch); at once, if it doesn't say so."""
    try:
        claims = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (ValueError, LookupError, TypeError):
        return 0.0
