"""Where settings come from, and which of several sources counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from tracker.config import ConfigurationError, load
from tracker.config.settings import SETTINGS, LogLevel, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.config import Configuration


def problems(environ: Mapping[str, str] | None = None, *, file: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        load(flags={}, environ=environ or {}, file=file)
    return refused.value.problems


def written(folder: Path, text: str) -> Path:
    file = folder / "tracker.toml"
    file.write_text(text)
    return file


def from_environment(**given: str) -> Configuration:
    return load(flags={}, environ=given)


def test_without_any_source_the_defaults_hold() -> None:
    configuration = from_environment()
    assert configuration.settings == Settings()
    assert set(configuration.sources.values()) == {"default"}
    assert set(configuration.sources) == set(SETTINGS)


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(tmp_path: Path) -> None:
    file = written(tmp_path, "grpc_port = 1\nhttp_port = 1\nmetrics_port = 1\n")
    configuration = load(
        flags={"grpc_port": "3", "http_port": None},
        environ={"GRPC_PORT": "2", "HTTP_PORT": "2"},
        file=file,
    )
    settings = configuration.settings
    assert (settings.grpc_port, settings.http_port, settings.metrics_port) == (3, 2, 1)
    assert settings.host == "localhost"
    assert [configuration.sources[name] for name in ("grpc_port", "http_port", "metrics_port", "host")] == [
        "flag",
        "environment",
        f"file {file}",
        "default",
    ]


def test_the_environment_may_name_the_file_and_a_flag_names_another(tmp_path: Path) -> None:
    named = written(tmp_path, "http_port = 1")
    other = tmp_path / "other.toml"
    other.write_text("http_port = 2")
    environ = {"TRACKER_CONFIG": str(named)}
    assert load(flags={}, environ=environ).settings.http_port == 1
    assert load(flags={}, environ=environ, file=other).settings.http_port == 2


def test_an_empty_value_counts_as_not_given(tmp_path: Path) -> None:
    file = written(tmp_path, 'mongo_uri = ""\nhttp_port = 7\n')
    configuration = load(flags={"http_port": ""}, environ={"HTTP_PORT": "", "TRACKER_CONFIG": ""}, file=file)
    assert configuration.settings.http_port == 7
    assert configuration.settings.mongo_uri is None


def test_values_get_the_types_that_the_settings_declare() -> None:
    settings = from_environment(
        DATABASE_PATH="/var/lib/tracker.db", TIMEZONE="Europe/Paris", CALL_TIMEOUT="2.5", LOCKS_AUTO="off"
    ).settings
    assert settings.database_path == Path("/var/lib/tracker.db")
    assert settings.timezone == ZoneInfo("Europe/Paris")
    assert settings.call_timeout == 2.5
    assert settings.locks_auto is False


def test_a_file_may_write_numbers_and_switches_as_such_or_as_text(tmp_path: Path) -> None:
    text = 'http_port = 1\ngrpc_port = "2"\nlocks_auto = false\nshutdown_grace = 3\ncall_timeout = 2.5\n'
    settings = load(flags={}, environ={}, file=written(tmp_path, text)).settings
    assert (settings.http_port, settings.grpc_port, settings.locks_auto) == (1, 2, False)
    assert (settings.shutdown_grace, settings.call_timeout) == (3.0, 2.5)


@pytest.mark.parametrize("text", ["on", "ON", "true", "True", "yes", "1"])
def test_a_switch_is_on_in_many_words(text: str) -> None:
    assert from_environment(LOCKS_AUTO=text).settings.locks_auto is True


@pytest.mark.parametrize("text", ["off", "Off", "false", "no", "0"])
def test_a_switch_is_off_in_many_words(text: str) -> None:
    assert from_environment(LOCKS_AUTO=text).settings.locks_auto is False


@pytest.mark.parametrize(
    ("text", "level"), [("DEBUG", LogLevel.DEBUG), ("warn", LogLevel.WARNING), ("Warning", LogLevel.WARNING)]
)
def test_a_log_level_is_known_in_any_case_and_by_its_short_name(text: str, level: LogLevel) -> None:
    assert from_environment(LOG_LEVEL=text).settings.log_level is level


def test_every_default_is_a_value_that_its_kind_reads_back() -> None:
    for setting in SETTINGS.values():
        if setting.default is not None:
            assert setting.kind.parse(setting.kind.show(setting.default)) == setting.default, setting.name


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("GRPC_PORT", "http", "a port from 0 to 65535"),
        ("GRPC_PORT", "65536", "a port from 0 to 65535"),
        ("GRPC_PORT", "-1", "a port from 0 to 65535"),
        ("GRPC_PORT", "80.0", "a port from 0 to 65535"),
        ("GRPC_PORT", "\u0661", "a port from 0 to 65535"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "one of auto, json, text"),
        ("TIMEZONE", "Mars/Olympus", "a time zone such as UTC or Europe/Paris"),
        ("TIMEZONE", "../../etc/passwd", "a time zone such as UTC or Europe/Paris"),
        ("TIMEZONE", "America", "a time zone such as UTC or Europe/Paris"),
        ("LOCKS_AUTO", "perhaps", "on or off"),
        ("CALL_TIMEOUT", "0", "seconds from 0.001 to 600"),
        ("CALL_TIMEOUT", "nan", "seconds from 0.001 to 600"),
        ("CALL_TIMEOUT", "soon", "seconds from 0.001 to 600"),
        ("SHUTDOWN_GRACE", "301", "seconds from 0 to 300"),
        ("DATABASE_PATH", "~nobody-of-that-name/x", "a path"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected_and_where_it_stands(
    variable: str, value: str, expected: str
) -> None:
    name = variable.lower()
    assert problems({variable: value}) == (
        f"{name}: expected {expected}, got {value!r} (environment variable {variable})",
    )


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ("http_port = true", "True"),
        ("http_port = 80.5", "80.5"),
        ("locks_auto = 1", "1"),
        ("database_path = 7", "7"),
        ("host = ['a']", "['a']"),
        ("timezone = {a = 1}", "{'a': 1}"),
    ],
)
def test_a_value_of_another_type_in_a_file_is_refused(tmp_path: Path, line: str, got: str) -> None:
    file = written(tmp_path, line)
    (problem,) = problems(file=file)
    assert problem.startswith(f"{line.partition(' ')[0]}: expected ")
    assert problem.endswith(f"got {got} (file {file})")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "colour = 'red'\nhttp_port = 'x'")
    assert len(problems({"GRPC_PORT": "y", "LOG_LEVEL": "z"}, file=file)) == 4


def test_a_long_wrong_value_is_cut() -> None:
    (problem,) = problems({"LOG_LEVEL": "x" * 10_000})
    assert len(problem) < 250


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("grpc_prot", "grpc_port"),
        ("GRPC_PORT", "grpc_port"),
        ("log-level", "log_level"),
        ("time_zone", "timezone"),
    ],
)
def test_an_unknown_key_in_a_file_is_refused_with_the_nearest_known_name(
    tmp_path: Path, key: str, near: str
) -> None:
    file = written(tmp_path, f"{key} = 1")
    assert problems(file=file) == (
        f"configuration file {file}: unknown setting {key!r}, did you mean {near}?",
    )


def test_an_unknown_key_near_to_nothing_is_refused_with_all_known_names(tmp_path: Path) -> None:
    (problem,) = problems(file=written(tmp_path, "[colour]\nx = 1"))
    assert "unknown setting 'colour'; known are host, grpc_port, " in problem


@pytest.mark.parametrize(("content", "reason"), [(b"http_port", "Expected"), (b"host = '\xff'", "decode")])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "tracker.toml"
    file.write_bytes(content)
    (problem,) = problems(file=file)
    assert problem.startswith(f"configuration file {file}: ")
    assert reason in problem


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "absent.toml"
    assert problems(file=file) == (f"configuration file {file}: No such file or directory",)
    assert problems(file=tmp_path) == (f"configuration file {tmp_path}: Is a directory",)
