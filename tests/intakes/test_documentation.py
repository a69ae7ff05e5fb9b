"""The pages of senders have what the table says, and their examples become the events that follow them."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, cast

import pytest
from tests.docs.pages import ROOT, blocks, read, table

from tracker.intakes.mapping import Mappings
from tracker.intakes.mapping_file import parse
from tracker.intakes.preview import preview
from tracker.intakes.senders import SENDERS
from tracker.pb import intake_pb

if TYPE_CHECKING:
    from tests.docs.pages import Block

    from tracker.intakes.recorder import Recorder
    from tracker.intakes.senders import Sender

SERVER = "https://tracker.example.com"
each_sender = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)


def page(sender: Sender) -> str:
    return f"intakes/{'generic' if sender.name == 'NAME' else sender.name}.md"


def test_every_sender_is_in_the_table_and_its_page_in_the_site() -> None:
    expected = [
        (f"[{each.product}]({page(each)})", f"`{each.name}`", each.clients, each.key) for each in SENDERS
    ]
    assert table("docs/intakes.md", "sender", "name", "clients", "where the key is") == expected
    site = json.dumps(tomllib.loads(read("zensical.toml"))["project"]["nav"])
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / "intakes").glob("*.md")]
    assert sorted(pages) == sorted(page(each) for each in SENDERS)
    assert all(f'"{each}"' in site for each in pages)


@each_sender
def test_the_page_of_a_sender_begins_with_its_facts_and_has_what_changes(sender: Sender) -> None:
    where = "setting: `DOGSTATSD_ADDRESS`"
    if sender.intake is not None:
        routes = sender.intake(cast("Recorder", None)).routes()
        paths = ", ".join(f"`{route.verb} {route.path}`" for route in routes)
        where = f"{'path' if len(routes) == 1 else 'paths'}: {paths}"
    facts = (f"name: `{sender.name}`", f"clients: {sender.clients}", f"key: {sender.key}", where)
    beginning = "\n".join((f"# {sender.product}", "", *(f"- {fact}" for fact in facts), "", ""))
    assert read(f"docs/{page(sender)}").startswith(beginning)
    assert not re.search(rf"\w{SERVER}", sender.lines_for(SERVER))  # the address is no part of a word
    assert f"{sender.lines_for(SERVER)}\n" in [each.text for each in blocks(f"docs/{page(sender)}")]


@each_sender
@pytest.mark.anyio
async def test_the_examples_of_a_page_become_what_it_shows(sender: Sender) -> None:
    shown = [*blocks(f"docs/{page(sender)}")]
    rules = next((parse(each.text) for each in shown if each.language == "toml"), Mappings())
    messages = [each for each in shown if each.language in {"http", "dogstatsd"}]
    assert messages
    for message in messages:
        after = shown[shown.index(message) + 1 :]
        wanted = [json.loads(each.text) for each in after[:1] if each.language == "json" and each.follows]
        answer = await preview(request(sender, message), rules)
        assert [json.loads(event.to_json()) for event in answer.events] == wanted, message.place
        assert wanted or answer.commits, message.place


def request(sender: Sender, message: Block) -> intake_pb.TestIntakeRequest:
    """Return the request that tests a message, which is one of HTTP, or a datagram."""
    if message.language != "http":
        return intake_pb.TestIntakeRequest(sender=sender.name, body=message.text)
    head, _, body = message.text.partition("\n\n")
    line, *headers = head.splitlines()
    path = line.removeprefix("POST ")
    return intake_pb.TestIntakeRequest(
        sender=path.split("/")[-2] if sender.name == "NAME" else sender.name,
        path=path,
        headers=dict(each.split(": ", 1) for each in headers),
        body=body,
    )
