"""`tracker migrate`, as somebody uses it who moves to MongoDB, or back."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import CLEAN, on_terminal, start, tracker
from tests.cli.terminal import CTRL_C, Terminal
from tests.patience import PATIENCE
from tests.server_process import ServerProcess
from tests.stores.observations import Observations
from tests.stores.samples import an_event

from tracker.stores.choice import chosen_contents, chosen_store
from tracker.stores.contents import Kind, StoredDocument

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mongo_servers import MongoServers

MANY = 20_000


def filled(path: Path, events: int) -> Path:
    """Make a store with events in a file."""

    async def fill() -> None:
        store = chosen_store(path, None, Observations())
        await store.open()
        await store.close()
        contents = chosen_contents(str(path), "--to", Observations())
        await contents.open_to_read()
        documents = []
        for number in range(events):
            event = an_event(f"event {number}")
            assert event.metadata is not None
            documents.append(StoredDocument(event.metadata.id, event.to_json()))
        await contents.records(Kind.EVENTS).add(documents)
        await contents.close()

    asyncio.run(fill())
    return path


def wait_for_events(mongo: MongoServers, uri: str) -> None:
    database = mongo.members[0].client.get_database(uri.rpartition("/")[2])
    deadline = time.monotonic() + PATIENCE
    while not database["events"].find_one():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # between two polls


def events_served(server: ServerProcess) -> int:
    url = f"http://127.0.0.1:{server.http_port}/api/v1alpha1/events/list?perPage=1"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return int(json.load(answer)["totalCount"])


def test_a_store_is_moved_and_served(tmp_path: Path, mongo: MongoServers) -> None:
    here, uri = filled(tmp_path / "tracker.db", 2_500), mongo.new_database()
    done = tracker("migrate", "--from", str(here), "--to", "env:THERE", environ={"THERE": uri})
    assert done.returncode == 0, done.stderr
    assert re.search(r"^ +2,500 events +[0-9a-f]{64}$", done.stdout, re.MULTILINE)
    assert re.search(r"^2,500 records in [0-9.]+ s, [0-9,]+ a second$", done.stdout, re.MULTILINE)
    assert "copying events: 2,500 of 2,500" in done.stderr
    assert "comparing events: 5,000 of 5,000" in done.stderr
    with ServerProcess(tmp_path / "unused.db", MONGO_URI=uri) as server:
        assert events_served(server) == 2_500


def test_a_migration_that_is_killed_goes_on(tmp_path: Path, mongo: MongoServers) -> None:
    here, uri = filled(tmp_path / "tracker.db", MANY), mongo.new_database()
    database = mongo.members[0].client.get_database(uri.rpartition("/")[2])
    command = ("migrate", "--from", str(here), "--to", uri)
    with start(*command) as process:
        wait_for_events(mongo, uri)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    there = database["events"].count_documents({})
    assert 0 < there < MANY
    free = dict.fromkeys(("GRPC_PORT", "HTTP_PORT", "METRICS_PORT"), "0")
    refused = tracker("serv", environ=free | {"MONGO_URI": uri})
    assert refused.returncode == 1
    assert f"it is not filled to its end, from {here}" in refused.stderr
    done = tracker(*command)
    assert done.returncode == 0, done.stderr
    assert database["events"].count_documents({}) == MANY


def test_an_interrupted_migration_says_how_it_goes_on(tmp_path: Path, mongo: MongoServers) -> None:
    here, uri = filled(tmp_path / "tracker.db", MANY), mongo.new_database()
    with Terminal(CLEAN) as terminal:
        terminal.type(
            f"{sys.executable} -m tracker migrate --from {here} --to {uri}; echo code $?\n".encode()
        )
        wait_for_events(mongo, uri)
        terminal.type(CTRL_C)
        terminal.expect("tracker: interrupted; run the same command again to continue\ncode 130")


def test_on_a_terminal_the_result_is_what_stays(tmp_path: Path) -> None:
    here = filled(tmp_path / "tracker.db", 1_500)
    command = ("migrate", "--from", str(here), "--to", str(tmp_path / "copy.db"))
    shown = on_terminal(*command, columns=120, environ={})
    assert shown.rpartition("\x1b")[2].count("1,500 events") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--from", "env:NOWHERE", "--to", "b.db"), "--from names the environment variable NOWHERE"),
        (("--from", "a.db", "--to", "b.db"), "there is no store"),
        (
            ("--from", "mongodb://u:pa:ss@h/x", "--to", "b.db"),
            "--from is not the address of a MongoDB database",
        ),
        (("--from", "mongodb://u:hidden@127.0.0.1:1/x", "--to", "b.db"), "of --from can't be reached"),
    ],
)
def test_what_is_wrong_is_told_without_passwords(tmp_path: Path, arguments: list[str], why: str) -> None:
    done = tracker("migrate", *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert why in done.stderr
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b.db").exists()
