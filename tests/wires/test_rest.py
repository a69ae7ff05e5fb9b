from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import event_pb, link_pb
from tracker.pb.options import only_reads
from tracker.transcoding.bindings import ONE, http_bindings

if TYPE_CHECKING:
    import httpx2
    from protobuf import Message
    from tests.wires.standin import StandIn

    from tracker.services.context import Call

EVENT = "/api/v1alpha1/event"


async def test_an_answer_is_json_with_the_id_of_its_request(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    stand_in.answer("get_event", event_pb.GetEventResponse(event=event_pb.Event(title="t")))
    response = await rest.get(f"{EVENT}/1")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == stand_in.call.request_id
    assert response.json()["event"]["title"] == "t"
    assert stand_in.request == event_pb.GetEventRequest(id="1")
    assert (stand_in.call.wire, stand_in.call.timeout) == ("rest", None)
    assert stand_in.call.peer.startswith("127.0.0.1:")


@pytest.mark.parametrize("path", [f"{EVENT}/1", f"{EVENT}/1/nothing", "/livez", "/nothing", "/api/links/%ff"])
async def test_a_callers_id_of_the_request_comes_back_if_it_is_sane(
    rest: httpx2.AsyncClient, path: str
) -> None:
    given = "Build-7.a_b"
    assert (await rest.get(path, headers={"X-Request-Id": given})).headers["x-request-id"] == given
    for odd in ("a b", "x" * 129, "a/b", ""):
        made = (await rest.get(path, headers={"X-Request-Id": odd})).headers["x-request-id"]
        assert made
        assert made != odd


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
)
async def test_the_content_type_of_a_body_does_not_matter(
    rest: httpx2.AsyncClient, stand_in: StandIn, content_type: str
) -> None:
    body = b'{"slackId": "s"}'
    response = await rest.post(f"{EVENT}/1/slack", content=body, headers={"Content-Type": content_type})
    assert response.status_code == 200
    assert stand_in.request == event_pb.AddSlackIdRequest(id="1", slack_id="s")


