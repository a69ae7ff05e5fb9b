"""Commands and groups of them, made of functions, with the help that they print."""

from __future__ import annotations

import inspect
import re
from collections import UserDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from tracker.cli.exits import epilog

_LONGEST_SENTENCE = 200
"""Characters of a sentence that stands for a command in a list of commands."""


class HelpedCommand(TyperCommand):
    """A command whose help breaks no example."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - those of the class above it
        super().__init__(*args, **kwargs)
        self.help = re.sub("^Example:", "\b\nExample:", self.help or "", flags=re.MULTILINE)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - of a private class of typer
        """Return what follows the name in the usage: what is required stands there as it is."""
        return [each.replace("{", "").replace("}", "") for each in super().collect_usage_pieces(ctx)]

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - lists of commands have several lines
        """Return the first sentence of the help."""
        return super().get_short_help_str(_LONGEST_SENTENCE)


Command: TypeAlias = TyperCommand | TyperGroup
Maker: TypeAlias = "Callable[[str], Command]"
"""Makes the command of a name."""


class Commands(UserDict[str, Any]):
    """Commands by name, of which each is made when it is first asked for: their options take time to make."""

    def __getitem__(self, name: str) -> Command:
        """Return a command; what was set is a command or its maker."""
        made: Command | Maker = self.data[name]
        if not isinstance(made, Command):
            made = self.data[name] = made(name)
        return made


class HelpedGroup(TyperGroup):
    """Commands, without the options of typer that install its own scripts for completion."""

    commands: Commands
    sections: Mapping[str, Iterable[str]] = MappingProxyType({})
    """Names of the commands under each heading of the help; without any, they have one heading."""

    def __init__(self, *, commands: Mapping[str, Any], **kwargs: Any) -> None:  # noqa: ANN401 - the same
        super().__init__(**kwargs)
        self.commands = Commands(commands)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - of a private class of typer
        """Return the options that precede a command."""
        scripts = ("install_completion", "show_completion")
        return [each for each in super().get_params(ctx) if each.name not in scripts]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - of private classes of typer
        """Write what each command does, under the headings."""
        names = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        width = max(map(len, names))
        for heading, section in (self.sections or {"Commands": names}).items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (name.ljust(width), self.commands[name].get_short_help_str())
                        for name in section
                        if name in names
                    ]
                )

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - the same
        """Return the first sentence of the help."""
        return super().get_short_help_str(_LONGEST_SENTENCE)


def client_group(help_: str, codes: Mapping[str, str]) -> HelpedGroup:
    """Return a group that commands are added to."""
    return HelpedGroup(
        commands={}, help=help_, epilog=epilog(codes), no_args_is_help=True, rich_markup_mode=None
    )


class Options(NamedTuple):
    """Options that a command takes as one value: its parameter is annotated with them.

    `make` returns the value for what the command line has for the options.
    """

    declared: Sequence[inspect.Parameter]
    make: Callable[[Mapping[str, Any]], object]


def options_of(fields: Callable[..., object]) -> Options:
    """Return the options that the parameters of a class declare; their value is an object of it."""
    parameters = inspect.signature(fields, eval_str=True).parameters.values()
    return Options([*parameters], lambda given: fields(**given))


def made(
    function: Callable[..., None],
    name: str,
    *,
    codes: Mapping[str, str] | None = None,
    **settings: Any,  # noqa: ANN401 - those of typer
) -> TyperCommand:
    """Return the command of a function, with these settings of typer; its help ends with the exit codes."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    added = alone.command(name, cls=HelpedCommand, epilog=epilog(codes) if codes else None, **settings)
    added(_with_options(function))
    command: TyperCommand = get_command(alone)  # type: ignore[assignment]  # of the class that it was given
    return command


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function that takes the options themselves instead of the values made of them."""
    groups: dict[str, Options] = {}
    parameters: list[inspect.Parameter] = []
    for each in inspect.signature(function, eval_str=True).parameters.values():
        match getattr(each.annotation, "__metadata__", ()):
            case (Options() as group,):
                groups[each.name] = group
                parameters += group.declared
            case _:
                parameters.append(each)

    def called(**given: object) -> None:
        values = {
            name: group.make({each.name: given.pop(each.name) for each in group.declared})
            for name, group in groups.items()
        }
        function(**given, **values)

    ordered = sorted(parameters, key=lambda each: each.kind)
    called.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]  # read by inspect
    called.__doc__ = function.__doc__
    return called
