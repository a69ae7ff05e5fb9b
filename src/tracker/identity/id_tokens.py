"""Id tokens: signed statements of an issuer about who its bearer is.

What is checked follows RFC 8725 and OpenID Connect Core 1.0, section 3.1.3.7.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry, decode

from tracker.errors import invalid_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from joserfc.jwa import JWSAlgModel

    from tracker.identity.issuers import KeySource

_ALGORITHMS: Final = frozenset(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)) | {
    "EdDSA",
    "Ed25519",
}
"""All are asymmetric: a public key can't be taken for a shared secret."""
LEEWAY: Final = 60
"""Seconds by which the clock of an issuer may differ."""
_MICROS: Final = 1_000_000


class _Registry(JWSRegistry):
    """The algorithms that are accepted; EdDSA too, by its old name, which the library warns of."""

    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in _ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRY: Final = _Registry(strict_check_header=False)


def is_token(text: str) -> bool:
    """Return whether a text has the form of a signed token."""
    return text.startswith("eyJ") and text.count(".") == 2  # noqa: PLR2004 - header, claims, signature


def issuer_of(token: str) -> str | None:
    """Return the issuer that a token names, which is not verified."""
    try:
        claims = json.loads(jws.extract_compact(token.encode()).payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


async def verified_claims(
    token: str, issuer: KeySource, audiences: Collection[str], now: Callable[[], int]
) -> Mapping[str, object]:
    """Return the claims of a token, once its signature, issuer, audience and times are checked.

    `now` returns microseconds since the epoch.

    Raises:
        TrackerError: UNAUTHENTICATED; UNAVAILABLE, where the issuer's keys are not known.
    """
    try:
        header = jws.extract_compact(token.encode()).headers()
        kid, kind = header.get("kid"), header.get("typ", "JWT")
        if not (kid is None or isinstance(kid, str)) or str(kind).lower() != "jwt":
            raise invalid_credentials()
        key = await issuer.key(kid)
        if key is None:
            raise invalid_credentials()
        claims = decode(token, key, registry=_REGISTRY).claims
        JWTClaimsRegistry(
            now=now() // _MICROS,
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer.url},
            aud={"essential": True, "values": list(audiences)},
            sub={"essential": True},
            exp={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise invalid_credentials() from None
    return claims
