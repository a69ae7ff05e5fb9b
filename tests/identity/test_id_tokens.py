from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from tests.identity_provider import AUDIENCE, RSA, running_provider

from tracker.errors import Reason, TrackerError
from tracker.identity.id_tokens import is_token, issuer_of, verified_claims
from tracker.identity.issuers import KEPT_SECONDS, Issuer, is_safe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.identity_provider import IdentityProvider

NOW = 1_900_000_000
"""Seconds since the epoch."""
EC = ECKey.generate_key("P-256", {"kid": "ec"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "okp"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa"})
"""A key that the issuer does not publish, with the id of one that it does."""


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def elapsed(self) -> float:
        return self.seconds

    def now(self) -> int:
        return round((NOW + self.seconds) * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
async def issuer(provider: IdentityProvider, clock: Clock) -> AsyncIterator[Issuer]:
    issuer = Issuer(provider.url, clock.elapsed)
    yield issuer
    await issuer.close()


class Verifier:
    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer, self._clock = issuer, clock

    async def __call__(self, token: str) -> dict[str, Any]:
        return dict(await verified_claims(token, self._issuer, [AUDIENCE, "other"], self._clock.now))

    async def refusal(self, token: str) -> Reason:
        with pytest.raises(TrackerError) as refused:
            await self(token)
        return refused.value.reason


@pytest.fixture
def verify(issuer: Issuer, clock: Clock) -> Verifier:
    return Verifier(issuer, clock)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "PS384"), (EC, "ES256"), (OKP, "EdDSA"), (OKP, "Ed25519")],
    ids=["RS256", "PS384", "ES256", "EdDSA", "Ed25519"],
)
async def test_a_token_that_the_issuer_signed_is_accepted(
    provider: IdentityProvider, verify: Verifier, key: Any, algorithm: str
) -> None:
    provider.keys = [RSA, EC, OKP]
    token = provider.token({"exp": NOW + 60, "repository_id": "1"}, key, algorithm)
    assert is_token(token)
    assert issuer_of(token) == provider.url
    assert (await verify(token))["repository_id"] == "1"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": str(NOW + 60)},
        {"exp": float("nan")},
        {"nbf": NOW + 61},
        {"iat": NOW + 61},
        {"aud": "https://another.example.com"},
        {"aud": None},
        {"aud": []},
        {"aud": [AUDIENCE, 1]},
        {"iss": "https://another.example.com"},
        {"iss": None},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_token_with_wrong_claims_is_refused(
    provider: IdentityProvider, verify: Verifier, claims: dict[str, Any]
) -> None:
    token = provider.token({"exp": NOW + 60} | claims)
    assert await verify.refusal(token) is Reason.INVALID_CREDENTIALS


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 59},
        {"nbf": NOW + 59},
        {"iat": NOW + 59},
        {"aud": ["https://another.example.com", AUDIENCE]},
    ],
    ids=str,
)
async def test_clocks_may_differ_by_a_minute_and_one_audience_of_several_is_enough(
    provider: IdentityProvider, verify: Verifier, claims: dict[str, Any]
) -> None:
    assert await verify(provider.token({"exp": NOW + 60} | claims))


async def test_a_signature_by_another_key_is_refused(provider: IdentityProvider, verify: Verifier) -> None:
    assert await verify.refusal(provider.token({"exp": NOW + 60}, OTHER)) is Reason.INVALID_CREDENTIALS


async def test_a_token_without_a_signature_is_refused(provider: IdentityProvider, verify: Verifier) -> None:
    claims = segment({"iss": provider.url, "aud": AUDIENCE, "sub": "x", "exp": NOW + 60})
    for algorithm in ("none", "None", "NONE"):
        token = f"{segment({'alg': algorithm, 'kid': 'rsa'})}.{claims}."
        assert await verify.refusal(token) is Reason.INVALID_CREDENTIALS


async def test_a_public_key_is_not_taken_for_a_shared_secret(
    provider: IdentityProvider, verify: Verifier
) -> None:
    claims = segment({"iss": provider.url, "aud": AUDIENCE, "sub": "x", "exp": NOW + 60})
    signed = f"{segment({'alg': 'HS256', 'kid': 'rsa'})}.{claims}"
    for secret in (RSA.as_pem(private=False), json.dumps(RSA.as_dict(private=False)).encode()):
        mac = hmac.digest(secret, signed.encode(), "sha256")
        token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        assert await verify.refusal(token) is Reason.INVALID_CREDENTIALS


