from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest
from tests.wires.limits import SHORT_HTTP
from tests.wires.standin import BOUND, Held, exchange

from tracker.api.calls.endpoint import MAX_BODY
from tracker.pb import event_pb

if TYPE_CHECKING:
    import httpx2
    from tests.wires.standin import StandIn

    from tracker.api.http_protocol import HttpLimits
    from tracker.api.http_server import HttpServer

GET = b"GET /api/v1alpha1/event/1 HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /api/v1alpha1/event/1/slack HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def limits() -> HttpLimits:
    return SHORT_HTTP


def parse(answer: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    """Return the status, the headers and the JSON of one answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body) if body else {}


@pytest.mark.parametrize(
    "sent", [b"", b"G", b"GET /api/v1alpha1/event/1 HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nA: b"]
)
async def test_a_client_that_is_slow_with_its_headers_is_cut_off(
    http_server: HttpServer, sent: bytes
) -> None:
    status, headers, body = parse(await exchange(http_server.bound[1], sent))
    assert (status, body["code"]) == (408, 4)
    assert headers["connection"] == "close"
    assert headers["x-request-id"]


async def test_slow_headers_of_a_later_request_are_cut_off_too(http_server: HttpServer) -> None:
    answer = await exchange(http_server.bound[1], GET, b"GET /api")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 408 Request Timeout\r\n" in answer


async def test_a_trickle_of_headers_does_not_extend_the_time(http_server: HttpServer) -> None:
    parts = [b"GET / HTTP/1.1\r\n", *[b"A: b\r\n"] * 100]
    with contextlib.suppress(ConnectionError):
        answer = await exchange(http_server.bound[1], *parts, pause=SHORT_HTTP.head_seconds / 10)
        assert parse(answer)[0] == 408


async def test_a_client_that_is_slow_with_its_body_is_cut_off(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    sent = POST + b'Content-Length: 20\r\n\r\n{"slackId'
    status, headers, body = parse(await exchange(http_server.bound[1], sent))
    assert (status, headers["connection"]) == (408, "close")
    assert "body" in str(body["message"])
    assert stand_in.asked == []


async def test_an_idle_connection_is_closed_after_a_while(http_server: HttpServer) -> None:
    answer = await exchange(http_server.bound[1], GET)
    assert answer.count(b"HTTP/1.1") == 1
    assert parse(answer)[0] == 200


async def test_a_call_may_take_longer_than_its_request_may(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    answer = asyncio.create_task(exchange(http_server.bound[1], GET))
    await asyncio.wait_for(held.begun.wait(), BOUND)
    asyncio.get_running_loop().call_later(3 * SHORT_HTTP.head_seconds, held.let_go.set)
    assert parse(await answer)[0] == 200


@pytest.mark.parametrize("size", [70_000, 300_000, 2_000_000])
@pytest.mark.parametrize(
    "head",
    [b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nA: %s\r\n\r\n", b"GET / HTTP/1.1\r\nA: %s"],
)
async def test_headers_that_are_too_large_are_431(http_server: HttpServer, head: bytes, size: int) -> None:
    with contextlib.suppress(ConnectionError):  # where the server has closed before all was sent
        status, headers, body = parse(await exchange(http_server.bound[1], head % (b"x" * size)))
        assert (status, body["code"], headers["connection"]) == (431, 8, "close")


async def test_headers_of_a_reasonable_size_are_taken(http_server: HttpServer) -> None:
    headers = b"".join(b"A%d: %s\r\n" % (i, b"x" * 500) for i in range(100))
    answer = await exchange(http_server.bound[1], GET[:-2] + headers + b"Connection: close\r\n\r\n")
    assert parse(answer)[0] == 200


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET http:// HTTP/1.1\r\n\r\n"]
)
async def test_what_is_no_http_is_400_in_the_shape_of_all_errors(
    http_server: HttpServer, sent: bytes
) -> None:
    status, headers, body = parse(await exchange(http_server.bound[1], sent))
    assert (status, body["code"], headers["connection"]) == (400, 3, "close")


WRONG_HEADS = (
    b"GET /livez HTTP/1.1\r\n\r\n",
    b"GET http://x/livez HTTP/1.1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"GET /livez HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: user@a\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /livez HTTP/0.9\r\n\r\n",
    b"GET /livez\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /livez HTTP/1.0\r\nTE: trailers\r\n\r\n",
    b"GET /livez HTTP/1.0\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
)


@pytest.mark.parametrize("sent", WRONG_HEADS)
async def test_what_the_standard_forbids_is_400_and_answered_once(
    http_server: HttpServer, stand_in: StandIn, sent: bytes
) -> None:
    answer = await exchange(http_server.bound[1], sent)
    status, headers, body = parse(answer)
    assert (status, body["code"], headers["connection"]) == (400, 3, "close")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert stand_in.asked == []


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\nConnection: close\r\nHost: %s\r\n\r\n" % host
        for host in (
            b"",
            b"a",
            b"a_b.example:8080",
            b"[::1]:80",
            b"127.0.0.1",
            b"xn--bcher-kva.example",
            b"%41",
        )
    ]
    + [b"GET /livez HTTP/1.0\r\n\r\n", b"GET /livez HTTP/1.0\r\nHost: a\r\n\r\n"],
)
async def test_what_the_standard_allows_is_answered(http_server: HttpServer, sent: bytes) -> None:
    assert parse(await exchange(http_server.bound[1], sent))[0] == 200


async def test_every_answer_forbids_to_guess_its_media_type(http_server: HttpServer) -> None:
    close = b"Host: x\r\nConnection: close\r\n"
    for sent in (
        b"GET /livez HTTP/1.1\r\n" + close,
        b"HEAD /livez HTTP/1.1\r\n" + close,
        b"GET /nothing HTTP/1.1\r\n" + close,
        b"POST /livez HTTP/1.1\r\n" + close,
        b"GET /api/v1alpha1/event/1 HTTP/1.1\r\n" + close,
        b"GET /api/v1alpha1/event/%%ff HTTP/1.1\r\n" + close,
        b"GET /livez HTTP/1.1\r\n",
        b"nonsense\r\n",
        b"GET /livez HTTP/1.1\r\nA: " + b"x" * 70_000,
    ):
        head = (await exchange(http_server.bound[1], sent + b"\r\n")).partition(b"\r\n\r\n")[0].lower()
        assert head.count(b"\r\nx-content-type-options: nosniff") == 1, sent[:60]


async def test_a_body_of_the_largest_size_is_read(rest: httpx2.AsyncClient, stand_in: StandIn) -> None:
    text = b'{"slackId": "s"}'
    response = await rest.post("/api/v1alpha1/event/1/slack", content=text.ljust(MAX_BODY))
    assert response.status_code == 200
    assert stand_in.request == event_pb.AddSlackIdRequest(id="1", slack_id="s")


async def test_a_larger_body_is_413_by_its_length_alone(http_server: HttpServer) -> None:
    sent = POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1)
    status, headers, body = parse(await exchange(http_server.bound[1], sent))
    assert (status, body["code"], headers["connection"]) == (413, 8, "close")


async def test_a_client_that_asks_before_it_sends_a_larger_body_is_not_told_to_go_on(
    http_server: HttpServer,
) -> None:
    sent = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
    answer = await exchange(http_server.bound[1], sent)
    assert parse(answer)[0] == 413
    assert b"100 Continue" not in answer


async def test_a_chunked_body_is_cut_off_once_it_is_larger(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", http_server.bound[1])
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    async with asyncio.timeout(BOUND):
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 10 * MAX_BODY:
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = await reader.read()
    writer.close()
    assert sent < 10 * MAX_BODY
    assert stand_in.asked == []
    if answer:
        assert parse(answer)[0] == 413


async def test_trailers_are_no_headers(http_server: HttpServer, stand_in: StandIn) -> None:
    body = b"10\r\n" + b'{"slackId": "s"}' + b"\r\n0\r\nIdempotency-Key: k\r\n\r\n"
    sent = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    assert parse(await exchange(http_server.bound[1], sent))[0] == 200
    assert "idempotency-key" not in stand_in.call.headers


async def test_a_client_library_hears_413_even_while_it_sends(rest: httpx2.AsyncClient) -> None:
    response = await rest.post("/api/v1alpha1/event", content=b" " * (MAX_BODY + 1))
    assert response.status_code == 413
    assert response.json()["message"] == f"the body is larger than {MAX_BODY} bytes"


async def test_an_answer_before_the_end_of_the_request_ends_the_connection(http_server: HttpServer) -> None:
    sent = b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    status, headers, _ = parse(await exchange(http_server.bound[1], sent))
    assert (status, headers["connection"]) == (404, "close")


async def test_requests_sent_at_once_are_answered_in_order(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    last = GET.replace(b"event/1", b"event/3").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer = await exchange(http_server.bound[1], GET + GET.replace(b"event/1", b"event/2") + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [request for request, _ in stand_in.asked] == [event_pb.GetEventRequest(id=i) for i in "123"]


async def test_a_client_that_goes_away_cancels_its_call(http_server: HttpServer, stand_in: StandIn) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    _, writer = await asyncio.open_connection("127.0.0.1", http_server.bound[1])
    writer.write(GET)
    await asyncio.wait_for(held.begun.wait(), BOUND)
    writer.close()
    await asyncio.wait_for(held.cancelled.wait(), BOUND)


async def test_a_client_that_goes_away_within_its_body_makes_no_call(
    http_server: HttpServer, stand_in: StandIn, rest: httpx2.AsyncClient
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", http_server.bound[1])
    writer.write(POST + b'Content-Length: 20\r\n\r\n{"slackId')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await rest.get("/livez")).status_code == 200
    assert stand_in.asked == []


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
async def test_an_offer_to_speak_another_protocol_is_passed_over(
    http_server: HttpServer, stand_in: StandIn, protocol: bytes
) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAM\r\n" % protocol
    body = b'{"slackId": "s"}'
    post = POST + offer + b"Content-Length: %d\r\n\r\n" % len(body) + body
    get = GET[:-2] + offer.replace(b"Upgrade,", b"close, Upgrade,") + b"\r\n"
    answer = await exchange(http_server.bound[1], post + get)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert [request for request, _ in stand_in.asked] == [
        event_pb.AddSlackIdRequest(id="1", slack_id="s"),
        event_pb.GetEventRequest(id="1"),
    ]


async def test_no_tunnels_are_opened(http_server: HttpServer) -> None:
    answer = await exchange(http_server.bound[1], b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert parse(answer)[0] == 400


async def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(
    http_server: HttpServer, stand_in: StandIn
) -> None:
    body = b'{"slackId": "s"}'
    head = POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    reader, writer = await asyncio.open_connection("127.0.0.1", http_server.bound[1])
    async with asyncio.timeout(BOUND):
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert parse(await reader.read())[0] == 200
    writer.close()
    assert stand_in.request == event_pb.AddSlackIdRequest(id="1", slack_id="s")
