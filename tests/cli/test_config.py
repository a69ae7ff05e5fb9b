"""`tracker config`."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

from tests.cli.commands import tracker

from tracker.config import load
from tracker.config.settings import SETTINGS, Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_each_setting_is_printed_with_where_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "tracker.toml"
    file.write_text("metrics_port = 1\nhttp_port = 1")
    done = tracker(
        "config",
        "--grpc-port",
        "3",
        folder=tmp_path,
        environ={"TRACKER_CONFIG": "tracker.toml", "HTTP_PORT": "2"},
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(" = ", 1) for line in done.stdout.splitlines())
    assert list(lines) == list(SETTINGS)
    assert lines["grpc_port"].split() == ["3", "#", "flag"]
    assert lines["http_port"].split() == ["2", "#", "environment"]
    assert lines["metrics_port"].split() == ["1", "#", "file", "tracker.toml"]
    assert lines["host"].split() == ['"localhost"', "#", "default"]


def test_what_is_printed_is_a_configuration_file_with_the_same_effect(tmp_path: Path) -> None:
    path = 'a "b" \\ ü.db'
    done = tracker("config", environ={"DATABASE_PATH": path, "LOCKS_AUTO": "off", "TIMEZONE": "Asia/Tokyo"})
    file = tmp_path / "tracker.toml"
    file.write_text(done.stdout)
    assert tomllib.loads(done.stdout)["database_path"] == path
    again = tracker("config", "--config", str(file))
    assert again.returncode == 0, again.stderr
    assert tomllib.loads(again.stdout) == tomllib.loads(done.stdout)


def test_json_has_values_of_their_types() -> None:
    done = tracker("config", "--output", "json", environ={"HTTP_PORT": "2"})
    answer = json.loads(done.stdout)
    assert list(answer) == list(SETTINGS)
    assert answer["http_port"] == {"value": 2, "source": "environment"}
    assert answer["locks_auto"] == {"value": True, "source": "default"}
    assert answer["mongo_uri"] == {"value": None, "source": "default"}
    assert answer["timezone"] == {"value": "UTC", "source": "default"}


def test_secrets_are_masked() -> None:
    for form in ("text", "json"):
        done = tracker("config", "--output", form, environ={"MONGO_URI": "mongodb://ada:s3cr3t@db/tracker"})
        assert done.returncode == 0
        assert "mongodb://***@db/tracker" in done.stdout
        assert "s3cr3t" not in done.stdout + done.stderr


def test_a_wrong_configuration_is_refused_with_one_line_for_each_problem(tmp_path: Path) -> None:
    file = tmp_path / "tracker.toml"
    file.write_text("grpc_prot = 1")
    done = tracker("config", "--config", str(file), "--http-port", "99999", environ={"LOG_FORMAT": "xml"})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"tracker: configuration file {file}: unknown setting 'grpc_prot', did you mean grpc_port?",
        "tracker: http_port: expected a port from 0 to 65535, got '99999' (flag --http-port)",
        "tracker: log_format: expected one of auto, json, text, got 'xml' (environment variable LOG_FORMAT)",
    ]


def test_there_is_a_flag_for_each_setting_but_secrets() -> None:
    help_ = tracker("serv", "--help").stdout
    assert {setting.flag for setting in SETTINGS.values() if setting.flag in help_} == {
        setting.flag for setting in SETTINGS.values() if not setting.secret
    }
    for setting in SETTINGS.values():
        assert setting.secret or setting.variable in help_
    assert load(flags={}, environ={}).settings == Settings()
