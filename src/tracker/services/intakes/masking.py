"""Messages without their secrets, as the inbox keeps them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

MASK: Final = "***"
"""What stands in the place of a secret."""

_NAMES: Final = (
    *("password", "passwd", "passphrase", "secret", "token", "credential", "cookie", "signature"),
    *("apikey", "accesskey", "privatekey", "secretkey", "routingkey", "integrationkey", "insertkey"),
    *("licensekey", "applicationkey", "signingkey", "authorization", "sessionid"),
)
"""How names of secrets end, without signs between words."""
_SIGNS: Final = re.compile(r"[^a-z0-9]+")
_OWN: Final = re.compile(r"trk_[A-Za-z0-9_-]+")
_PAIR: Final = re.compile(r'("([^"\\\n]{1,100})"[ \t]{0,10}:[ \t]{0,10})"(?:[^"\\\n]|\\.){1,10000}"?')


def names_secret(name: str) -> bool:
    """Return whether the value of a field or header of this name is a secret."""
    return _SIGNS.sub("", name.lower()).rstrip("s").endswith(_NAMES)


def masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with a mask for each secret."""
    return {name: MASK if names_secret(name) else _OWN.sub(MASK, of) for name, of in headers.items()}


def masked_body(body: bytes) -> str:
    """Return a body as text, with a mask for each secret; JSON is written anew."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode(errors="replace")
        text = _PAIR.sub(lambda pair: f'{pair[1]}"{MASK}"' if names_secret(pair[2]) else pair[0], text)
    else:
        _mask(content)
        text = orjson.dumps(content).decode()
    return _OWN.sub(MASK, text)


def _mask(content: object) -> None:
    """Replace the secrets in what JSON says."""
    left = [content]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            for name, value in each.items():
                if value is not None and not isinstance(value, bool) and names_secret(name):
                    each[name] = MASK
                else:
                    left.append(value)
        elif isinstance(each, list):
            left.extend(each)
