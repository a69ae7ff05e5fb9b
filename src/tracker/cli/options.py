"""The options that commands share."""

from __future__ import annotations

import getpass
import inspect
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracker.cli import completing
from tracker.cli.calls import Api
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.helped import HelpedGroup, Options, made
from tracker.cli.printing import Output, console
from tracker.client.address import server_address

if TYPE_CHECKING:
    from protobuf import DescEnum

_SEVERAL = {
    Output.NDJSON: "has a line for each of several records",
    Output.CSV: "is a table of several records",
}
"""Why a command may lack a form of output."""


def command_of(
    group: HelpedGroup,
    name: str,
    *,
    codes: Mapping[str, str],
    **settings: Any,  # noqa: ANN401 - those of typer
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds a command to a group, made as `made` does."""

    def added(function: Callable[..., None]) -> Callable[..., None]:
        group.commands[name] = partial(made, function, codes=codes, **settings)
        return function

    return added


def option(name: str, annotation: object, default: object = None) -> inspect.Parameter:
    """Return an option as a parameter; a default of `inspect.Parameter.empty` makes it required."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def choice_option(enum: str, help_: str, *names: str) -> object:
    """Return an option that takes a name or an alias of a value of an enum, such as `event_pb.Status`.

    Its value is the name in the proto.
    """
    metavar = enum.rpartition(".")[2].upper()
    return typer.Option(
        *names, parser=value_of(enum), autocompletion=names_of(enum), metavar=metavar, help=help_
    )


def value_of(enum: str) -> Callable[[str], str]:
    """Return a parser of a name or an alias of a value of an enum; it returns the name in the proto."""

    def parsed(text: str) -> str:
        from tracker.errors import nearest
        from tracker.pb.options import number_named, numbers

        number = number_named(_enum(enum), text)
        if number is None and text:
            expected = f"expected one of {', '.join(_enum_names(enum))}"
            known = (name for name, number in numbers(_enum(enum)).items() if number)
            raise typer.BadParameter(f"{expected}, got {text!r}{nearest(text, known)}")
        return next((value.name for value in _enum(enum).values if value.number == number), "")

    return parsed


def names_of(enum: str) -> Callable[[], list[str]]:
    """Return a completion of the names of the values of an enum."""
    return lambda: _enum_names(enum)


def _enum_names(enum: str) -> list[str]:
    return [value.name for value in _enum(enum).values if value.number]


def _enum(enum: str) -> DescEnum:
    from tracker import pb

    desc: DescEnum = attrgetter(enum)(pb).desc()
    return desc


def number_option(help_: str, *names: str, least: int | None = None, most: int | None = None) -> object:
    """Return an option that takes a whole number, at least and at most the given ones."""
    expected = "a whole number"
    if least is not None:
        expected += f" from {least}" if most is None else f" from {least} to {most}"

    def parsed(value: str | int) -> int:  # a default is an int
        text = str(value).strip()
        number = int(text) if re.fullmatch("[-+]?[0-9]{1,18}", text) else None
        if number is None or not (least is None or least <= number) or not (most is None or number <= most):
            raise typer.BadParameter(f"expected {expected}, got {text!r}")
        return number

    return typer.Option(*names, parser=parsed, metavar="NUMBER", help=help_)


def word_of(*words: str) -> Callable[[str], str]:
    """Return a parser that takes one of these words, of which an empty one stands for none."""

    def parsed(text: str) -> str:
        if text not in words:
            raise typer.BadParameter(f"expected one of {', '.join(filter(None, words))}, got {text!r}")
        return text

    return parsed


def _server(context: typer.Context, text: str) -> str:
    """Return the server given to a command, else the one given before it, else that of the environment."""
    source = context.get_parameter_source("server")
    if source is None or source.name != "COMMANDLINE":
        text = context.find_root().params.get("server") or text
    return address(text)


def address(text: str) -> str:
    """Return the address of a server as it was written, if it is one."""
    try:
        server_address(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def labels_option(name: str, help_: str) -> object:
    """Return an option that takes labels."""
    completion = completing.labels
    return typer.Option(name, parser=_label, autocompletion=completion, metavar="NAME=VALUE", help=help_)


def _label(text: str) -> str:
    """Return a label as it was written, if it is one."""
    if "=" not in text or text.startswith("="):
        raise typer.BadParameter(f"expected NAME=VALUE, got {text!r}")
    return text


def label(text: str) -> tuple[str, str]:
    """Return the name and the value of a label."""
    name, _, value = text.partition("=")
    return name, value


def output_option(help_: str, *forms: Output) -> object:
    """Return the option for the form of output: text, or one of these."""
    known = [Output.TEXT, *forms]

    def parsed(text: str) -> Output:
        if text in known:
            return Output(text)
        why = f"{text} {_SEVERAL[Output(text)]}; " if text in set(_SEVERAL) else ""
        raise typer.BadParameter(f"{why}expected one of {', '.join(known)}, got {text!r}")

    return typer.Option(
        "--output",
        parser=parsed,
        autocompletion=lambda: list(map(str, known)),
        metavar=f"[{'|'.join(known)}]",
        help=help_,
    )


_SERVER = option(
    "server",
    Annotated[
        str, typer.Option(envvar="TRACKER_SERVER", metavar="URL", callback=_server, help="URL of the server.")
    ],
    "http://localhost:8080",
)
ServerBefore = Annotated[str, typer.Option("--server", metavar="URL", help="URL of the server to call.")]
"""The option for the server, given before the command."""
TokenFileBefore = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="File of the token to call it with.")
]
"""The option for the token, given before the command."""


