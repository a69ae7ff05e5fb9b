"""A stream that can't take log lines: a full disk, a reader who stops or goes away."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE

from tracker.telemetry.logs import LineWriter, make_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict

    from tracker.telemetry.logs import Record


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:  # a test has closed it
            continue


def drained(reading: int) -> bytes:
    data = b""
    while True:
        try:
            part = os.read(reading, 1 << 20)
        except BlockingIOError:
            return data
        if not part:
            return data
        data += part


def line(data: bytes) -> Record:
    return 0, "info", {"line": data}


def render(_at: int, _level: str, fields: EventDict) -> bytes:
    """Return the line of a record, or how many are missing."""
    return fields.get("line") or b"missing %d" % fields["count"]


def test_a_line_that_the_disk_has_no_room_for_is_dropped() -> None:
    with Path("/dev/full").open("wb") as full:
        logger = make_logger("info", "json", full)
        for _ in range(10):
            logger.info("hello")


def test_lines_that_nobody_reads_any_more_are_dropped(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = LineWriter(writing, render)
    for _ in range(10):
        writer.write(*line(b"hello"))


def test_a_stream_that_was_closed_takes_nothing(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], render)
    os.close(pipe[1])
    writer.write(*line(b"hello"))


def test_a_reader_who_stops_costs_a_second_once(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], render)
    started = time.monotonic()
    for _ in range(5000):
        writer.write(*line(b"x" * 1000))
    assert 0.9 < time.monotonic() - started < 60  # not a second for each line


def test_when_the_reader_goes_on_a_line_says_how_many_are_missing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, render)
    for _ in range(200):
        writer.write(*line(b"x" * 999))
    got = drained(reading).splitlines()
    assert set(got) == {b"x" * 999}
    writer.write(*line(b"back"))
    assert drained(reading).splitlines() == [b"back", f"missing {200 - len(got)}".encode()]
    writer.write(*line(b"and on"))
    assert drained(reading) == b"and on\n"


def test_a_line_that_was_torn_does_not_spoil_the_next_one(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, render)
    writer.write(*line(b"y" * 1_000_000))
    torn = drained(reading)
    assert set(torn) == {ord("y")}
    writer.write(*line(b"next"))
    assert drained(reading) == b"\nnext\nmissing 1\n"


def test_a_long_line_waits_for_a_slow_reader(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(reading, True)
    read: list[bytes] = []

    def read_all() -> None:
        while not b"".join(read).endswith(b"\n"):
            read.append(os.read(reading, 1000))

    reader = threading.Thread(target=read_all)
    reader.start()
    LineWriter(writing, render).write(*line(b"z" * 500_000))
    reader.join(PATIENCE)
    assert b"".join(read) == b"z" * 500_000 + b"\n"


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        logger = make_logger("info", "json", file)

        def write(name: str) -> None:
            for number in range(500):
                logger.info("hello", name=name, number=number, padding="x" * 300)

        threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((line["name"], line["number"]) for line in lines) == [
        (str(name), number) for name in range(4) for number in range(500)
    ]


@pytest.mark.parametrize(("form", "start"), [("auto", b"\x1b["), ("text", b"\x1b["), ("json", b'{"time"')])
def test_a_terminal_gets_a_readable_line_unless_json_is_asked_for(form: str, start: bytes) -> None:
    screen, terminal = pty.openpty()
    with os.fdopen(terminal, "wb") as stream:
        make_logger("info", form, stream).info("hello")  # type: ignore[arg-type]  # one of three
        assert os.read(screen, 10_000).startswith(start)
    os.close(screen)


async def test_lines_of_one_turn_of_the_loop_go_out_together_and_in_order(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, render)
    for number in range(10):
        writer.write(*line(str(number).encode()))
    assert drained(reading) == b""
    await asyncio.to_thread(writer.write, *line(b"10"))
    await asyncio.sleep(0)
    assert drained(reading).decode().split() == [str(number) for number in range(11)]
