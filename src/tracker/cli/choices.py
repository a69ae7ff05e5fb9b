"""Options that take the names of the values of an enum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def choice_option(enum: str, help_: str, *names: str) -> object:
    """Return an option that takes the name of a value of an enum, such as `event_pb.Status`, in any case."""

    def parsed(text: str) -> str:
        known = _names(enum)
        found = known.get(text.lower().replace("-", "_"))
        if found is None and text:
            raise typer.BadParameter(f"expected one of {', '.join(known.values())}, got {text!r}")
        return found or ""

    metavar = enum.rpartition(".")[2].upper()
    return typer.Option(*names, parser=parsed, autocompletion=names_of(enum), metavar=metavar, help=help_)


def names_of(enum: str) -> Callable[[], list[str]]:
    """Return a completion of the names of the values of an enum."""
    return lambda: list(_names(enum).values())


def _names(enum: str) -> Mapping[str, str]:
    """Return the names of the values of an enum by their lower case."""
    from tracker import pb

    file, _, name = enum.partition(".")
    values = getattr(getattr(pb, file), name).desc().values
    return {value.name.lower(): value.name for value in values if value.number}
