"""`tracker export` and `tracker import`: nothing is lost on the way, however often it is interrupted."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import CLEAN, at, on_terminal, start, tracker
from tests.patience import PATIENCE
from tests.server_process import ServerProcess
from tests.stores.observations import Observations
from tests.tcp_proxy import TcpProxy

from tracker.demo.company import Company
from tracker.stores.choice import chosen_contents
from tracker.stores.contents import Kind, digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mongo_servers import MongoServers

EVENTS = 2_000
UNTIL = 1_780_000_000_000_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file of events as a tool would write them: without what is unset."""
    file = tmp_path_factory.mktemp("archive") / "events.ndjson"
    made = Company(1).events(EVENTS, until=UNTIL, days=10)
    file.write_text("".join(f"{event.to_json()}\n" for event in made), "utf-8")
    return file


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[ServerProcess]:
    """Give a server that has these events."""
    with ServerProcess(tmp_path_factory.mktemp("full") / "tracker.db") as server:
        assert run(server, "import", str(archive)).stdout.startswith("2,000 stored, ")
        yield server


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "tracker.db") as server:
        yield server


def run(server: ServerProcess, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = tracker(*arguments, environ=at(server))
    assert done.returncode == code, done.stderr
    return done


def sent(server: ServerProcess, text: str, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Import lines from standard input."""
    done = tracker("import", "-", *options, environ=at(server), text=text)
    assert done.returncode == code, done.stderr
    return done


def exported(server: ServerProcess, *arguments: str) -> list[Any]:
    return [json.loads(line) for line in run(server, "export", *arguments).stdout.splitlines()]


def count(server: ServerProcess) -> int:
    return int(json.loads(run(server, "stats", "--output", "json").stdout)["totalCount"])


def summary(store: Path | str) -> tuple[int, int]:
    """Return how many events a store has that no server has open, and the sum of their digests."""

    async def read() -> tuple[int, int]:
        contents = chosen_contents(str(store), "STORE", Observations())
        await contents.open_to_read()
        try:
            digests = [
                digest(event) async for batch in contents.records(Kind.EVENTS).batches() for event in batch
            ]
        finally:
            await contents.close()
        return len(digests), sum(digests)

    return asyncio.run(read())


def by_small_pages(*arguments: str) -> list[str]:
    """Return the command of an export that takes many pages."""
    smaller = "from tracker.cli.archive import writing; writing._PAGE = 40"
    script = f"{smaller}; from tracker.cli.main import main; main()"
    return [sys.executable, "-c", script, "export", *arguments]


def test_events_go_from_one_server_through_a_pipe_to_another(
    full: ServerProcess, empty: ServerProcess
) -> None:
    pipe = f'"{sys.executable}" -m tracker export --server {at(full)["TRACKER_SERVER"]} |'
    command = f'{pipe} "{sys.executable}" -m tracker import - --server {at(empty)["TRACKER_SERVER"]}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=CLEAN, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("2,000 stored, ")
    assert exported(empty) == exported(full)


def test_events_from_a_file_to_a_database_of_mongodb_and_back_are_the_same(
    archive: Path, tmp_path: Path, mongo: MongoServers
) -> None:
    first, last, uri = tmp_path / "first.db", tmp_path / "last.db", mongo.emptied_database()
    packed = tmp_path / "events.ndjson.gz"
    with ServerProcess(first) as server:
        run(server, "import", str(archive))
        run(server, "export", "-o", str(packed))
        assert server.terminate() == 0
    with ServerProcess(tmp_path / "mongo.db", MONGO_URI=uri) as server:
        assert run(server, "import", str(packed)).stdout.startswith("2,000 stored, ")
        assert run(server, "import", str(packed)).stdout.startswith("2,000 there already, ")
        run(server, "export", "--newest-first", "-o", str(tmp_path / "again.ndjson"))
        assert server.terminate() == 0
    with ServerProcess(last) as server:
        run(server, "import", str(tmp_path / "again.ndjson"))
        assert server.terminate() == 0
    assert summary(first)[0] == EVENTS
    assert summary(first) == summary(uri) == summary(last)


def test_an_export_has_what_a_query_finds_whole_and_in_the_order_asked_for(full: ServerProcess) -> None:
    found = exported(full, "type:incident", "status:close")
    assert 0 < len(found) < EVENTS
    assert {(event["attributes"]["type"], event["attributes"]["status"]) for event in found} == {
        ("incident", "close")
    }
    assert exported(full, "--newest-first", "type:incident", "status:close") == found[::-1]
    assert found[0]["links"].keys() == {"pullRequestLink", "ticket"}
    assert run(full, "export", "statsu:close", code=64).stderr.startswith("tracker: query: ")


@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
def test_an_export_that_was_killed_goes_on_and_writes_the_same_bytes(
    full: ServerProcess, tmp_path: Path, name: str
) -> None:
    whole, file, note = tmp_path / f"whole.{name}", tmp_path / name, tmp_path / f"{name}.unfinished"
    subprocess.run(by_small_pages("-o", str(whole)), env=CLEAN | at(full), check=True, capture_output=True)
    with subprocess.Popen(by_small_pages("-o", str(file)), env=CLEAN | at(full)) as process:
        deadline = time.monotonic() + PATIENCE
        while not note.exists() or json.loads(note.read_text())["events"] < 200:
            assert time.monotonic() < deadline
            time.sleep(0.002)  # between two looks
        process.kill()
    before = json.loads(note.read_text())["events"]
    assert 200 <= before < EVENTS
    with file.open("ab") as torn:
        torn.write(b"a page of which a part was writ")
    refused = run(full, "export", "-o", str(file), "--resume", "type:incident", code=64)
    assert "was begun with all events, the oldest first" in refused.stderr
    resumed = subprocess.run(
        by_small_pages("-o", str(file), "--resume"),
        env=CLEAN | at(full),
        check=True,
        capture_output=True,
        text=True,
    )
    assert resumed.stdout.startswith(f"{file} has 2,000 events, {before:,} of them before, ")
    assert file.read_bytes() == whole.read_bytes()
    assert not note.exists()


def test_a_packed_export_is_what_gzip_reads(full: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "events.gz"
    run(full, "export", "-o", str(file), "type:drift")
    with gzip.open(file, "rt") as lines:
        assert [json.loads(line) for line in lines] == exported(full, "type:drift")


def test_an_export_that_was_not_begun_is_begun_by_resume(full: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text("of yesterday\n")
    run(full, "export", "-o", str(file), "--resume", "type:drift")
    assert file.read_text().count("\n") == len(exported(full, "type:drift"))


def test_an_import_that_was_killed_is_repeated_and_nothing_is_there_twice(
    archive: Path, empty: ServerProcess, full: ServerProcess
) -> None:
    lines = archive.read_text().splitlines(keepends=True)
    with start("import", "-", environ=at(empty)) as process:
        assert process.stdin is not None
        process.stdin.write("".join(lines[:1_600]))
        process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while not (there := count(empty)):
            assert time.monotonic() < deadline
        process.kill()
    assert there < EVENTS
    there = count(empty)
    done = run(empty, "import", str(archive))
    assert done.stdout.startswith(f"{EVENTS - there:,} stored, {there:,} there already, ")
    assert exported(empty) == exported(full)


def test_an_import_outlasts_a_server_that_is_killed_and_started_again(
    archive: Path, empty: ServerProcess, full: ServerProcess
) -> None:
    lines = archive.read_text().splitlines(keepends=True)
    with ThreadPoolExecutor() as pool, start("import", "-", environ=at(empty)) as process:
        assert process.stdin is not None
        process.stdin.write("".join(lines[:1_600]))
        process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while not count(empty):
            assert time.monotonic() < deadline
        empty.kill()
        more = pool.submit(process.stdin.write, "".join(lines[1_600:1_900]))  # which is read in part
        empty.start()
        more.result(PATIENCE)
        _, told = process.communicate("".join(lines[1_900:]), timeout=PATIENCE)
    assert process.returncode == 0, told
    assert exported(empty) == exported(full)


def test_an_interrupted_import_ends_though_the_server_is_away(archive: Path, tmp_path: Path) -> None:
    with (
        ServerProcess(tmp_path / "tracker.db") as server,
        subprocess.Popen(
            [sys.executable, "-m", "tracker", "import", "-"],
            env=CLEAN | at(server),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        server.kill()
        process.stdin.write(b"".join(archive.read_bytes().splitlines(keepends=True)[:1_250]))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert told.endswith(b"tracker: interrupted; the same command continues\n")


def test_lines_that_are_wrong_are_named_by_their_numbers(empty: ServerProcess) -> None:
    good = {"title": "Deploy", "attributes": {"service": "shop", "type": "deployment"}}
    wrong: list[tuple[object, str]] = [
        ("{", "not JSON: "),
        ("[1]", "expected an event, a JSON object"),
        ({**good, "title": ""}, "title is required"),
        ({"title": "x" * 501, "metadata": {"id": "7"}}, "title: must be at most 500 characters"),
        ({"title": "t", "attributes": {"service": "shop"}}, "attributes.type is required: one of deployment"),
        ({**good, "attributes": {"startDate": "yesterday"}}, "attributes.startDate: expected "),
        ({**good, "links": [1]}, "links: expected an object"),
        ('{"title": "a", "title": "b"}', "title: duplicate field: give it once"),
        ({**good, "more": json.loads("[" * 80 + "]" * 80)}, "the body nests deeper than 64 levels"),
        ({**good, "attributes": {"message": "x" * 5_000_000}}, "the event is larger than 4 MiB"),
    ]
    written = [each if isinstance(each, str) else json.dumps(each) for each, _ in wrong]
    text = "\n".join([json.dumps(good), *written, "", json.dumps(good | {"title": "last"})])
    done = sent(empty, text, "--on-error", "skip", code=1)
    told = [line for line in done.stderr.splitlines() if line.startswith("tracker: line ")]
    assert len(told) == len(wrong)
    for number, (line, (_, why)) in enumerate(zip(told, wrong, strict=True), 2):
        assert line.startswith(f"tracker: line {number}: {why}"), line
    assert done.stdout.startswith(f"2 stored, {len(wrong)} refused, ")
    assert [event["title"] for event in exported(empty)] == ["Deploy", "last"]


def test_an_import_stops_at_a_line_that_is_wrong_unless_told_to_skip_it(empty: ServerProcess) -> None:
    lines = [
        json.dumps({"title": f"Deploy {number}", "attributes": {"service": "shop", "type": "deployment"}})
        for number in range(5_000)
    ]
    lines[10] = "wrong"
    done = sent(empty, "\n".join(lines), code=1)
    assert "tracker: line 11: not JSON" in done.stderr
    assert "Correct it and run the same command again, or give --on-error skip" in done.stderr
    assert count(empty) < 4_999
    sent(empty, "\n".join(lines), "--on-error", "skip", code=1)
    assert count(empty) == 4_999


def test_what_a_server_lists_is_imported_as_it_is(full: ServerProcess, empty: ServerProcess) -> None:
    listed = tracker("event", "list", "-n", "30", "--output", "ndjson", environ=at(full)).stdout
    assert sent(empty, listed).stdout.startswith("30 stored, ")
    document = json.loads(tracker("event", "list", "-n", "50", "--output", "json", environ=at(full)).stdout)
    answer = json.dumps({**document, "totalCount": 3_000, "nextPageToken": "x"})
    assert sent(empty, answer).stdout.startswith("20 stored, 30 there already, ")


def test_with_overwrite_the_file_takes_the_place_of_what_is_there(empty: ServerProcess) -> None:
    event = {"title": "Deploy", "metadata": {"id": "019ad3f1-7b00-7c21-9d0e-5b1f3a7c2e48"}}
    sent(empty, json.dumps(event))
    changed = json.dumps(event | {"title": "Deploy again"})
    assert sent(empty, changed).stdout.startswith("1 there already, ")
    assert sent(empty, changed, "--overwrite").stdout.startswith("1 replaced, ")
    assert exported(empty)[0]["title"] == "Deploy again"


def test_a_lost_answer_does_not_overwrite_what_another_changed_meanwhile(empty: ServerProcess) -> None:
    event = {"title": "Deploy", "metadata": {"id": "019ad3f1-7b00-7c21-9d0e-5b1f3a7c2e48"}}
    sent(empty, json.dumps(event))
    theirs, mine = (json.dumps(event | {"title": title}) for title in ("Deploy theirs", "Deploy mine"))
    with TcpProxy(empty.http_port) as proxy:
        proxy.lose_next_answer(lambda: sent(empty, theirs, "--overwrite"))
        server = ("--server", f"http://127.0.0.1:{proxy.port}")
        assert sent(empty, mine, "--overwrite", *server).stdout.startswith("1 replaced, ")
    assert exported(empty)[0]["title"] == "Deploy theirs"


def test_a_file_that_can_not_be_read_or_written_is_named(full: ServerProcess, tmp_path: Path) -> None:
    none = tmp_path / "none"
    said = f"tracker: {none} can't be read: No such file or directory\n"
    assert run(full, "import", str(none), code=64).stderr == said
    (tmp_path / "torn.gz").write_bytes(gzip.compress(b"{}\n" * 1_000)[:20])
    assert "can't be read" in run(full, "import", str(tmp_path / "torn.gz"), code=64).stderr
    assert "can't be written" in run(full, "export", "-o", str(tmp_path / "none" / "x"), code=1).stderr
    assert run(full, "export", "--resume", code=64).stderr.startswith("tracker: --resume needs --file")


def test_progress_is_shown_on_a_terminal(full: ServerProcess, archive: Path, tmp_path: Path) -> None:
    for arguments in (("import", str(archive)), ("export", "-o", str(tmp_path / "events"))):
        assert "events" in on_terminal(*arguments, columns=100, environ=at(full))


@pytest.mark.parametrize("command", ["import", "export"])
def test_help_names_the_exit_codes(command: str) -> None:
    assert "130    interrupted; the same command continues" in tracker(command, "--help").stdout


def test_long_changelogs_come_back_whole(empty: ServerProcess, tmp_path: Path) -> None:
    for of_event, entries, size in ((1, 60, 9), (2, 70, 65_536)):
        named = {
            "title": f"event {of_event}",
            "metadata": {"id": f"018f0000-0000-7000-8000-00000000000{of_event}"},
        }
        whole = [{"user": "ana", "newValue": "é" * (size // 2), "comment": str(n)} for n in range(entries)]
        first = json.dumps({**named, "changelog": whole[:20]})
        rest = (
            json.dumps({**named, "changelog": whole[n : n + 20], "changelogFrom": n})
            for n in range(20, 80, 20)
        )
        assert sent(empty, "\n".join((first, *rest))).stdout.startswith("1 stored, ")
    lines = exported(empty)
    assert max(len(json.dumps(line, ensure_ascii=False).encode()) for line in lines) < 4 * 2**20
    entries_of = [entry["comment"] for line in lines[1:] for entry in line["changelog"]]
    assert entries_of == [str(number) for number in range(70)]
    file = tmp_path / "long.ndjson.gz"
    run(empty, "export", "-o", str(file))
    with ServerProcess(tmp_path / "other.db") as other:
        for options, outcome in (((), "2 stored"), ((), "2 there already"), (("--overwrite",), "2 replaced")):
            assert run(other, "import", str(file), *options).stdout.startswith(outcome)
            assert exported(other) == lines
        shown = json.loads(
            run(other, "event", "changelog", lines[1]["metadata"]["id"], "--output", "json").stdout
        )
        assert len(shown["changelog"]) == shown["totalCount"] == 70


def test_a_line_that_is_missing_from_a_long_changelog_is_noticed(empty: ServerProcess) -> None:
    id_ = "018f0000-0000-7000-8000-000000000001"
    event = {"title": "x", "metadata": {"id": id_}}
    entries = [{"comment": str(number)} for number in range(30)]
    lines = [
        json.dumps(
            {**event, "changelog": entries[first : first + 10], **({"changelogFrom": first} if first else {})}
        )
        for first in (0, 10, 20)
    ]
    missing = f"entries {{}} to 20 of the changelog of {id_} are missing"
    assert f"line 2: {missing.format(10)}" in sent(empty, f"{lines[0]}\n{lines[2]}", code=1).stderr
    other = json.dumps({"title": "y", "attributes": {"service": "s", "type": "drift"}})
    assert f"line 2: {missing.format(0)}" in sent(empty, f"{other}\n{lines[2]}", code=1).stderr
    assert sent(empty, "\n".join(lines[:2])).stdout.startswith("1 there already")
    assert sent(empty, lines[2]).stdout.startswith("no events"), "the rest of a file that was split"
    assert sent(empty, "\n".join((*lines, lines[2]))).stdout.startswith("1 there already")
    (shown,) = (each for each in exported(empty) if each["title"] == "x")
    assert [entry["comment"] for entry in shown["changelog"]] == [str(number) for number in range(30)]


def test_an_import_that_the_server_refuses_names_the_lines(empty: ServerProcess) -> None:
    event = {"title": "x", "metadata": {"id": "018f0000-0000-7000-8000-000000000001"}, "changelogFrom": 5}
    assert "line 2: no event found" in sent(empty, f"\n{json.dumps(event)}", code=1).stderr
