"""The page of the command line names all there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.cli.forms import FORMS
from tests.docs.pages import code, listing, read, section, table

from tracker.cli.exits import LOCK_TABLE, OUTDATED
from tracker.cli.main import app

if TYPE_CHECKING:
    from typer.core import TyperCommand

PAGE = "docs/cli.md"
LOCK, CATALOG, TOKEN, EVENT = (
    app.commands[name].commands  # type: ignore[union-attr]  # of a group
    for name in ("lock", "catalog", "token", "event")
)


def test_every_command_is_listed() -> None:
    commands = {f"tracker {name}" for name, each in app.commands.items() if not each.hidden}
    listed = [name for names, _ in listing(PAGE, "## Commands") for name in code(names)]
    assert set(listed) == commands
    for group, each in (("lock", LOCK), ("event", EVENT), ("catalog", CATALOG), ("token", TOKEN)):
        for name in each:
            assert f"\n- `tracker {group} {name}`: " in read(PAGE)


@pytest.mark.parametrize("group", [LOCK, EVENT, CATALOG, TOKEN])
def test_every_option_explains_itself(group: dict[str, TyperCommand]) -> None:
    for command in group.values():
        for each in command.params:
            if each.param_type_name == "option":
                assert getattr(each, "help", None), f"{command.name} {each.name}"


def test_the_forms_of_output_are_listed_with_the_commands_that_have_them() -> None:
    for form, _, commands in table(PAGE, "form", "what it is", "commands"):
        having = {command for command, forms in FORMS.items() if code(form)[0] in forms}
        listed = set(code(commands))
        assert having == (set(FORMS) - listed if commands.startswith("all") else listed), form


def test_the_exit_codes_are_those_of_the_help() -> None:
    items = re.findall(r"^- ([\w+]+): (.*)$", section(PAGE, "### Exit codes"), re.MULTILINE)
    listed = {each: meaning.replace("`", "") for each, meaning in items}
    assert listed == {each: meaning.replace("`", "") for each, meaning in LOCK_TABLE.items()}


def test_the_exit_code_of_outdated_versions_is_named() -> None:
    assert f"{OUTDATED} is that of `compliance --fail-on-outdated`" in read(PAGE)


def test_the_variables_of_the_command_line_are_named() -> None:
    variables = {each.envvar for command in LOCK.values() for each in command.params if each.envvar}
    assert variables
    assert all(re.search(rf"`{variable}`", read(PAGE)) for variable in variables)
