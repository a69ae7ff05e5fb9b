"""How the tests, and the tree, are laid out."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def imported_names(path: Path) -> Iterator[str]:
    """Yield the last part of each name that a module imports, and of the module that it comes from."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            yield from (name.rpartition(".")[2] for name in names)


def test_what_several_tests_need_is_in_a_module_without_tests() -> None:
    for path in HERE.rglob("*.py"):
        assert not [name for name in imported_names(path) if name.startswith(("test_", "conftest"))], path


def test_no_file_beside_the_readme_has_the_name_of_an_option() -> None:
    assert not [path.name for path in HERE.parent.iterdir() if path.name.startswith("-")]
