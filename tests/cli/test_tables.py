"""What terminals of any width, pipes, spreadsheets and parsers get of the same values."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest
import yaml
from protobuf.wkt import Timestamp

from tracker.cli.event.shown import EVENTS, change_printer
from tracker.cli.printing import Output, print_csv, print_document, say
from tracker.cli.stats import print_counts
from tracker.cli.tables import Column, print_rows
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.transcoding.json_text import JsonValue

HOSTILE = "a\x1b[2Jb\u009b31mc\u202ed\u2066e\u200bf\u200eg\x7fh\U000e0041\x85\u2028z"
"""What moves the cursor, turns text round, or hides it."""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    """Give a function that makes standard output a terminal of that width without colours."""
    monkeypatch.setenv("TERM", "dumb")

    def of(columns: int) -> io.StringIO:
        monkeypatch.setenv("COLUMNS", str(columns))
        screen = _Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        return screen

    return of


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def event(number: int) -> event_pb.Event:
    return event_pb.Event(
        title=f"Deploy {number} to everywhere " + "far" * number + HOSTILE,
        attributes=event_pb.EventAttributes(
            service="payments-api",
            environment=event_pb.Environment.production,
            type=event_pb.Type.deployment,
            status=event_pb.Status.in_progress,
            start_date=Timestamp(seconds=1_770_000_000 + number),
        ),
        metadata=event_pb.EventMetadata(id=f"0199f0c2-b7d2-7{number:03}-a0f3-c1d2e4b5a697"),
    )


def is_safe(text: str) -> bool:
    return all(each.isprintable() or each == "\n" for each in text)


@pytest.mark.parametrize("columns", [*range(40, 100, 7), 120, 170, 200, 400])
def test_a_record_is_a_line_at_any_width(terminal: Callable[[int], io.StringIO], columns: int) -> None:
    screen = terminal(columns)
    EVENTS.print([event(number) for number in range(100)])
    shown = screen.getvalue()
    lines = shown.splitlines()
    assert len(lines) == 101
    assert max(map(len, lines)) <= columns
    assert all(line == line.rstrip() for line in lines)
    assert is_safe(shown)
    ids = [line.split()[-1] for line in lines[1:]]
    assert len(set(ids)) == 100
    assert all(event(number).metadata.id.startswith(id_) for number, id_ in enumerate(ids))  # type: ignore[union-attr]  # it has some
    assert all("Deploy" in line for line in lines[1:])
    assert ("ENVIRON" in lines[0]) is (columns >= 82)
    assert columns < 120 or "ENVIRONMENT" in lines[0]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_change_is_a_line_at_any_width(terminal: Callable[[int], io.StringIO], columns: int) -> None:
    screen = terminal(columns)
    print_change = change_printer()
    for number in range(3):
        print_change(
            event_pb.WatchEventsResponse(event=event(number), kind=event_pb.WatchEventsResponse.Kind.updated)
        )
    lines = screen.getvalue().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= columns
    assert is_safe(screen.getvalue())
    assert all("updated" in line and "Deploy" in line for line in lines)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_bars_are_scaled_to_the_terminal(terminal: Callable[[int], io.StringIO], columns: int) -> None:
    screen = terminal(columns)
    days = [(Timestamp(seconds=1_769_904_000 + 86_400 * day), day, day, 0) for day in range(31)]
    print_counts(7, [(("time", "events", "success", "a" * 60), days)])
    lines = screen.getvalue().splitlines()
    assert len(lines) == 34
    assert max(map(len, lines)) <= columns
    bars = [line.count("\N{FULL BLOCK}") for line in lines[3:]]
    assert bars == sorted(bars)
    assert max(bars) >= columns // 5
    assert lines[3].startswith("2026-02-01 ")


def test_wide_characters_are_counted_as_terminals_do(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(40)
    rows = [("部署" * 20, 1), ("x", 22)]
    print_rows((Column("WHAT"), Column("N")), rows)
    head, wide, narrow = screen.getvalue().splitlines()
    assert wide.endswith("…   1")
    assert len(head) == len(narrow) == 40


def test_a_pipe_has_whole_records_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    EVENTS.print([event(number) for number in range(100)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 101
    for number, line in enumerate(lines[1:]):
        time_, service, environment, type_, status, priority, took, title, id_ = _columns(line)
        assert (time_, service, environment) == (
            f"2026-02-02 02:{40 + number // 60}:{number % 60:02}",
            "payments-api",
            "production",
        )
        assert (type_, status, priority, took) == ("deployment", "in_progress", "-", "-")
        assert title.startswith(f"Deploy {number} to")
        assert id_ == event(number).metadata.id  # type: ignore[union-attr]  # it has some
    assert is_safe("\n".join(lines))


def _columns(line: str) -> list[str]:
    return re.split(" {2,}", line)


def test_a_table_for_spreadsheets_has_no_formulas_and_keeps_lines(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+2", "-2+3", "\tx", "\r=1", "\n=1", "\uff1dx"]
    kept = ["-1.5", "+3", "-7", 'a\nb\r\n"c", d', "5=5", "", "\u00a0", "Zürich"]
    print_csv(["a"], [(each,) for each in (*hostile, *kept)])
    rows = [value for (value,) in csv.reader(io.StringIO(capsys.readouterr().out, newline=""))]
    assert rows == ["a", *(f"'{each}" for each in hostile), *kept]


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_a_document_on_a_terminal_has_escapes_and_says_the_same(
    terminal: Callable[[int], io.StringIO], output: Output
) -> None:
    screen = terminal(80)
    document: dict[str, JsonValue] = {
        "text": HOSTILE,
        "lines": f"one\n{HOSTILE}\n",
        "list": [HOSTILE, "Zürich \U0001f680"],
    }
    print_document(document, output)
    shown = screen.getvalue()
    assert is_safe(shown)
    assert "Zürich" in shown
    assert (json.loads if output is Output.JSON else yaml.safe_load)(shown) == document


def test_a_document_in_a_pipe_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"text": HOSTILE, "lone": "\ud800"}, Output.JSON)
    shown = capsys.readouterr().out
    assert "\u202e" in shown
    assert json.loads(shown) == {"text": HOSTILE, "lone": "\ud800"}


def test_a_message_is_one_line_without_controls(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"no event {HOSTILE}\nsecond\ud800")
    shown = capsys.readouterr().err
    assert is_safe(shown)
    assert len(shown.splitlines()) == 1


def test_a_time_at_the_end_of_the_calendar_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    print_rows((Column("TIME"),), [(Timestamp(seconds=253_402_300_799),)])
    assert capsys.readouterr().out == "TIME\n9999-12-31 23:59:59\n"
