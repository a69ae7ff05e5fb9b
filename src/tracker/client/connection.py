"""A connection to a server: sends a message, answers one, and repeats a call so that it does no harm."""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import httpx2
from protobuf import message_from_json_value

from tracker import __version__
from tracker.errors import Code, Reason
from tracker.pb.methods import only_reads

from .errors import ApiError, UnreachableError, error_of
from .routes import Route

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from protobuf import DescMethod, Message

    from .errors import Json
    from .routes import HttpRequest
    from .rpc import A, Q, Rpc

_ERRORS = 400
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
"""Seconds before a call is repeated for the first time, and after it failed often."""
_JSON = {"content-type": "application/json"}
_SILENCE = 45.0
"""Seconds without a word after which a stream is given up: a server has something to say every 15."""


class Connection:
    """Calls to one server; may be used by several threads."""

    def __init__(self, server: str, *, patience: float = 5.0, timeout: float = 10.0) -> None:
        """Take the address of a server, such as `https://tracker.example.com`.

        A call is repeated for up to `patience` seconds while the server can't be reached or can't serve it.
        That is safe: one that is not so by itself has an idempotency key. An answer is waited for `timeout`
        seconds.

        Raises:
            ValueError: The address is none of HTTP.
        """
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected an address such as http://localhost:8080, got {server!r}")
        self.server = server.rstrip("/")
        self._patience = patience
        self._timeout = timeout
        self._http = httpx2.Client(
            base_url=self.server,
            headers={"user-agent": f"tracker/{__version__}"},
            verify=parts.scheme == "https",  # certificates are slow to load, and without TLS nobody asks
        )
        self._routes: dict[DescMethod, Route] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def call(
        self,
        rpc: Rpc[Q, A],
        request: Q | bytes,
        *,
        timeout: float | None = None,
        patience: float | None = None,
    ) -> A:
        """Call an RPC; its request may be JSON already.

        Raises:
            ApiError: The server refused the call.
            UnreachableError: There was no answer.
        """
        answer = self.exchange(rpc, request, timeout=timeout, patience=patience)
        return message_from_json_value(rpc.answer, answer, ignore_unknown_fields=True)

    def exchange(
        self,
        rpc: Rpc[Q, A],
        request: Q | bytes,
        *,
        timeout: float | None = None,
        patience: float | None = None,
    ) -> dict[str, Json]:
        """Call an RPC as `call` does, but return the JSON of the answer, as the server wrote it."""
        route = self._routes.setdefault(rpc.method, Route(rpc.method))
        safe = rpc.repeatable or only_reads(rpc.method) or _names_itself(request)
        key = {} if safe else {"idempotency-key": str(uuid.uuid4())}
        sent = route.written(request) if isinstance(request, bytes) else route.request(request)
        give_up = time.monotonic() + (self._patience if patience is None else patience)
        for pause in pauses():
            try:
                return self._send(sent, key, self._timeout if timeout is None else timeout)
            except (ApiError, UnreachableError) as error:
                if not _worth_repeating(error) or time.monotonic() + pause > give_up:
                    raise
            time.sleep(pause)
        raise AssertionError("pauses never end")

    def stream(self, rpc: Rpc[Q, A], request: Q) -> Iterator[A]:
        """Call an RPC whose answer is a stream, and give its messages as they come.

        Ends where the server ends the stream. Nothing is repeated: whoever listens knows from where to go on.

        Raises:
            ApiError: The server refused the call.
            UnreachableError: There was no answer, or the stream broke off, or the server fell silent.
        """
        sent = self._routes.setdefault(rpc.method, Route(rpc.method)).request(request)
        timeout = httpx2.Timeout(self._timeout, read=_SILENCE)
        try:
            with self._http.stream(
                sent.verb, self.server + sent.path, params=sent.query or None, timeout=timeout
            ) as answer:
                if answer.status_code >= _ERRORS:
                    answer.read()
                    raise error_of(answer.status_code, _body(answer), self.server)
                yield from _messages(answer.iter_lines(), rpc.answer)
        except httpx2.TransportError as error:
            raise UnreachableError(f"no answer from {self.server}: {_why(error)}") from None

    def _send(self, request: HttpRequest, key: Mapping[str, str], timeout: float) -> dict[str, Json]:
        try:
            answer = self._http.request(
                request.verb,
                self.server + request.path,
                params=request.query or None,
                content=request.body,
                headers=key if request.body is None else {**_JSON, **key},
                timeout=timeout,
            )
        except httpx2.TransportError as error:
            raise UnreachableError(f"no answer from {self.server}: {_why(error)}") from None
        body = _body(answer)
        if answer.status_code >= _ERRORS:
            raise error_of(answer.status_code, body, self.server)
        if not isinstance(body, dict):
            raise ApiError(Code.INTERNAL, f"{self.server} answered, but not as a Tracker server does")
        return body


def _body(answer: httpx2.Response) -> Json:
    try:
        body: Json = answer.json()
    except ValueError:
        return None
    return body


def _messages(lines: Iterator[str], kind: type[A]) -> Iterator[A]:
    """Give the messages of server-sent events; one that has only an id is a message with only a token."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
            continue
        if "id" in fields:
            body = json.loads(fields.get("data", "{}")) | {"resumeToken": fields["id"]}
            yield message_from_json_value(kind, body, ignore_unknown_fields=True)
        fields = {}


def pauses() -> Iterator[float]:
    """Give the seconds to wait before each new try, longer from try to try."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311  # so that many clients don't come back together
        pause = min(2 * pause, _LONGEST_PAUSE)


def _worth_repeating(error: ApiError | UnreachableError) -> bool:
    return (
        isinstance(error, UnreachableError)
        or error.code is Code.UNAVAILABLE
        or error.reason == Reason.IDEMPOTENCY_KEY_UNDER_WAY
    )


def _names_itself(request: Message | bytes) -> bool:
    """Return whether a server knows a request again: by a token, or by what the source calls an event."""
    attributes = getattr(request, "attributes", None)
    return bool(getattr(request, "lock_token", "") or getattr(attributes, "external_id", ""))


def _why(error: httpx2.TransportError) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "timed out"
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
