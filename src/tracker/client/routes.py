"""Which verb, path, query string and body an RPC has over REST, by the options in its descriptor."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from protobuf import message_to_json_value

from tracker.pb import annotations_pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protobuf import DescMethod, Message

    from .errors import Json

_VARIABLE = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request of HTTP; `path` is escaped, `body` is JSON, None where there is none."""

    verb: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes | None


class Route:
    """The way of one RPC over REST."""

    def __init__(self, method: DescMethod) -> None:
        options = method.proto.options
        if options is None or annotations_pb.ext_http not in options:
            raise ValueError(f"{method} has no way over REST")
        rule = options[annotations_pb.ext_http]
        # Of several, one with a body: secrets do not belong into a URL, which servers and proxies log.
        chosen = next((each for each in (rule, *rule.additional_bindings) if each.body == "*"), rule)
        pattern = chosen.pattern
        if pattern is None or pattern.field == "custom":
            raise ValueError(f"{method} has no verb that HTTP knows")
        self._verb, self._path = pattern.field.upper(), str(pattern.value)
        self._has_body = chosen.body == "*"
        if chosen.response_body or chosen.body not in ("", "*"):
            raise ValueError(f"{method} has a part of a message as a body")

    def request(self, message: Message) -> HttpRequest:
        """Return the request that carries a message."""
        value = message_to_json_value(message)
        fields: dict[str, Json] = value if isinstance(value, dict) else {}
        path = _VARIABLE.sub(lambda name: quote(str(fields.pop(name[1], "")), safe=""), self._path)
        if self._has_body:
            return HttpRequest(self._verb, path, (), json.dumps(fields).encode())
        return HttpRequest(self._verb, path, tuple(_query(fields)), None)

    def written(self, body: bytes) -> HttpRequest:
        """Return the request that carries a message as JSON.

        Raises:
            ValueError: The message does not go into the body whole.
        """
        if not self._has_body or _VARIABLE.search(self._path):
            raise ValueError(f"{self._path} takes more than a body")
        return HttpRequest(self._verb, self._path, (), body)


def _query(fields: dict[str, Json], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _query(item, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", str(item).lower() if isinstance(item, bool) else str(item)
