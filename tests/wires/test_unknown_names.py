"""Names that no field has are ignored with a warning, or refused where the caller prefers that."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from protobuf import message_from_json_value
from tests.wires.standin import BOUND, unary

from tracker.errors import Reason, TrackerError
from tracker.pb import event_pb, lock_pb, status_pb
from tracker.transcoding.unknown import unknown_numbers

if TYPE_CHECKING:
    import httpx2
    from tests.wires.standin import StandIn

API = "/api/v1alpha1"
STRICT = {"prefer": "handling=strict"}
DRIFT = {"service": "a", "type": "drift"}
WARNINGS = re.compile(r'299 - "(?:[^"\\]|\\.)*"(?:, 299 - "(?:[^"\\]|\\.)*")*')

ID = "0199f0c2-b7d2-7a10-a0f3-c1d2e4b5a697"

CALLS: Any = [
    (
        ("POST", "/event", {"title": "x", "enviroment": "prod", "attributes": DRIFT}),
        "enviroment",
        "unknown field enviroment; did you mean",
    ),
    (
        ("POST", "/event", {"title": "x", "attributes": {**DRIFT, "enviroment": 7}}),
        "attributes.enviroment",
        "unknown field attributes.enviroment; did you mean environment?",
    ),
    (
        ("POST", "/event", {"title": "x", "attributes": DRIFT, "status": "start"}),
        "status",
        "unknown field status; did you mean attributes.status?",
    ),
    (
        (
            "PUT",
            "/catalog",
            {"name": "a", "owner": "o", "version": "1", "usedDeliverables": [{}, {"nmae": {"x": 1}}]},
        ),
        "usedDeliverables[1].nmae",
        "unknown field usedDeliverables[1].nmae; did you mean name?",
    ),
    (
        ("POST", "/lock?wiat=1s", {"service": "a"}),
        "wiat",
        "unknown parameter wiat; this call takes its fields from the body",
    ),
    (("GET", "/events/list?servce=a", None), "servce", "unknown parameter servce; did you mean service?"),
    (("GET", "/events/search?env=prod&source=x", None), "env", "unknown parameter env; did you mean environ"),
    (("GET", "/events/list?servce=", None), "servce", "unknown parameter servce; did you mean service?"),
    (("GET", "/event/1?x", None), "x", "unknown parameter x"),
    (("GET", "/catalog?nme=a&name=b", None), "nme", "unknown parameter nme; did you mean name?"),
    (("DELETE", f"/lock/{ID}?forse=true", None), "forse", "unknown parameter forse; did you mean force?"),
    (("DELETE", f"/lock/{ID}", {"resaon": "x"}), "resaon", "unknown field resaon; did you mean reason?"),
    (
        ("GET", "/events/stats?start_date=2026-01-01&end_date=2026-01-02&typs=drift", None),
        "typs",
        "did you mean types?",
    ),
    (("POST", "/api/links", {"name": "a", "url": "http://a.example", "ur": ""}), "ur", "did you mean url?"),
]


async def send(rest: httpx2.AsyncClient, call: Any, headers: Any = None) -> httpx2.Response:
    verb, path, body = call
    content = None if body is None else json.dumps(body)
    path = path if path.startswith("/api/") else API + path
    return await rest.request(verb, path, content=content, headers=headers)


@pytest.mark.parametrize(("call", "field", "told"), CALLS)
async def test_a_name_that_no_field_has_is_ignored_with_a_warning_and_refused_if_strict(
    rest: httpx2.AsyncClient, stand_in: StandIn, call: Any, field: str, told: str
) -> None:
    answer = await send(rest, call)
    assert answer.is_success, answer.text
    assert WARNINGS.fullmatch(answer.headers["warning"])
    assert told in answer.headers["warning"]
    assert "preference-applied" not in answer.headers
    assert answer.headers["vary"] == "prefer"
    assert len(stand_in.asked) == 1
    refused = await send(rest, call, STRICT)
    assert refused.status_code == 400
    assert refused.headers["preference-applied"] == "handling=strict"
    assert "warning" not in refused.headers
    info, bad = refused.json()["details"]
    assert info["reason"] == "INVALID_FIELD"
    assert [violation["field"] for violation in bad["fieldViolations"]] == [field]
    assert told in refused.json()["message"]
    assert len(stand_in.asked) == 1


async def test_a_request_of_known_names_is_answered_without_a_warning(rest: httpx2.AsyncClient) -> None:
    call = ("POST", "/event", {"title": "x", "slack_id": "1", "attributes": DRIFT})
    answer = await send(rest, call)
    assert not {"warning", "preference-applied", "vary"} & answer.headers.keys()
    strict = await send(rest, call, STRICT)
    assert strict.status_code == 200
    assert strict.headers["preference-applied"] == "handling=strict"


@pytest.mark.parametrize(
    ("prefer", "strict"),
    [
        ("handling=strict", True),
        ('Handling="strict"', True),
        ("respond-async, wait=10 , handling = strict; a=b", True),
        ("handling=strict, handling=lenient", True),
        ("handling=lenient, handling=strict", False),
        ("handling", False),
        ("handling=stricter", False),
        ('x="a, handling=strict"', False),
        ("x; handling=strict", False),
        ("", False),
    ],
)
async def test_the_header_is_read_as_rfc_7240_has_it(
    rest: httpx2.AsyncClient, prefer: str, *, strict: bool
) -> None:
    answer = await rest.get(f"{API}/locks/list?x=1", headers={"prefer": prefer})
    assert (answer.status_code == 400) is strict


async def test_a_warning_goes_with_an_error_too(rest: httpx2.AsyncClient, stand_in: StandIn) -> None:
    stand_in.answer("create_lock", TrackerError(Reason.LOCK_HELD, "held"))
    answer = await send(rest, ("POST", "/lock", {"service": "a", "enviroment": "prod"}))
    assert answer.status_code == 409
    assert "did you mean environment?" in answer.headers["warning"]
    answer = await send(rest, ("POST", "/event", {"title": "x", "attributes": {"servce": "a", "type": 1}}))
    assert answer.status_code == 400
    assert "did you mean service?" in answer.headers["warning"]


async def test_a_stream_begins_with_its_warning(rest: httpx2.AsyncClient) -> None:
    answer = await rest.head(f"{API}/events/watch?qery=x")
    assert answer.headers["warning"] == '299 - "unknown parameter qery; did you mean query?"'


@pytest.mark.parametrize(
    "names",
    [
        ['a"b\\c', "x\r\nset-cookie: a=b", "\x7f\x00é\N{ROCKET}", "]", "a.b[", ""],
        ["x" * 100_000],
        ['"\\' * 50_000],
        ["\N{ROCKET}" * 5_000],
        [f"name{number}" for number in range(20_000)],
    ],
)
@pytest.mark.parametrize("place", ["body", "query"])
async def test_a_warning_is_short_and_plain_whatever_the_names_are(
    rest: httpx2.AsyncClient, names: list[str], place: str
) -> None:
    if place == "body":
        send = {"content": json.dumps({"service": "a"} | dict.fromkeys(names, 1))}
        answer = await rest.post(f"{API}/lock", **send)  # type: ignore[arg-type]
        strict = await rest.post(f"{API}/lock", headers=STRICT, **send)  # type: ignore[arg-type]
    else:
        params = dict.fromkeys((name[:3_000] for name in names[:1_000]), "1")
        answer = await rest.get(f"{API}/locks/list", params=params)
        strict = await rest.get(f"{API}/locks/list", params=params, headers=STRICT)
    assert answer.status_code == 200
    assert WARNINGS.fullmatch(answer.headers["warning"])
    assert len(answer.headers["warning"]) < 700
    assert all(" " <= character <= "~" for character in answer.headers["warning"])
    assert strict.status_code == 400
    assert len(strict.content) < 64_000


SERVICE = "/tracker.lock.v1alpha1.LockService"
NUMBERED = lock_pb.CreateLockRequest(service="a").to_binary() + b"\xba\x3e\x01A"
"""With a text in field 999, which the message does not have."""


async def test_an_unknown_number_is_named_in_the_metadata_and_refused_if_strict(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    async def call(request: bytes, prefer: str = "") -> dict[str, str | bytes]:
        calling = unary(channel, f"{SERVICE}/CreateLock")(
            request, timeout=BOUND, metadata=(("prefer", prefer),) if prefer else ()
        )
        await calling
        return dict(await calling.trailing_metadata())

    known = lock_pb.CreateLockRequest(service="a").to_binary()
    assert not {"warning", "preference-applied"} & (await call(known)).keys()
    assert (await call(known, "handling=strict"))["preference-applied"] == "handling=strict"
    assert (await call(NUMBERED))["warning"] == '299 - "unknown field number 999"'
    asked = len(stand_in.asked)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(NUMBERED, "handling=strict")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailers = dict(caught.value.trailing_metadata())
    assert trailers["preference-applied"] == "handling=strict"
    details = trailers["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    assert status_pb.Status.from_binary(details).message == "unknown field number 999"
    assert len(stand_in.asked) == asked


def test_unknown_numbers_are_found_at_any_depth() -> None:
    attributes = event_pb.EventAttributes(service="a").to_binary() + b"\xc0\x3e\x05"
    event = event_pb.Event(title="t").to_binary() + b"\x12" + bytes([len(attributes)]) + attributes
    field = event_pb.ImportEventsRequest.desc().fields[0]
    tag = bytes([field.number << 3 | 2])
    request = event_pb.ImportEventsRequest.from_binary(
        tag + b"\x03\x0a\x01t" + tag + bytes([len(event)]) + event
    )
    where = next(each for each in event_pb.Event.desc().fields if each.number == 2).name
    assert [each.path for each in unknown_numbers(request)] == [f"{field.name}[1].{where}.1000"]
    assert not [*unknown_numbers(message_from_json_value(event_pb.ImportEventsRequest, {"events": [{}]}))]
