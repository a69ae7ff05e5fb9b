"""Commands that get options which they don't declare themselves."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

P = ParamSpec("P")
T = TypeVar("T")


def with_parameters(
    added: Sequence[inspect.Parameter],
    make: Callable[[Mapping[str, object]], T],
    command: Callable[Concatenate[T, P], None],
) -> Callable[..., None]:
    """Return a command that passes what `make` returns for the added options as the first argument.

    In the help, they follow the command's arguments and precede its own options.
    """

    def called(*args: P.args, **kwargs: P.kwargs) -> None:
        given = {each.name: kwargs.pop(each.name) for each in added}
        command(make(given), *args, **kwargs)

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    arguments = [each for each in own if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    options = own[len(arguments) :]
    called.__signature__ = inspect.Signature([*arguments, *added, *options])  # type: ignore[attr-defined]  # read by inspect
    called.__doc__ = command.__doc__
    return called


def option(name: str, annotation: object, default: object = None) -> inspect.Parameter:
    """Return an option as a parameter; a default of `inspect.Parameter.empty` makes it required."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
