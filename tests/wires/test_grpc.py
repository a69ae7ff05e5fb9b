from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import grpc
import grpc.aio
import pytest
import structlog
from google.rpc import error_details_pb2 as google_details  # type: ignore[import-untyped] # they have no marker
from google.rpc import status_pb2 as google_status
from tests.wires.limits import SHORT_GRPC
from tests.wires.standin import BOUND, Held, unary

from tracker.api.grpc import GrpcServer
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import error_details_pb, event_pb, status_pb

if TYPE_CHECKING:
    import httpx2
    from tests.wires.standin import StandIn

SERVICE = "/tracker.event.v1alpha1.EventService"
GET = event_pb.GetEventRequest(id="1")


async def call(
    channel: grpc.aio.Channel,
    method: str,
    request: bytes,
    *,
    seconds: float | None = BOUND,
    metadata: tuple[tuple[str, str], ...] = (),
) -> tuple[bytes, dict[str, str | bytes]]:
    """Return the answer and the trailing metadata."""
    calling = unary(channel, f"{SERVICE}/{method}")(request, timeout=seconds, metadata=metadata)
    answer = await calling
    return answer, dict(await calling.trailing_metadata())


async def refused(
    channel: grpc.aio.Channel, method: str, request: bytes, metadata: tuple[tuple[str, str], ...] = ()
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, method, request, metadata=metadata)
    return caught.value


def raw_details(error: grpc.aio.AioRpcError) -> bytes:
    value = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert isinstance(value, bytes)
    return value


def details(error: grpc.aio.AioRpcError) -> status_pb.Status:
    return status_pb.Status.from_binary(raw_details(error))


