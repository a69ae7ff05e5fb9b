"""Issuers of id tokens: what they publish about themselves, and their keys.

OpenID Connect Discovery 1.0: https://openid.net/specs/openid-connect-discovery-1_0.html
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    PublicKey = RSAKey | ECKey | OKPKey

KEPT_SECONDS: Final = 24 * 60 * 60
"""How long keys count after they were last read: an issuer may be down for so long."""
_REFRESH_SECONDS: Final = 600
"""Time between two reads of keys in use: a key that its issuer withdraws counts no longer than this."""
_READS: Final = 3
_READ_EVERY: Final = 10.0
"""Unknown keys cause so many reads at once, and then one in so many seconds."""
_TIMEOUT: Final = 5.0
_MAX_BYTES: Final = 512 * 1024
_OK: Final = 200


def is_safe(url: str) -> bool:
    """Return whether an address has TLS, or is one of this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    with suppress(ValueError):
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    return parts.scheme == "http" and host == "localhost"


class KeySource(Protocol):
    """Where the keys of an issuer come from."""

    url: str

    async def key(self, kid: str | None) -> PublicKey | None:
        """Return a key by its id, or the only key for no id; None if there is none."""


@dataclass(eq=False)
class Issuer:
    """An issuer; what it publishes is read when it is needed first.

    `elapsed` returns seconds of a clock that only moves forward.
    """

    url: str
    elapsed: Callable[[], float]
    _http: httpx2.AsyncClient | None = None
    _metadata: Mapping[str, object] = field(default_factory=dict)
    _keys: Mapping[str, PublicKey] = field(default_factory=dict)
    _read_at: float | None = None
    _reads: float = _READS
    _counted_at: float = 0.0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def key(self, kid: str | None) -> PublicKey | None:
        """Return a key by its id, or the only key for no id; None if there is none.

        Raises:
            TrackerError: UNAVAILABLE; its keys are not known, and can't be read now.
        """
        if self._is_current():
            found = self._find(kid)
            if found is not None:
                return found
        seen = self._read_at
        async with self._reading:
            if self._read_at == seen and self._may_read():
                await self._read()
        if not self._is_current():
            raise self._unavailable("its keys were not read for too long")
        return self._find(kid)

    async def endpoint(self, name: str) -> str:
        """Return an address that the issuer publishes, such as `token_endpoint`.

        Raises:
            TrackerError: UNAVAILABLE; it is not known, and can't be read now.
        """
        async with self._reading:
            if not self._metadata:
                if not self._may_read():
                    raise self._unavailable("it was asked a moment ago")
                await self._read()
        url = self._metadata.get(name)
        if not isinstance(url, str) or not is_safe(url):
            raise self._unavailable(f"it publishes no {name} with https")
        return url

    async def refresh(self) -> None:
        """Read the keys again, if they are in use.

        Raises:
            TrackerError: UNAVAILABLE; they can't be read now.
        """
        if self._read_at is not None:
            async with self._reading:
                await self._read()

    async def post(self, url: str, form: Mapping[str, str], credentials: tuple[str, str]) -> object:
        """Send a form with the credentials of a client; return the JSON of the answer.

        Raises:
            TrackerError: UNAVAILABLE; there was no answer.
        """
        request = self._client().build_request("POST", url, data=dict(form))
        return await self._json(request, httpx2.BasicAuth(*credentials))

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    def _is_current(self) -> bool:
        return self._read_at is not None and self.elapsed() - self._read_at < KEPT_SECONDS

    def _find(self, kid: str | None) -> PublicKey | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _may_read(self) -> bool:
        now = self.elapsed()
        self._reads = min(_READS, self._reads + (now - self._counted_at) / _READ_EVERY)
        self._counted_at = now
        if self._reads < 1:
            return False
        self._reads -= 1
        return True

    async def _read(self) -> None:
        metadata = await self._get(self.url.rstrip("/") + "/.well-known/openid-configuration")
        if metadata.get("issuer") != self.url:
            raise self._unavailable("it publishes another name of itself")
        keys_url = metadata.get("jwks_uri")
        if not isinstance(keys_url, str) or not is_safe(keys_url):
            raise self._unavailable("it publishes no jwks_uri with https")
        published = (await self._get(keys_url)).get("keys")
        self._keys = dict(_importable(published if isinstance(published, list) else []))
        self._metadata, self._read_at = metadata, self.elapsed()

    async def _get(self, url: str) -> Mapping[str, object]:
        document = await self._json(self._client().build_request("GET", url))
        if not isinstance(document, dict):
            raise self._unavailable("it did not answer with a JSON object")
        return document

    async def _json(self, request: httpx2.Request, credentials: httpx2.Auth | None = None) -> object:
        body = b""
        try:
            async with asyncio.timeout(_TIMEOUT):
                answer = await self._client().send(request, stream=True, auth=credentials)
                try:
                    async for part in answer.aiter_bytes():
                        body += part
                        if len(body) > _MAX_BYTES:
                            raise self._unavailable("its answer is too long")
                finally:
                    await answer.aclose()
            if answer.status_code != _OK:
                raise self._unavailable(f"it answered with status {answer.status_code}")
            return json.loads(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise self._unavailable(str(error) or type(error).__name__) from None

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:  # loading certificates takes a while, and not every server needs them
            secure = urlsplit(self.url).scheme == "https"
            self._http = httpx2.AsyncClient(verify=secure, follow_redirects=False, timeout=_TIMEOUT)
        return self._http

    def _unavailable(self, why: str) -> TrackerError:
        return TrackerError(Reason.ISSUER_UNAVAILABLE, f"the issuer {self.url} can't be asked: {why}")


async def keep_fresh(issuers: Iterable[Issuer]) -> None:
    """Read the keys in use again: one round of a background task."""
    await asyncio.sleep(_REFRESH_SECONDS)
    await asyncio.gather(*(issuer.refresh() for issuer in issuers))


def _importable(published: list[object]) -> Iterable[tuple[str, PublicKey]]:
    """Yield the public keys for signatures, with their ids; others, and unknown kinds, are left out."""
    for each in published:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        with suppress(JoseError, ValueError, TypeError, KeyError):
            key = import_key(each)
            if isinstance(key, RSAKey | ECKey | OKPKey) and not key.is_private:
                yield key.kid or key.thumbprint(), key
