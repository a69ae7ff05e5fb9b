"""Queries that mean no good: each gets a clear answer, soon, and the server goes on."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import Refused

from tracker.domain.query.text import MAX_DEPTH, MAX_LENGTH, MAX_TERMS
from tracker.stores.mongo import events as mongo_events
from tracker.stores.sqlite import reader

if TYPE_CHECKING:
    from tests.clients import Client

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("EventService/SearchEvents", {}),
    ("EventService/GetEventFacets", {"fields": ["status", "label.team"]}),
    ("EventService/GetEventHistogram", {"by": "owner", "durations": True}),
)


@pytest.fixture
async def events(client: Client) -> None:
    for number in range(3):
        attributes = {
            "service": "a" * 200,
            "type": "deployment",
            "message": "a" * 60_000,
            "owner": "ab" * 100,
            "labels": {"team": "x" * 1_000},
        }
        await client.call("EventService/CreateEvent", {"title": f"Deploy {number}", "attributes": attributes})


async def refused(client: Client, query: str) -> list[Refused | None]:
    """Ask all that takes a query, and return what each was refused with, or None."""
    found: list[Refused | None] = []
    for method, beside in CALLS:
        try:
            await client.call(method, {"query": query, **beside})
        except Refused as error:
            found.append(error)
        else:
            found.append(None)
    return found


TOO_MUCH = (
    ("(" * 3_000, "nests up to"),
    ("-" * 3_000 + "a", "nests up to"),
    ("NOT " * 900 + "a", "nests up to"),
    ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), "nests up to"),
    ("service:(" + " OR ".join(["a"] * 300) + ")", "words and values"),
    ("service:" + ",".join(["a"] * (MAX_TERMS + 1)), "words and values"),
    ("a " * (MAX_TERMS + 1), "words and values"),
    ("service:" + "*a" * 20, "wildcards"),
    ("title:" + "*" * 500 + "a", "wildcard"),
    ("time:>" + "9" * 3_000, "expected a time"),
    ("duration:>" + "9" * 3_000 + "h", "expected a duration"),
    ("since:9999999999999999w", "column"),
    ('"' + "a" * 3_000, 'closing "'),
    ("a" * (MAX_LENGTH + 1), "4096"),
    ("label." + "x" * 3_000, ""),
    ("\x00\x01\x02", ""),
    ("service:\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), ""),
)
"""Queries, and what the answer to each names; nothing where it may be answered."""

AS_MUCH_AS_IS_ALLOWED = (
    "service:" + "*".join(["a"] * 9),
    "owner:" + "*".join(["ab"] * 8) + "*b",
    "label.team:x*x*x*x*x*x*y",
    "-(" * 15 + "owner:a*b" + ")" * 15,
    "service:(" + " OR ".join(f"{number}*" for number in range(250)) + ")",
    " OR ".join(f"owner:{number}*a*b*c" for number in range(200)),
    '"' + "a " * 250 + '"',
    "a" * 4_000,
)


@pytest.mark.usefixtures("events")
async def test_too_much_is_refused_in_words(client: Client) -> None:
    for query, named in TOO_MUCH:
        for error in await refused(client, query):
            if named:
                assert error is not None, query[:100]
                assert error.code == "INVALID_ARGUMENT"
                assert named in error.message
                assert len(error.message) < 1_000
            else:
                assert error is None or error.code == "INVALID_ARGUMENT", query[:100]


@pytest.mark.usefixtures("events")
async def test_as_much_as_is_allowed_is_answered(client: Client) -> None:
    for query in AS_MUCH_AS_IS_ALLOWED:
        assert await refused(client, query) == [None] * len(CALLS), query[:100]


async def test_random_bytes_are_answered(client: Client) -> None:
    chance = random.Random(4)
    for size in (10, 100, 1_000, 10_000):
        for _ in range(10):
            query = chance.randbytes(size).decode("utf-8", "replace")
            for error in await refused(client, query):
                assert error is None or error.code == "INVALID_ARGUMENT"


async def test_a_search_through_long_texts_is_ended_and_others_are_answered_meanwhile(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(5)
    words = [f"wörd{number}" for number in range(20_000)]
    attributes = {"service": "s", "type": "drift"}
    events = [
        {
            "title": f"t{number}",
            "attributes": {**attributes, "message": " ".join(chance.choices(words, k=5_000))},
        }
        for number in range(30)
    ]
    await client.call("EventService/ImportEvents", {"events": events})
    for module in (reader, mongo_events):
        monkeypatch.setattr(module, "MAX_SEARCH_SECONDS", 0.05)
    query = f"-owner:a*b -({' OR '.join(f'none{number}' for number in range(200))})"
    searches = asyncio.gather(
        *(client.call("EventService/SearchEvents", {"query": query, "perPage": 1_000}) for _ in range(4)),
        return_exceptions=True,
    )
    await client.call("EventService/ListEvents", {"perPage": 1})
    for ended in await searches:
        assert isinstance(ended, Refused)
        assert (ended.code, ended.reason) == ("DEADLINE_EXCEEDED", "QUERY_TOO_LONG")
