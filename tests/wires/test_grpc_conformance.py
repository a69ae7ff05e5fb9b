"""Single calls over our server, and over one of `grpc.aio` with the same endpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.wires.grpc_cases import CASES, NOTHING
from tests.wires.grpc_reference import Reference
from tests.wires.raw_http2 import ErrorCode, raw_client

from tracker.api.grpc_call import GrpcLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.wires.grpc_cases import Case
    from tests.wires.raw_http2 import Answer
    from tests.wires.standin import StandIn

    from tracker.api.grpc import GrpcServer

_CODES = {str(code.value[0]): code.name for code in grpc.StatusCode}


@pytest.fixture
async def reference(stand_in: StandIn) -> AsyncIterator[Reference]:
    server = Reference(stand_in.chain, stand_in.methods, GrpcLimits())
    await server.start()
    yield server
    await server.stop(0)


def outcome(answer: Answer) -> str:
    if "grpc-status" in answer.trailers:
        return _CODES[answer.trailers["grpc-status"]]
    if answer.headers:
        return f"HTTP {answer.trailers[':status']}"
    return "the connection ended" if answer.reset is None else f"RESET {ErrorCode(answer.reset).name}"


async def asked(port: int, case: Case) -> Answer:
    async with raw_client(port) as client:
        if case.body is None:
            return await client.answer(client.begin(case.headers, end=True))
        return await client.call(case.headers, case.body)


@pytest.mark.parametrize("grpc_limits", [GrpcLimits()])
async def test_every_call_is_answered_as_it_should_be(
    grpc_server: GrpcServer, subtests: pytest.Subtests
) -> None:
    answers = await asyncio.gather(*(asked(grpc_server.bound[1], case) for case in CASES))
    for case, answer in zip(CASES, answers, strict=True):
        with subtests.test(case.name):
            assert outcome(answer) == case.answer


async def test_grpc_aio_answers_the_same_unless_a_case_says_why(
    reference: Reference, subtests: pytest.Subtests
) -> None:
    cases = [case for case in CASES if case.aio != NOTHING]
    answers = await asyncio.gather(*(asked(reference.bound[1], case) for case in cases))
    for case, answer in zip(cases, answers, strict=True):
        with subtests.test(case.name):
            assert outcome(answer) == (case.aio or case.answer)
            assert (case.aio in ("", case.answer)) == (not case.why)
