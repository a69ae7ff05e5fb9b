"""One client of the API for each wire, so that a behaviour can be tested over both.

`await client.call("EventService/CreateEvent", {...})` takes and answers ProtoJSON values; an answer
other than success raises `Refused`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import quote

import grpc
import grpc.aio
import httpx2
from protobuf import Message, message_from_json_value, message_to_json_value
from tests.patience import PATIENCE

from tracker import pb
from tracker.api.wires import address as spelled
from tracker.pb import annotations_pb, error_details_pb, status_pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from protobuf import DescMethod

    from tracker.pb import http_pb

JsonObject = dict[str, Any]

METHODS: Mapping[str, DescMethod] = {
    f"{service.name}/{method.name}": method
    for file in pb.FILES
    for service in file.services
    for method in service.methods
}


@dataclass
class Refused(Exception):  # noqa: N818 - reads as what the server did
    """An answer other than success."""

    code: str
    message: str
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


class Client(Protocol):
    """What both clients can do."""

    wire: str

    async def call(
        self, method: str, request: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> JsonObject:
        """Call an RPC, with an idempotency key if one is given."""

    def stream(
        self, method: str, request: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[JsonObject, None]:
        """Call an RPC whose answer is a stream; ends where the server ends it."""

    def bearing(self, secret: str | None) -> Client:
        """Return the client with an API key."""


STRICT = [("grpc.max_metadata_size", 8192), ("grpc.absolute_max_metadata_size", 8192)]
"""Options of a channel: metadata above the usual limit is refused always, not by chance."""


class GrpcClient:
    """Calls over gRPC."""

    wire = "grpc"

    def __init__(self, channel: grpc.aio.Channel, secret: str | None = None) -> None:
        self._channel = channel
        self._secret = secret

    def bearing(self, secret: str | None) -> GrpcClient:
        return GrpcClient(self._channel, secret)

    async def call(
        self, method: str, request: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> JsonObject:
        desc = METHODS[method]
        message = message_from_json_value(desc.input.type, dict(request or {}))
        unary: grpc.aio.UnaryUnaryMultiCallable[Message, Message] = self._channel.unary_unary(
            f"/{desc.parent.type_name}/{desc.name}",
            request_serializer=Message.to_binary,
            response_deserializer=desc.output.type.from_binary,
        )
        try:
            answer = await unary(message, timeout=PATIENCE, metadata=_metadata(key, self._secret))
        except grpc.aio.AioRpcError as error:
            raise _refused_grpc(error) from None
        return cast("JsonObject", message_to_json_value(answer, always_emit_implicit=True))

    async def stream(
        self, method: str, request: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[JsonObject, None]:
        """Call an RPC whose answer is a stream."""
        desc = METHODS[method]
        message = message_from_json_value(desc.input.type, dict(request or {}))
        multi: grpc.aio.UnaryStreamMultiCallable[Message, Message] = self._channel.unary_stream(
            f"/{desc.parent.type_name}/{desc.name}",
            request_serializer=Message.to_binary,
            response_deserializer=desc.output.type.from_binary,
        )
        answers = multi(message, metadata=_metadata(None, self._secret))
        try:
            async for answer in answers:
                yield cast("JsonObject", message_to_json_value(answer))
        except grpc.aio.AioRpcError as error:
            raise _refused_grpc(error) from None
        finally:
            answers.cancel()


def _metadata(key: str | None, secret: str | None) -> tuple[tuple[str, str], ...]:
    keyed = () if key is None else (("idempotency-key", key),)
    return keyed if secret is None else (*keyed, ("authorization", f"Bearer {secret}"))


def _refused_grpc(error: grpc.aio.AioRpcError) -> Refused:
    refused = Refused(error.code().name, error.details() or "")
    trailers = dict(error.trailing_metadata() or ())
    raw = trailers.get("grpc-status-details-bin")
    if isinstance(raw, bytes):
        status = status_pb.Status.from_binary(raw)
        assert status.message == refused.message
        for detail in status.details:
            if info := detail.unpack(error_details_pb.ErrorInfo):
                refused.reason, refused.metadata = info.reason, dict(info.metadata)
            if bad := detail.unpack(error_details_pb.BadRequest):
                refused.fields = {v.field: v.description for v in bad.field_violations}
    return refused


def http_client(address: tuple[str, int], **options: Any) -> httpx2.AsyncClient:
    """Return a client of one HTTP port, without the certificates that take longer to load than most tests."""
    return httpx2.AsyncClient(
        base_url=f"http://{spelled(*address)}", verify=False, timeout=PATIENCE, **options
    )


class RestClient:
    """Calls over REST, by the first HTTP binding of the method, or one with a body."""

    wire = "rest"

    def __init__(self, http: httpx2.AsyncClient, secret: str | None = None) -> None:
        self._http = http
        self._secret = secret

    def bearing(self, secret: str | None) -> RestClient:
        return RestClient(self._http, secret)

    async def call(
        self, method: str, request: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> JsonObject:
        desc = METHODS[method]
        rule = desc.proto.options[annotations_pb.ext_http]  # type: ignore[index]  # every RPC has options
        rule = next((other for other in rule.additional_bindings if other.body), rule)
        assert rule.pattern is not None
        verb, path = rule.pattern.field.upper(), str(rule.pattern.value)
        rest = dict(request or {})
        for name in re.findall(r"{(\w+)}", path):
            value = str(rest.pop(name, ""))
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        if rule.body:
            answer = await self._http.request(
                verb, path, json=rest, headers=dict(_metadata(key, self._secret))
            )
        else:
            answer = await self._http.request(
                verb, path, params=_query(rest), headers=dict(_metadata(key, self._secret))
            )
        if answer.status_code >= 400:
            raise _refused_rest(answer)
        return _wrapped(answer.json() if answer.content else {}, rule)

    async def stream(
        self, method: str, request: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[JsonObject, None]:
        """Call an RPC whose answer is a stream of events; a resume token is sent as a browser would."""
        options = METHODS[method].proto.options
        assert options is not None
        rule = options[annotations_pb.ext_http]
        assert rule.pattern is not None
        asked = dict(request or {})
        token = asked.pop("resumeToken", None)
        headers = dict(_metadata(None, self._secret)) | ({"last-event-id": token} if token else {})
        path = str(rule.pattern.value)
        async with self._http.stream("GET", path, params=_query(asked), headers=headers) as answer:
            if answer.status_code >= 400:
                await answer.aread()
                raise _refused_rest(answer)
            assert answer.headers["content-type"] == "text/event-stream"
            told: JsonObject = {}
            last = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    last = value
                elif name == "data":
                    told = {key: value for key, value in json.loads(value).items() if value}
                elif not line and last:
                    assert told.setdefault("resumeToken", last) == last
                    yield told
                    told, last = {}, ""


def _query(request: Mapping[str, Any]) -> httpx2.QueryParams:
    return httpx2.QueryParams(
        [
            (name, str(item).lower() if isinstance(item, bool) else str(item))
            for name, value in request.items()
            for item in (value if isinstance(value, list) else [value])
        ]
    )


def _wrapped(answer: object, rule: http_pb.HttpRule) -> JsonObject:
    return {rule.response_body: answer} if rule.response_body else cast("JsonObject", answer)


def _refused_rest(answer: httpx2.Response) -> Refused:
    body = answer.json()
    name = grpc_code_name(body["code"])
    refused = Refused(name, body["message"])
    for detail in body["details"]:
        if detail["@type"].endswith("ErrorInfo"):
            refused.reason, refused.metadata = detail["reason"], detail["metadata"]
        if detail["@type"].endswith("BadRequest"):
            refused.fields = {v["field"]: v["description"] for v in detail["fieldViolations"]}
    return refused


def grpc_code_name(number: int) -> str:
    """Return the name of a gRPC status code."""
    return str(next(code.name for code in grpc.StatusCode if code.value[0] == number))