async def test_a_call_reaches_the_service_and_its_answer_comes_back(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    event = event_pb.GetEventResponse(event=event_pb.Event(title="t"))
    stand_in.answer("get_event", event)
    answer, _ = await call(channel, "GetEvent", GET.to_binary())
    assert event_pb.GetEventResponse.from_binary(answer) == event
    assert stand_in.request == GET
    assert stand_in.call.wire == "grpc"
    assert "127.0.0.1" in stand_in.call.peer


async def test_the_callers_deadline_and_sane_id_reach_the_service(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    _, metadata = await call(
        channel, "GetEvent", GET.to_binary(), seconds=5, metadata=(("x-request-id", "Build-7"),)
    )
    assert metadata["x-request-id"] == stand_in.call.request_id == "Build-7"
    assert stand_in.call.timeout is not None
    assert stand_in.call.timeout == pytest.approx(5, abs=1)
    _, metadata = await call(channel, "GetEvent", GET.to_binary(), metadata=(("x-request-id", "a b"),))
    assert metadata["x-request-id"] == stand_in.call.request_id != "a b"
    await call(channel, "GetEvent", GET.to_binary(), seconds=None)
    assert stand_in.call.timeout is None


@pytest.mark.parametrize("reason", Reason)
async def test_every_code_is_grpcs_own_with_the_details_in_the_metadata(
    channel: grpc.aio.Channel, stand_in: StandIn, reason: Reason
) -> None:
    stand_in.answer("get_event", TrackerError(reason, "it is so", metadata={"id": "7"}))
    error = await refused(channel, "GetEvent", GET.to_binary())
    assert error.code().value[0] == reason.code
    assert error.details() == "it is so"
    assert dict(error.trailing_metadata())["x-request-id"] == stand_in.call.request_id
    status = details(error)
    assert (status.code, status.message) == (reason.code, "it is so")
    info = status.details[0].unpack(error_details_pb.ErrorInfo)
    assert info == error_details_pb.ErrorInfo(reason=reason.name, domain="tracker", metadata={"id": "7"})


@pytest.mark.parametrize("reason", Reason)
async def test_an_error_says_when_to_try_again_as_it_does_over_rest(
    channel: grpc.aio.Channel, rest: httpx2.AsyncClient, stand_in: StandIn, reason: Reason
) -> None:
    stand_in.answer("get_event", TrackerError(reason, "it is so"))
    retry_after = (await rest.get("/api/v1alpha1/event/1")).headers.get("retry-after")
    error = await refused(channel, "GetEvent", GET.to_binary())
    status = google_status.Status.FromString(raw_details(error))
    delays = []
    for detail in status.details:
        told = google_details.RetryInfo()
        if detail.Unpack(told):
            delays.append(str(told.retry_delay.ToSeconds()))
    assert delays == ([] if retry_after is None else [retry_after])


async def test_violations_name_fields_by_their_proto_names(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    stand_in.answer("get_event", invalid(FieldViolation("slack_id", "is odd")))
    error = await refused(channel, "GetEvent", GET.to_binary())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    bad = details(error).details[1].unpack(error_details_pb.BadRequest)
    assert bad is not None
    assert [(violation.field, violation.description) for violation in bad.field_violations] == [
        ("slack_id", "is odd")
    ]


@pytest.mark.parametrize("letter", ["x", "%", "€", "😀"])
async def test_an_error_of_any_length_reaches_the_client(
    channel: grpc.aio.Channel, stand_in: StandIn, letter: str
) -> None:
    metadata = dict.fromkeys(("who", "service", "environment", "resource", "reason"), letter * 800)
    stand_in.answer("get_event", TrackerError(Reason.LOCK_HELD, letter * 900, metadata=metadata))
    error = await refused(channel, "GetEvent", GET.to_binary(), (("x-request-id", "i" * 128),))
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    status = details(error)
    assert status.message == error.details()
    assert status.message[:200] == letter * 200
    info = status.details[0].unpack(error_details_pb.ErrorInfo)
    assert info is not None
    assert {name: value[:50] for name, value in info.metadata.items()} == dict.fromkeys(metadata, letter * 50)


async def test_an_error_of_many_violations_reaches_the_client(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    violations = [FieldViolation(f"stake_holders[{i}]", "é" * 100) for i in range(1000)]
    stand_in.answer("get_event", invalid(*violations))
    error = await refused(channel, "GetEvent", GET.to_binary())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    bad = details(error).details[1].unpack(error_details_pb.BadRequest)
    assert bad is not None
    assert bad.field_violations[0].field == "stake_holders[0]"


@pytest.mark.parametrize(
    "request_", [b"\x0a\xff", b"\x0a\x02\xff\xfe", b"\x07", b"\xff" * 20, b"\x0b" * 3000]
)
async def test_bytes_that_are_no_message_are_an_invalid_argument(
    channel: grpc.aio.Channel, stand_in: StandIn, request_: bytes
) -> None:
    error = await refused(channel, "GetEvent", request_)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "is not a tracker.event.v1alpha1.GetEventRequest" in (error.details() or "")
    assert stand_in.asked == []


async def test_a_defect_of_a_service_is_internal_and_tells_nothing_of_it(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    stand_in.answer("get_event", KeyError("secret"))
    error = await refused(channel, "GetEvent", GET.to_binary())
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")


async def test_an_answer_that_has_no_bytes_is_internal(channel: grpc.aio.Channel, stand_in: StandIn) -> None:
    stand_in.answer("get_event", event_pb.GetEventResponse(event=event_pb.Event(title="\ud800")))
    assert (await refused(channel, "GetEvent", GET.to_binary())).code() is grpc.StatusCode.INTERNAL


async def test_an_unknown_method_is_unimplemented(channel: grpc.aio.Channel) -> None:
    assert (await refused(channel, "Nothing", b"")).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_or_metadata_too_large_is_refused_unread(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    large = event_pb.GetEventRequest(id="x" * SHORT_GRPC.message_bytes).to_binary()
    assert (await refused(channel, "GetEvent", large)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    metadata = (("x", "y" * SHORT_GRPC.metadata_bytes),)
    assert (
        await refused(channel, "GetEvent", GET.to_binary(), metadata)
    ).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stand_in.asked == []


async def test_a_message_that_does_not_come_is_not_waited_for(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    started = time.perf_counter()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.stream_unary(f"{SERVICE}/GetEvent")(timeout=BOUND)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caught.value.details() == "the request's message took too long to arrive"
    assert time.perf_counter() - started < BOUND / 2
    assert stand_in.asked == []


async def test_a_call_without_a_message_is_an_invalid_argument(channel: grpc.aio.Channel) -> None:
    nothing: tuple[bytes, ...] = ()
    ask: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"{SERVICE}/GetEvent")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(iter(nothing))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_call_may_take_longer_than_its_message_may(
    channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    asyncio.get_running_loop().call_later(2 * SHORT_GRPC.message_seconds, held.let_go.set)
    assert (await call(channel, "GetEvent", GET.to_binary()))[0] == b""


async def test_a_cancelled_call_stops_its_work(channel: grpc.aio.Channel, stand_in: StandIn) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    calling = unary(channel, f"{SERVICE}/GetEvent")(GET.to_binary())
    await asyncio.wait_for(held.begun.wait(), BOUND)
    calling.cancel()
    await asyncio.wait_for(held.cancelled.wait(), BOUND)


async def test_a_deadline_that_passes_stops_the_work(channel: grpc.aio.Channel, stand_in: StandIn) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    for seconds in (0.2, 1, 5):  # a busy server may not have begun when it passes
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, "GetEvent", GET.to_binary(), seconds=seconds)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if held.begun.is_set():
            break
    await asyncio.wait_for(held.cancelled.wait(), BOUND)


async def test_an_address_in_use_is_an_error_that_names_it(
    grpc_server: GrpcServer, stand_in: StandIn
) -> None:
    second = GrpcServer(
        stand_in.chain,
        stand_in.methods,
        *grpc_server.bound,
        streams=stand_in.streams,
        log=structlog.get_logger(),
    )
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{grpc_server.bound[1]}: Address already"):
        await second.start()
    await second.stop(0)


async def test_a_stopping_server_finishes_the_calls_under_way(
    grpc_server: GrpcServer, channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    held = Held(event_pb.GetEventResponse(event=event_pb.Event(title="t")))
    stand_in.answers["get_event"] = held
    calling = asyncio.create_task(call(channel, "GetEvent", GET.to_binary()))
    await asyncio.wait_for(held.begun.wait(), BOUND)
    stopping = asyncio.create_task(grpc_server.stop(BOUND))
    await asyncio.sleep(0)
    held.let_go.set()
    answer, _ = await calling
    assert event_pb.GetEventResponse.from_binary(answer).event == event_pb.Event(title="t")
    await asyncio.wait_for(stopping, BOUND)


async def test_a_call_that_outlasts_the_grace_is_cut_off(
    grpc_server: GrpcServer, channel: grpc.aio.Channel, stand_in: StandIn
) -> None:
    held = Held(event_pb.GetEventResponse())
    stand_in.answers["get_event"] = held
    calling = asyncio.create_task(refused(channel, "GetEvent", GET.to_binary()))
    await asyncio.wait_for(held.begun.wait(), BOUND)
    await asyncio.wait_for(grpc_server.stop(0.2), BOUND)
    await calling
    await asyncio.wait_for(held.cancelled.wait(), BOUND)


@pytest.mark.parametrize("text", ["x", "é", "語", "😀", "%", "\n"])
async def test_the_longest_error_fits_into_what_clients_take_of_metadata(
    channel: grpc.aio.Channel, stand_in: StandIn, text: str
) -> None:
    long = text * 5_000
    for reason in Reason:
        error = TrackerError(
            reason,
            long,
            metadata={f"a_name_of_metadata_{number}": long for number in range(15)},
            violations=[FieldViolation(f"labels[{long[:200]}]", long) for _ in range(50)],
        )
        stand_in.answer("get_event", error)
        call = unary(channel, "/tracker.event.v1alpha1.EventService/GetEvent")
        request = event_pb.GetEventRequest(id="1").to_binary()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request, metadata=(("x-request-id", "r" * 128),))
        assert caught.value.code().value[0] == int(reason.code)
        trailers = dict(caught.value.trailing_metadata() or ())
        details = trailers["grpc-status-details-bin"]
        assert isinstance(details, bytes)
        message = quote(caught.value.details() or "", safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
        sizes = (len(message), len(details) * 4 // 3, *(len(name) + 32 for name in trailers), 128, 32 * 6)
        assert sum(sizes) < 8_000
        (info,) = (
            found
            for detail in status_pb.Status.from_binary(details).details
            if (found := detail.unpack(error_details_pb.ErrorInfo))
        )
        assert info.reason == reason
