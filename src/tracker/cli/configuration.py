"""`tracker config`: the effective settings and where they come from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.documents import print_document
from tracker.cli.options import output_option
from tracker.cli.output import Output
from tracker.cli.settings import takes_settings
from tracker.config import SETTINGS, Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.transcoding.json_text import JsonValue


@takes_settings()
def config(
    configuration: Configuration,
    *,
    output: Annotated[
        Output, output_option("`text` is itself a configuration file.", Output.JSON, Output.YAML)
    ] = Output.TEXT,
) -> None:
    """Print the effective settings.

    Prints the source of each, and masks secrets.
    """
    if output is not Output.TEXT:
        print_document(_as_json(configuration), output)
    else:
        typer.echo("\n".join(_as_toml(configuration)))


def _as_json(configuration: Configuration) -> dict[str, JsonValue]:
    return {
        name: {"value": configuration.shown(setting), "source": configuration.sources[name]}
        for name, setting in SETTINGS.items()
    }


def _as_toml(configuration: Configuration) -> Iterator[str]:
    lines = {name: f"{name} = {_toml(configuration.shown(setting))}" for name, setting in SETTINGS.items()}
    width = max(map(len, lines.values()))
    for name, line in lines.items():
        yield f"{line:<{width}}  # {configuration.sources[name]}"


def _toml(value: object) -> str:
    """Return a value as TOML, which writes the numbers, switches and text of settings as JSON does."""
    return json.dumps("" if value is None else value, ensure_ascii=False)
