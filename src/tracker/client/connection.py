"""A connection to a server: sends requests, returns answers, and repeats calls where that is safe."""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import httpx2
from protobuf import message_from_json_value

from tracker import __version__
from tracker.client.address import server_address
from tracker.client.failures import ApiError, error_of
from tracker.client.rpcs import WATCH_EVENTS
from tracker.client.transport import is_loopback, tls, trace_headers
from tracker.errors import Code, Reason
from tracker.pb.options import only_reads
from tracker.transcoding.bindings import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tracker.client.rpc import A, Q, Rpc
    from tracker.pb import event_pb
    from tracker.transcoding.bindings import HttpBinding
    from tracker.transcoding.json_text import JsonValue

__all__ = ["NO_ANSWER", "NO_CERTIFICATE", "NO_TLS", "ApiError", "Connection", "pauses", "watch"]

_ERRORS = 400
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
"""Seconds before a call is repeated for the first time, and the longest pause before any repetition."""
_JSON = {"content-type": "application/json"}
_TOO_FAST_SECONDS = 10.0
"""Seconds for which a call is repeated that was refused, and not begun, after too many others."""
_CONNECTING = 2.5
"""Seconds that establishing a connection may take, in which a lost packet is sent again."""
_SILENCE = 45.0
"""Seconds without data after which a stream counts as broken: a server sends something every 15."""


NO_ANSWER = "UNREACHABLE"
"""Reason of a call without an answer."""
NO_TLS = "NO_TLS"
"""Reason of a call that was not made, since it would have sent a token without TLS to another machine."""
NO_CERTIFICATE = "NO_CERTIFICATE"
"""Reason of a connection that is not made, since this client's certificate can't be used."""