async def test_shared_and_private_keys_that_an_issuer_publishes_are_not_used(
    provider: IdentityProvider, verify: Verifier
) -> None:
    shared: Any = OctKey.generate_key(256, {"kid": "shared"})
    provider.keys = [RSA, shared]
    token = provider.token({"exp": NOW + 60}, shared, "HS256")
    assert await verify.refusal(token) is Reason.INVALID_CREDENTIALS


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../etc/passwd"},
        {"kid": "http://127.0.0.1/keys"},
        {"kid": "' OR 1=1 --"},
        {"kid": 1},
        {"kid": "ec"},
        {"typ": "at+jwt"},
        {"crit": ["exp"], "exp": 1},
        {"b64": False, "crit": ["b64"]},
        {"jwk": RSA.as_dict(private=False), "kid": "mine"},
        {"jku": "http://127.0.0.1/keys", "kid": "mine"},
    ],
    ids=" ".join,
)
async def test_a_header_can_neither_choose_a_key_nor_another_kind_of_token(
    provider: IdentityProvider, verify: Verifier, header: dict[str, Any]
) -> None:
    provider.keys = [RSA, EC]
    try:
        token = provider.token({"exp": NOW + 60}, RSA, header=header)
    except Exception:  # noqa: BLE001 - the library does not sign such headers
        claims = provider.token({"exp": NOW + 60}).split(".")[1]
        token = f"{segment({'alg': 'RS256', 'kid': 'rsa'} | header)}.{claims}.AAAA"
    assert await verify.refusal(token) is Reason.INVALID_CREDENTIALS
    assert set(provider.asked) <= {"/.well-known/openid-configuration", "/keys"}


async def test_without_a_key_id_the_only_key_is_used(provider: IdentityProvider, verify: Verifier) -> None:
    token = provider.token({"exp": NOW + 60}, header={"kid": None})
    assert await verify(token)


async def test_a_new_key_is_read_at_once_and_unknown_ones_are_not_asked_for_without_end(
    provider: IdentityProvider, verify: Verifier, clock: Clock
) -> None:
    assert await verify(provider.token({"exp": NOW + 600}))
    provider.keys = [RSA, EC]
    assert await verify(provider.token({"exp": NOW + 600}, EC, "ES256"))  # no pause since the last read
    for number in range(50):
        token = provider.token({"exp": NOW + 600}, header={"kid": str(number)})
        assert await verify.refusal(token) is Reason.INVALID_CREDENTIALS
    assert provider.asked.count("/keys") == 3
    provider.keys = [OKP]
    clock.seconds += 10
    assert await verify(provider.token({"exp": NOW + 600}, OKP, "EdDSA"))
    assert provider.asked.count("/keys") == 4


async def test_known_keys_count_for_a_day_while_the_issuer_is_down(
    provider: IdentityProvider, verify: Verifier, issuer: Issuer, clock: Clock
) -> None:
    assert await verify(provider.token({"exp": NOW + 60}))
    provider.down = True
    clock.seconds += KEPT_SECONDS - 1
    with pytest.raises(TrackerError):
        await issuer.refresh()
    token = provider.token({"exp": NOW + 2 * KEPT_SECONDS})
    assert await verify(token)
    clock.seconds += 1
    assert await verify.refusal(token) is Reason.ISSUER_UNAVAILABLE
    provider.down = False
    clock.seconds += 10
    assert await verify(token)


async def test_a_key_that_the_issuer_withdraws_is_refused_after_the_next_read(
    provider: IdentityProvider, verify: Verifier, issuer: Issuer
) -> None:
    token = provider.token({"exp": NOW + 60})
    assert await verify(token)
    provider.keys = [EC]
    await issuer.refresh()
    assert await verify.refusal(token) is Reason.INVALID_CREDENTIALS


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example.com"},
        {"jwks_uri": "http://keys.example.com/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_an_issuer_is_not_believed_what_it_publishes_of_others_or_without_tls(
    provider: IdentityProvider, verify: Verifier, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    assert await verify.refusal(provider.token({"exp": NOW + 60})) is Reason.ISSUER_UNAVAILABLE


@given(st.text() | st.builds(".".join, st.lists(st.text('eyJhbGci0{}"._-'), min_size=3, max_size=3)))
def test_whatever_is_no_token_names_no_issuer(text: str) -> None:
    assert issuer_of(text) is None


async def test_whatever_is_no_token_is_refused(verify: Verifier) -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 50_000).decode()
    for text in (
        "",
        "..",
        "a.b.c",
        "eyJ.eyJ.eyJ",
        f"{deep}.{deep}.x",
        f"{segment([])}.{segment([])}.x",
        "é.é.é",
    ):
        assert await verify.refusal(text) is Reason.INVALID_CREDENTIALS
        assert issuer_of(text) is None


def test_addresses_need_tls_unless_they_are_of_this_machine() -> None:
    assert all(
        map(is_safe, ("https://a.example", "http://localhost:1", "http://127.0.0.1", "http://[::1]:80"))
    )
    unsafe = ("http://a.example", "https://", "ftp://a.example", "http://localhost.example", "", "http://[")
    assert not any(map(is_safe, unsafe))
