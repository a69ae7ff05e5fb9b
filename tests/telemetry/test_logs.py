"""Log lines: their shape, what they never hold, what libraries add to them."""

from __future__ import annotations

import io
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.telemetry.clean import LIMIT
from tracker.telemetry.logs import stdlib_routed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.telemetry.log_file import LogFile

    from tracker.telemetry.logs import Format

SECRET = "hunter2hunter2"


def fail(error: Exception) -> None:
    raise error


HARD_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40) | st.sampled_from(
    [
        "a\r\nb",
        "\x1b[31mred",
        "\x9b31m",
        "\u2028",
        "\u202e",
        "\ud800",
        "\x00",
        "\x7f",
        "é" * 5000,
        "x" * 100_000,
    ]
)
HARD_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | HARD_TEXT
    | st.binary(max_size=40)
    | st.datetimes()
    | st.just(io)
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(HARD_TEXT | st.integers() | st.tuples(st.integers()), inner, max_size=4)
        | st.frozensets(st.integers(), max_size=4)
    ),
    max_leaves=8,
)


@given(
    message=HARD_TEXT,
    fields=st.dictionaries(HARD_TEXT.filter(lambda key: key != "event"), HARD_VALUE, max_size=4),
)
def test_whatever_is_logged_is_one_json_object_on_one_line(
    log_file: LogFile, message: str, fields: dict[str, Any]
) -> None:
    log_file.logger().bind(**fields).info("%s", message)
    line = log_file.line()
    assert list(line)[:3] == ["time", "level", "msg"]
    assert line["level"] == "info"


@given(value=HARD_VALUE)
def test_no_field_is_longer_than_its_limit(log_file: LogFile, value: object) -> None:
    log_file.logger().info("hello", field=value)
    field = log_file.line()["field"]
    if isinstance(field, str):
        assert len(field.encode()) <= LIMIT


@given(text=HARD_TEXT)
def test_no_line_holds_what_a_terminal_acts_on(log_file: LogFile, text: str) -> None:
    for form in ("json", "text"):
        log_file.logger(form=form).info("hello", field=text, **{"key" + text: 1})
        written = log_file.text()
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", written)
        assert written.count("\n") == 1


def test_a_field_is_cut_between_characters(log_file: LogFile) -> None:
    log_file.logger().info("é" * LIMIT)
    message = log_file.line()["msg"]
    assert message == "é" * (len(message) - 1) + "…"
    assert LIMIT - 1 <= len(message.encode()) <= LIMIT


def test_a_structure_too_large_for_a_field_becomes_the_start_of_its_text(log_file: LogFile) -> None:
    log_file.logger().info("hello", field={"a": ["x" * 1000] * 10})
    field = log_file.line()["field"]
    assert field.startswith('{"a":["xxx')
    assert len(field.encode()) <= LIMIT


def test_a_structure_that_holds_itself_ends(log_file: LogFile) -> None:
    loop: list[object] = ["a"]
    loop.append(loop)
    log_file.logger().info("hello", field=loop)
    assert log_file.line()["field"][:2] == ["a", ["a", ["a", "…"]]]


def test_an_object_whose_text_fails_is_named(log_file: LogFile) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    log_file.logger().info("hello", field=Broken())
    assert log_file.line()["field"] == "<Broken: RuntimeError>"


def test_the_time_is_utc_with_microseconds(log_file: LogFile) -> None:
    before = datetime.now(UTC) - timedelta(microseconds=1)
    log_file.logger().info("hello")
    time = log_file.line()["time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)
    assert before <= datetime.fromisoformat(time) <= datetime.now(UTC)


def test_values_that_json_has_a_word_for_stay_as_they_are(log_file: LogFile) -> None:
    fields = {"a": 1, "b": 2.5, "c": True, "d": None, "e": [1, "x"], "f": {"g": "h"}}
    log_file.logger().warning("hello", **fields)
    line = log_file.line()
    assert {name: line[name] for name in fields} == fields
    assert line["level"] == "warning"


def test_fields_named_like_the_ones_of_every_line_are_kept_under_another_name(log_file: LogFile) -> None:
    log_file.logger().bind(time="t").info("hello", msg="m", level="l")
    line = log_file.line()
    assert (line["msg"], line["level"], line["msg_"], line["level_"], line["time_"]) == (
        "hello",
        "info",
        "m",
        "l",
        "t",
    )


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_not_written(log_file: LogFile, level: str, levels: list[str]) -> None:
    logger = log_file.logger(level)
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)("hello")
    assert re.findall(r'"level":"(\w+)"', log_file.text()) == levels


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach mongodb://ada:{SECRET}@db:27017/x",
        f"cannot reach mongodb://ada:p/{SECRET}@db",
        f"https://{SECRET}@example.com",
        f"Authorization: Bearer {SECRET}",
        f"authorization: {SECRET}",
        f"{{'Authorization': 'Basic {SECRET}'}}",
        f"sent BEARER {SECRET}",
        f"trk_{SECRET}",
    ],
)
@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_inside_a_text_is_logged(log_file: LogFile, form: Format, text: str) -> None:
    logger = log_file.logger(form=form)
    logger.info(text)
    logger.info("hello", field=text, fields=[{"a": (text,)}], raw=text.encode(), long=text + "x" * LIMIT)
    logger.bind(bound=text).info("hello")
    try:
        fail(ValueError(text))
    except ValueError:
        logger.exception("hello")
    written = log_file.text()
    assert SECRET not in written
    assert "***" in written


