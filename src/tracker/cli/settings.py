"""Gives a command the settings, and a flag for each of them."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec

import typer

from tracker.config import CONFIG_VARIABLE, SETTINGS, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.config import Configuration, Setting

P = ParamSpec("P")

_FILE = "config"


def takes_settings(
    *names: str,
) -> Callable[[Callable[Concatenate[Configuration, P], None]], Callable[..., None]]:
    """Make a command of a function whose first parameter is the configuration.

    The command has `--config`, and flags for the settings named, or for all. A secret has none: the
    arguments of a process are there for every user of the machine to read.
    """
    flagged = [SETTINGS[name] for name in names or SETTINGS if not SETTINGS[name].secret]

    def decorate(command: Callable[Concatenate[Configuration, P], None]) -> Callable[..., None]:
        def with_flags(*args: P.args, **kwargs: P.kwargs) -> None:
            given = {setting.name: kwargs.pop(setting.name) for setting in flagged}
            file = kwargs.pop(_FILE)
            flags = {name: value if isinstance(value, str) else None for name, value in given.items()}
            configuration = load(
                flags=flags, environ=os.environ, file=file if isinstance(file, Path) else None
            )
            command(configuration, *args, **kwargs)

        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        with_flags.__signature__ = inspect.Signature([*own, *_parameters(flagged)])  # type: ignore[attr-defined]  # read by inspect
        with_flags.__doc__ = command.__doc__
        return with_flags

    return decorate


def _parameters(flagged: list[Setting[object]]) -> Iterator[inspect.Parameter]:
    file = typer.Option(metavar="FILE", help=f"Configuration file, TOML ({CONFIG_VARIABLE}).")
    yield _parameter(_FILE, Annotated[Path | None, file])
    for setting in flagged:
        default = setting.kind.show(setting.default)
        help_ = f"{setting.help} ({setting.variable}; default {default})"
        option = typer.Option(setting.flag, metavar="VALUE", help=help_)
        yield _parameter(setting.name, Annotated[str | None, option])


def _parameter(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
