"""Passes the settings to a command, with a flag for each of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec

import typer

from tracker.cli.parameters import option, with_parameters
from tracker.config import CONFIG_VARIABLE, SETTINGS, load

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

    from tracker.config import Configuration, Setting

P = ParamSpec("P")

_FILE = option(
    "config",
    Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Configuration file, TOML ({CONFIG_VARIABLE}).")
    ],
)


def takes_settings(
    *names: str,
) -> Callable[[Callable[Concatenate[Configuration, P], None]], Callable[..., None]]:
    """Make a command of a function whose first parameter is the configuration.

    The command has `--config`, and flags for the settings named, or for all. A secret has none, since every
    user of the machine can read the arguments of a process.
    """
    flags = [_flag(SETTINGS[name]) for name in names or SETTINGS if not SETTINGS[name].secret]

    def configuration(given: Mapping[str, object]) -> Configuration:
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        file = given[_FILE.name]
        return load(flags=texts, environ=os.environ, file=file if isinstance(file, Path) else None)

    return lambda command: with_parameters([_FILE, *flags], configuration, command)


def _flag(setting: Setting[object]) -> inspect.Parameter:
    default = setting.kind.show(setting.default)
    help_ = f"{setting.help} ({setting.variable}; default {default})"
    declared = typer.Option(setting.flag, metavar="VALUE", help=help_)
    return option(setting.name, Annotated[str | None, declared])
