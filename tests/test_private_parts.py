"""Private parts of dependencies that Tracker uses: why, and that they are as they were when it was written.

A dependency named here is pinned exactly in pyproject.toml. To update it, read what changed in these parts,
adapt the code that uses them, and enter the new digests.
"""

from __future__ import annotations

import ast
import re
import tomllib
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import protovalidate
import pytest
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).parents[1]

PRIVATE_PARTS = {
    # The generated messages import the options of `buf.validate` from here, and `transcoding.rule_checks` and
    # `tools` read the rules of fields with them. One process can't register them twice, and protovalidate
    # exports only its violations.
    "protovalidate._gen.buf.validate.validate_pb": "060ed12cbea2384f15f606c6d569d730",
}
PINNED = sorted({module.partition(".")[0] for module in PRIVATE_PARTS})


@pytest.mark.parametrize("module", PRIVATE_PARTS)
def test_a_private_part_is_the_one_that_tracker_was_built_on(module: str) -> None:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    assert sha256(Path(spec.origin).read_bytes()).hexdigest()[:32] == PRIVATE_PARTS[module]


@pytest.mark.parametrize("name", PINNED)
def test_a_dependency_with_private_parts_is_pinned_exactly(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (required,) = (each for each in project["dependencies"] if re.match(rf"{name}\b", each))
    assert required == f"{name}=={version(name)}"


def test_the_rules_of_fields_are_described_by_the_messages_of_the_validator_itself() -> None:
    assert protovalidate.ViolationPb.desc().file is validate_pb.desc()


def test_no_other_private_module_is_imported() -> None:
    private = {
        module
        for folder in ("src", "tools")
        for path in (ROOT / folder).rglob("*.py")
        for module in imported(ast.parse(path.read_text("utf-8")))
        if "generated" not in path.parts
        and re.search(r"\._[a-z]", module)
        and not module.startswith("tracker.")
    }
    assert private <= set(PRIVATE_PARTS)


def imported(tree: ast.Module) -> set[str]:
    """Return the full names of what a module imports."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules |= {f"{node.module}.{name.name}" for name in node.names}
    return modules