@pytest.mark.parametrize(
    "name",
    ["authorization", "Cookie", "password", "db_passwd", "client_secret", "api_key", "access_token", "token"],
)
@pytest.mark.parametrize("form", ["json", "text"])
def test_no_field_with_a_secret_name_is_logged(log_file: LogFile, form: Format, name: str) -> None:
    logger = log_file.logger(form=form)
    for _ in range(2):  # a name that was seen before takes a shorter way
        logger.info("hello", **{name: SECRET})
        logger.info("hello", headers={name: [SECRET]}, items=[{name: SECRET}])
    written = log_file.text()
    assert SECRET not in written
    assert written.count("***") >= 6


def test_a_fencing_token_is_a_number_that_anybody_may_see(log_file: LogFile) -> None:
    log_file.logger().info("hello", fencing_token=7)
    assert log_file.line()["fencing_token"] == 7


def test_ordinary_text_is_not_taken_for_a_secret(log_file: LogFile) -> None:
    text = "see https://example.com/@ada?next=1, ask ada@example.com; the bearer of bad news; basic plan"
    log_file.logger().info(text, tokens=3, key="payments")
    line = log_file.line()
    assert (line["msg"], line["tokens"], line["key"]) == (text, 3, "payments")


@pytest.mark.parametrize(
    "text", ["a://" * 20_000, "authorization:" * 8_000, "bearer " * 12_000, "trk_" * 25_000]
)
def test_hostile_text_is_searched_quickly(log_file: LogFile, text: str) -> None:
    started = datetime.now(UTC)
    for _ in range(10):
        log_file.logger().info(text)
    assert (datetime.now(UTC) - started).total_seconds() < 2
    log_file.text()


def test_an_exception_is_logged_with_the_end_of_its_traceback(log_file: LogFile) -> None:
    try:
        fail(ValueError("x" * LIMIT + "the reason"))
    except ValueError:
        log_file.logger().exception("hello", id=1)
    line = log_file.line()
    assert (line["level"], line["id"]) == ("error", 1)
    assert line["exception"].endswith("the reason")
    assert "exc_info" not in line


def test_an_exception_may_be_given_as_itself_and_none_adds_nothing(log_file: LogFile) -> None:
    log_file.logger().error("hello", exc_info=ValueError("why"))
    assert log_file.line()["exception"] == "ValueError: why"
    log_file.logger().error("hello", exc_info=True)
    assert "exception" not in log_file.line()


def test_a_readable_line_has_the_message_and_the_fields(log_file: LogFile) -> None:
    log_file.logger(form="text").warning("disk is full", path="/data", bytes=3)
    line = log_file.text()
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[warning *\] disk is full +path=/data bytes=3\n$", line)


def test_a_readable_traceback_follows_its_line(log_file: LogFile) -> None:
    try:
        fail(ValueError("a\x1b[31mb"))
    except ValueError:
        log_file.logger(form="text").exception("hello")
    written = log_file.text()
    assert "Traceback (most recent call last)" in written
    assert written.endswith("  ValueError: a\\x1b[31mb\n")


def test_the_format_is_json_where_there_is_no_terminal(log_file: LogFile) -> None:
    log_file.logger(form="auto").info("hello")
    assert log_file.line()["msg"] == "hello"


@pytest.fixture
def routed(log_file: LogFile) -> Iterator[LogFile]:
    with stdlib_routed(log_file.logger()):
        yield log_file


def test_warnings_of_libraries_become_lines(routed: LogFile) -> None:
    logging.getLogger("asyncio").warning("slow %s", "callback")
    line = routed.line()
    assert (line["level"], line["msg"], line["logger"]) == ("warning", "slow callback", "asyncio")


def test_what_libraries_tell_below_a_warning_is_left_out(routed: LogFile) -> None:
    chatty = logging.getLogger("asyncio")
    chatty.setLevel(logging.DEBUG)
    chatty.info("started")
    assert routed.text() == ""


def test_exceptions_of_libraries_become_lines(routed: LogFile) -> None:
    try:
        fail(ValueError("why"))
    except ValueError:
        logging.getLogger("grpc").exception("failed")
    line = routed.line()
    assert line["level"] == "error"
    assert line["exception"].endswith("ValueError: why")


def test_a_record_of_a_library_whose_arguments_do_not_fit_is_logged_as_it_is(routed: LogFile) -> None:
    record = logging.LogRecord("lib", logging.ERROR, __file__, 1, "%d items", ("many",), None)
    (ours,) = (h for h in logging.getLogger().handlers if type(h).__module__.startswith("tracker."))
    ours.handle(record)
    assert routed.line()["msg"] == "%d items"


def test_routing_ends(log_file: LogFile) -> None:
    before = list(logging.getLogger().handlers)
    with stdlib_routed(log_file.logger()):
        pass
    assert logging.getLogger().handlers == before
