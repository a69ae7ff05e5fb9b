from __future__ import annotations

import asyncio
import time

import pytest
from tests.identity_provider import running_provider

from tracker.client.connection import ApiError
from tracker.client.github import GithubToken


async def test_a_job_asks_for_a_token_and_again_before_it_ends() -> None:
    async with running_provider() as github:
        lasting = [59, 300]
        github.answer_job = lambda: {"value": github.token({"exp": time.time() + lasting.pop(0)})}
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{github.url}/job_token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of the job",
        }
        assert GithubToken.is_offered(environ)
        token = GithubToken("https://tracker.example.com", environ)
        first = await asyncio.to_thread(token)
        assert github.queries == {"api-version": "2.0", "audience": "https://tracker.example.com"}
        assert github.headers["authorization"] == "Bearer of the job"
        second = await asyncio.to_thread(token)
        assert second != first
        assert await asyncio.to_thread(token) == second
        assert github.asked.count("/job_token") == 2


async def test_what_github_refuses_is_reported() -> None:
    async with running_provider() as github:
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{github.url}/nothing",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
        }
        with pytest.raises(ApiError, match="GitHub gave no id token: status 404"):
            await asyncio.to_thread(GithubToken("x", environ))


def test_outside_of_a_job_there_is_none() -> None:
    assert not GithubToken.is_offered({})
    assert not GithubToken.is_offered({"ACTIONS_ID_TOKEN_REQUEST_URL": "x"})