@pytest.mark.parametrize(
    ("verb", "path", "allow"),
    [
        ("PATCH", f"{EVENT}/1", "DELETE, GET, HEAD"),
        ("OPTIONS", EVENT, "POST, PUT"),
        ("HEAD", EVENT, "POST, PUT"),
        ("POST", "/api/v1alpha1/events/list", "GET, HEAD"),
        ("TRACE", "/api/links", "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_verb_is_405_with_the_right_ones(
    rest: httpx2.AsyncClient, verb: str, path: str, allow: str
) -> None:
    response = await rest.request(verb, path, headers={"X-HTTP-Method-Override": "GET"})
    assert response.status_code == 405
    assert response.headers["allow"] == allow
    if verb != "HEAD":
        assert (response.json()["code"], response.json()["message"]) == (12, "Method Not Allowed")


async def test_no_path_leads_to_an_rpc_by_a_verb_that_it_does_not_have(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    verbs: dict[str, set[str]] = {}
    for method in stand_in.methods:
        assert method.rpc is not None
        for binding in http_bindings(method.rpc):
            path = "/".join(["", *("1" if part == ONE else part for part in binding.template.segments)])
            head = {"HEAD"} if binding.verb == "GET" and only_reads(method.rpc) else set()
            verbs.setdefault(path, set()).update({binding.verb} | head)
    for path, own in verbs.items():
        for verb in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - own:
            response = await rest.request(verb, path)
            assert (verb, path, response.status_code) == (verb, path, 405)
            assert response.headers["allow"] == ", ".join(sorted(own))
    assert not stand_in.asked


@pytest.mark.parametrize(
    "path", ["/", "/nothing", f"{EVENT}/", f"{EVENT}//1", "/API/links", "/livez/", f"{EVENT}/1/x"]
)
async def test_an_unknown_path_is_404(rest: httpx2.AsyncClient, path: str) -> None:
    response = await rest.get(path)
    assert response.status_code == 404
    assert (response.json()["code"], response.json()["message"]) == (5, "Not Found")


def test_no_get_changes_anything_but_the_old_one_that_releases_a_lock(stand_in: StandIn) -> None:
    rpcs = [method.rpc for method in stand_in.methods if method.rpc is not None]
    changing = [rpc for rpc in rpcs if not only_reads(rpc) and "GET" in {b.verb for b in http_bindings(rpc)}]
    assert [rpc.name for rpc in changing] == ["UnLock"]


async def test_a_page_with_the_wrong_verb_is_405_in_the_same_shape(rest: httpx2.AsyncClient) -> None:
    response = await rest.post("/livez")
    assert response.status_code == 405
    assert response.json()["code"] == 12
    assert {verb.strip() for verb in response.headers["allow"].split(",")} == {"GET", "HEAD"}


async def test_head_answers_like_get_without_the_body(rest: httpx2.AsyncClient) -> None:
    head, get = [await rest.request(verb, f"{EVENT}/1") for verb in ("HEAD", "GET")]
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_success_has_the_status_of_the_proto_and_204_has_no_body(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    stand_in.answer("create_link", link_pb.CreateLinkResponse(link=link_pb.Link(name="n")))
    created = await rest.post("/api/links", json={"name": "n", "url": "https://x.example"})
    assert (created.status_code, created.json()["name"]) == (201, "n")
    deleted = await rest.delete("/api/links/0197e000-0000-7000-8000-000000000000")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "content-type" not in deleted.headers


@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_has_its_status_and_the_details_in_the_body(
    rest: httpx2.AsyncClient, stand_in: StandIn, reason: Reason
) -> None:
    stand_in.answer("get_event", TrackerError(reason, "it is so", metadata={"allow": "GET"}))
    response = await rest.get(f"{EVENT}/1")
    assert response.status_code == reason.http_status
    assert response.json() == {
        "code": reason.code.value,
        "message": "it is so",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason.name,
                "domain": "tracker",
                "metadata": {"allow": "GET"},
            }
        ],
    }
    assert ("retry-after" in response.headers) == reason.retryable
    assert ("allow" in response.headers) == (response.status_code == 405)


async def test_violations_name_fields_as_the_client_wrote_them(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    violations = [FieldViolation("slack_id", "is too long"), FieldViolation("id", "is odd")]
    stand_in.answer("add_slack_id", invalid(*violations))
    for key in ("slack_id", "slackId"):
        response = await rest.post(f"{EVENT}/1/slack", json={key: "x"})
        assert response.json()["message"] == f"{key}: is too long; id: is odd"
        assert response.json()["details"][1] == {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [
                {"field": key, "description": "is too long"},
                {"field": "id", "description": "is odd"},
            ],
        }


async def test_a_body_that_cannot_be_read_is_400_with_the_field(rest: httpx2.AsyncClient) -> None:
    response = await rest.post(EVENT, json={"attributes": {"start_date": "tomorrow"}})
    assert response.status_code == 400
    assert response.json()["message"] == (
        'attributes.start_date: expected an RFC 3339 timestamp such as 2026-01-31T12:00:00Z, got "tomorrow"'
    )
    assert (await rest.post(EVENT, content=b"{")).json()["code"] == 3


async def test_a_compressed_body_is_415(rest: httpx2.AsyncClient, stand_in: StandIn) -> None:
    headers = {"content-encoding": "gzip"}
    response = await rest.post("/api/v1alpha1/event", content=gzip.compress(b"{}"), headers=headers)
    assert (response.status_code, response.json()["details"][0]["reason"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert stand_in.asked == []


async def test_a_defect_of_a_service_is_500_and_tells_nothing_of_it(
    rest: httpx2.AsyncClient, stand_in: StandIn
) -> None:
    stand_in.answer("get_event", KeyError("secret"))
    response = await rest.get(f"{EVENT}/1")
    assert (response.status_code, response.json()["code"]) == (500, 13)
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in response.json()["message"]


async def test_an_answer_that_has_no_json_is_500(rest: httpx2.AsyncClient, stand_in: StandIn) -> None:
    stand_in.answer("get_event", event_pb.GetEventResponse(event=event_pb.Event(title="\ud800")))
    response = await rest.get(f"{EVENT}/1")
    assert (response.status_code, response.json()["code"]) == (500, 13)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5S", 5.0), ("500m", 0.5), ("2M", 120.0), ("1H", 3600.0), ("7u", 7e-6), ("99999999n", 0.099999999)],
)
async def test_the_callers_deadline_is_in_grpcs_header(
    rest: httpx2.AsyncClient, stand_in: StandIn, header: str, seconds: float
) -> None:
    seen: list[float | None] = []

    async def get_event(_request: Message, call: Call) -> Message:
        seen.append(call.timeout)
        return event_pb.GetEventResponse()

    stand_in.answers["get_event"] = get_event
    response = await rest.get(f"{EVENT}/1", headers={"Grpc-Timeout": header})
    if seconds >= 0.5:
        assert response.status_code == 200
    assert seen == [pytest.approx(seconds)]


@pytest.mark.parametrize("header", ["5", "S", "-1S", "5s", "123456789S", "1.5S", "5 S", ""])
async def test_a_deadline_in_another_form_is_400(rest: httpx2.AsyncClient, header: str) -> None:
    response = await rest.get(f"{EVENT}/1", headers={"Grpc-Timeout": header})
    assert response.status_code == 400
    assert response.json()["message"].startswith("Grpc-Timeout: expected")


async def test_a_server_is_alive_and_ready_by_get_and_head(rest: httpx2.AsyncClient) -> None:
    assert (await rest.get("/livez")).json() == {"status": "alive"}
    assert (await rest.get("/readyz")).json() == {"status": "ready"}
    assert (await rest.head("/readyz")).status_code == 200
