"""What is shown of a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.config import ConfigurationError, ineffective_variables, load
from tracker.config.settings import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "s3cr3t"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (f"mongodb://ada:{PASSWORD}@db:27017/tracker", "mongodb://***@db:27017/tracker"),
        (f"mongodb+srv://ada:{PASSWORD}@db/?w=majority", "mongodb+srv://***@db/?w=majority"),
        (f"mongodb://ada:p@/{PASSWORD}@db/x", "mongodb://***@db/x"),
        (f"mongodb://{PASSWORD}@db", "mongodb://***@db"),
        ("mongodb://db:27017/tracker", "mongodb://db:27017/tracker"),
        (
            f"mongodb://db/?tls=true&tlsCertificateKeyFilePassword={PASSWORD}&w=1",
            "mongodb://db/?tls=true&tlsCertificateKeyFilePassword=***&w=1",
        ),
        (
            f"mongodb://db/?authMechanismProperties=AWS_SESSION_TOKEN:{PASSWORD}",
            "mongodb://db/?authMechanismProperties=***",
        ),
        (PASSWORD, "***"),
    ],
)
def test_of_an_address_all_but_the_credentials_is_shown(uri: str, shown: str) -> None:
    configuration = load(flags={}, environ={"MONGO_URI": uri})
    assert configuration.settings.mongo_uri == uri
    assert configuration.shown(SETTINGS["mongo_uri"]) == shown
    assert PASSWORD not in repr(configuration)


def test_a_secret_of_a_wrong_type_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "tracker.toml"
    file.write_text(f"mongo_uri = ['{PASSWORD}']")
    with pytest.raises(ConfigurationError) as refused:
        load(flags={}, environ={}, file=file)
    assert refused.value.problems == (f"mongo_uri: expected text, got another value (file {file})",)


def test_variables_of_the_earlier_implementation_are_found() -> None:
    assert ineffective_variables({"DB_PORT": "1", "DB_HOST": "db", "DB_NAME": "", "DBX": "1"}) == [
        "DB_HOST",
        "DB_PORT",
    ]