class Connection:
    """Calls to one server; may be used by several threads."""

    def __init__(  # noqa: PLR0913 - one for each option
        self,
        server: str,
        *,
        patience: float = 5.0,
        timeout: float = 10.0,
        repeats: Callable[[ApiError], object] = bool,
        token: str | Callable[[], str] = "",
        plain_http: bool = False,
    ) -> None:
        """Take the address of a server, such as `https://tracker.example.com`.

        `token` is sent with each call, if it is not empty; a function is asked each time, for tokens that are
        replaced meanwhile. It goes to this server alone: redirects are not followed. Without TLS it goes to
        this machine alone, unless `plain_http`.

        A call is repeated for up to `patience` seconds while the server can't be reached or can't serve it;
        `repeats` is called before the first repetition. A call that changes something has an idempotency key
        then, so that it takes effect once. Each attempt waits `timeout` seconds for its answer. A caller that
        makes more calls than it may is slowed down.

        Raises:
            ValueError: The address is not an HTTP address, or has a password in it.
            ApiError: `TRACKER_CLIENT_CERT` can't be used.
        """
        parts = server_address(server)
        here = is_loopback(parts.hostname or "")
        self._token = token
        self._exposes = parts.scheme == "http" and not (here or plain_http)
        self.server = server.rstrip("/")
        self._patience = patience
        self._timeout = timeout
        self._repeats = repeats
        try:
            verify = parts.scheme == "https" and tls()  # without it, loading certificates only costs time
        except OSError as error:
            raise ApiError(Code.INVALID_ARGUMENT, str(error), NO_CERTIFICATE) from None
        self._http = httpx2.Client(
            base_url=self.server,
            headers={"user-agent": f"tracker/{__version__}", "prefer": "handling=strict", **trace_headers()},
            verify=verify,
            auth=self._authorized,
            trust_env=parts.scheme == "https"
            or not here,  # else a proxy would get what is sent to this machine
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(
        self,
        rpc: Rpc[Q, A],
        request: Q | bytes,
        *,
        timeout: float | None = None,
        patience: float | None = None,
        idempotency_key: str | None = None,
    ) -> A:
        """Call an RPC; the request may be JSON already.

        `idempotency_key` is for callers that repeat a call themselves.

        Raises:
            ApiError: The call failed.
        """
        answer = self.exchange(
            rpc, request, timeout=timeout, patience=patience, idempotency_key=idempotency_key
        )
        return message_from_json_value(rpc.answer, answer, ignore_unknown_fields=True)

    def whole(self, rpc: Rpc[Q, A], request: Q) -> A:
        """Call an RPC that answers in pages; return the first answer with the records of all pages.

        Raises:
            ApiError: A call failed.
        """
        page = answer = self.exchange(rpc, request)
        while token := page.get("nextPageToken"):
            asked = json.loads(request.to_json()) | {"pageToken": token}
            page = self.exchange(rpc, rpc.of(asked))
            _append(answer, page)
        answer["nextPageToken"] = ""
        return message_from_json_value(rpc.answer, answer, ignore_unknown_fields=True)

    def exchange(
        self,
        rpc: Rpc[Q, A],
        request: Q | bytes,
        *,
        timeout: float | None = None,
        patience: float | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, JsonValue]:
        """Call an RPC as `call` does, but return the JSON of the answer, as the server wrote it."""
        sent = rpc.binding.request(request)
        patience = self._patience if patience is None else patience
        headers = {} if sent.body is None else dict(_JSON)
        if idempotency_key or (patience and not only_reads(rpc.method)):
            headers["idempotency-key"] = idempotency_key or str(uuid.uuid4())
        waits = self._timeout if timeout is None else timeout
        return self._repeated(lambda: self._whole(self._send(sent, headers, waits), rpc.binding), patience)

    def deliver(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, JsonValue]:
        """Post a message to a path of the server, and return what it answers.

        Raises:
            ApiError: It is refused, or there is no answer.
        """
        request, sent = HttpRequest("POST", path, body), dict(_JSON) | dict(headers)

        def attempt() -> dict[str, JsonValue]:
            answer = self._send(request, sent, self._timeout)
            return answer if isinstance(answer, dict) else {}

        return self._repeated(attempt, self._patience)

    def _repeated(self, attempt: Callable[[], dict[str, JsonValue]], patience: float) -> dict[str, JsonValue]:
        """Return what an attempt returns, which is repeated while the server can't serve it.

        Raises:
            ApiError: The last attempt has failed.
        """
        began = time.monotonic()
        for number, pause in enumerate(pauses()):
            try:
                return attempt()
            except ApiError as error:
                too_fast = error.reason == Reason.TOO_MANY_CALLS
                again = error.code is Code.UNAVAILABLE or error.reason == Reason.IDEMPOTENCY_KEY_UNDER_WAY
                longest = max(patience, _TOO_FAST_SECONDS) if too_fast else patience
                if not (again or too_fast) or time.monotonic() + pause > began + longest:
                    raise
                if not (number or too_fast):
                    self._repeats(error)
            time.sleep(pause)
        raise AssertionError("pauses never end")

    def stream(self, rpc: Rpc[Q, A], request: Q) -> Iterator[A]:
        """Call an RPC whose answer is a stream, and yield its messages as they arrive.

        Ends when the server ends the stream. Nothing is repeated: the caller knows where to resume.

        Raises:
            ApiError: The call failed, the stream broke off, or the server fell silent.
        """
        sent = rpc.binding.request(request)
        timeout = httpx2.Timeout(self._timeout, read=_SILENCE)
        try:
            with self._http.stream(sent.verb, self.server + sent.path, timeout=timeout) as answer:
                if answer.status_code >= _ERRORS:
                    answer.read()
                    raise error_of(answer.status_code, _body(answer), self.server)
                yield from _messages(answer.iter_lines(), rpc.answer)
        except httpx2.RequestError as error:
            raise self._no_answer(error) from None

    def content(self, path: str) -> bytes:
        """Return what a GET of a path of the server answers.

        Raises:
            ApiError: It is refused, or there is no answer.
        """
        try:
            answer = self._http.get(self.server + path, timeout=self._timeout)
        except httpx2.RequestError as error:
            raise self._no_answer(error) from None
        if answer.status_code >= _ERRORS:
            raise error_of(answer.status_code, _body(answer), self.server)
        return answer.content

    def _authorized(self, request: httpx2.Request) -> httpx2.Request:
        token = self._token() if callable(self._token) else self._token
        if token and self._exposes:
            why = f"{self.server} has no TLS: everyone between could read the token"
            raise ApiError(Code.UNAUTHENTICATED, why, NO_TLS)
        if token:
            request.headers["authorization"] = f"Bearer {token}"
        return request

    def _send(self, request: HttpRequest, headers: Mapping[str, str], timeout: float) -> JsonValue:
        try:
            answer = self._http.request(
                request.verb,
                self.server + request.path,
                content=request.body,
                headers=headers,
                timeout=httpx2.Timeout(timeout, connect=min(timeout, _CONNECTING)),
            )
        except httpx2.RequestError as error:
            raise self._no_answer(error) from None
        body = _body(answer)
        if answer.status_code >= _ERRORS:
            raise error_of(answer.status_code, body, self.server)
        return body

    def _whole(self, body: JsonValue, binding: HttpBinding) -> dict[str, JsonValue]:
        """Return the answer of which a binding sends one field, or nothing."""
        if binding.answer_field is not None:
            return {binding.answer_field.json_name: body}
        if binding.status == HTTPStatus.NO_CONTENT:
            return {}
        if not isinstance(body, dict):
            raise ApiError(Code.INTERNAL, f"{self.server} answered, but not as a Tracker server does")
        return body

    def _no_answer(self, error: httpx2.RequestError) -> ApiError:
        why = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
        if isinstance(error, httpx2.TimeoutException):
            why = "timed out"
        return ApiError(Code.UNAVAILABLE, f"no answer from {self.server}: {why}", NO_ANSWER)


def _body(answer: httpx2.Response) -> JsonValue:
    try:
        body: JsonValue = answer.json()
    except ValueError:
        return None
    return body


def _messages(lines: Iterator[str], kind: type[A]) -> Iterator[A]:
    """Yield the messages of server-sent events; an event with an id alone is a message with a token alone."""
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
    """Yield the seconds to wait before each new attempt, a little longer each time."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - so that clients don't retry in step
        pause = min(2 * pause, _LONGEST_PAUSE)


def watch(
    connection: Connection, query: str, resume_token: str, lost: Callable[[str], None], time_zone: str = ""
) -> Iterator[event_pb.WatchEventsResponse]:
    """Yield the changes of events that a query matches, without end; the first message comes at once.

    When the connection breaks or the server stops, the watch resumes after the last message as soon as a
    server answers. `lost` is called with the cause, once per interruption.

    Raises:
        ApiError: The server refused the watch, or the first attempt had no answer.
    """
    began = reported = False
    tries = pauses()
    while True:
        try:
            request = WATCH_EVENTS.request(query=query, resume_token=resume_token, time_zone=time_zone)
            for message in connection.stream(WATCH_EVENTS, request):
                yield message
                resume_token = message.resume_token
                if not began or reported:
                    began, reported, tries = True, False, pauses()
            why = "the server ended the watch"
        except ApiError as error:
            if error.code is not Code.UNAVAILABLE or not began:
                raise
            why = str(error)
        if not reported:
            lost(why)
            reported = True
        time.sleep(next(tries))


def _append(answer: dict[str, JsonValue], page: Mapping[str, JsonValue]) -> None:
    """Append the lists of a page, also those within its objects, to an answer."""
    for name, value in page.items():
        match answer.get(name), value:
            case list() as records, list() as more:
                records += more
            case dict() as within, dict() as more:
                _append(within, more)