def _token_file(context: typer.Context, file: Path | None) -> Path | None:
    """Return the file given to a command, else the one given before it, else that of the environment."""
    source = context.get_parameter_source("access_token_file")
    if source is not None and source.name == "COMMANDLINE":
        return file
    return context.find_root().params.get("token_file") or file


def _token_option(flag: str) -> inspect.Parameter:
    """Return the option for the token that a command sends."""
    declared = typer.Option(
        flag,
        envvar="TRACKER_TOKEN_FILE",
        metavar="FILE",
        callback=_token_file,
        help="File of the token to send.  [default: that of TRACKER_TOKEN or `tracker login`]",
    )
    return option("access_token_file", Annotated[Path | None, declared])


_TOKEN = _token_option("--token-file")
_ACCESS_TOKEN = _token_option("--access-token-file")


def _api(given: Mapping[str, Any]) -> Api:
    return Api(given["server"], given.get("output", Output.TEXT), given["access_token_file"])


def api_options(help_: str, *forms: Output, token_option: inspect.Parameter = _TOKEN) -> Options:
    """Return the options for the server to call and for the form of output: text, or one of these.

    `token_option` is the option for the token, where another token has the usual one.
    """
    output = option("output", Annotated[Output, output_option(help_, *forms)], Output.TEXT)
    return Options([_SERVER, token_option, output], _api)


Server = Annotated[Api, Options([_SERVER, _TOKEN], _api)]
_ONE = "`json` prints one JSON document, also if the command fails; `yaml` one of YAML."
RecordApi = Annotated[Api, api_options(_ONE, Output.JSON, Output.YAML)]
LockTokenApi = Annotated[Api, api_options(_ONE, Output.JSON, Output.YAML, token_option=_ACCESS_TOKEN)]
"""As `RecordApi`, for commands whose `--token-file` is that of a lock."""
ListApi = Annotated[
    Api,
    api_options(
        "`json` and `yaml` print one document, `ndjson` a record on each line, `csv` a table.",
        *(Output.JSON, Output.NDJSON, Output.YAML, Output.CSV),
    ),
]
_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "CIRCLE_USERNAME", "BUILDKITE_BUILD_CREATOR")
"""Variables with the name of whoever started a job of a CI system."""


def _who() -> str:
    """Return who started the CI job, or else the user and the machine that run this."""
    started = next(filter(None, map(os.environ.get, _ACTORS)), None)
    if started is not None:
        return started
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


Who = Annotated[
    str,
    typer.Option(
        "--who",
        envvar="TRACKER_USER",
        metavar="NAME",
        default_factory=_who,
        show_default=False,
        help="Who does this, for the record.  [default: who started the CI job, or you at this machine]",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation; required without a terminal.")]


def confirm_deletion(yes: Yes, what: str, title: Callable[[], str]) -> None:
    """Ask for confirmation to delete something, unless `yes` gives it; the command ends without it."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"there is no terminal to ask on; give --yes to delete the {what} for good", USAGE)
    question = f"Delete {title()!r} for good? [y/N]: "
    with suppress(EOFError):
        if console(err=True).input(question, markup=False).strip().lower() in {"y", "yes"}:
            return
    raise typer.Abort
