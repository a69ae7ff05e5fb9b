"""The examples in the documentation, run as they are printed, against a real server."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import httpx2
import pytest
from protobuf import message_from_json_value
from tests.clients import METHODS
from tests.docs.answers import difference
from tests.docs.pages import PAGES, ROOT, blocks, code, examples, listing
from tests.docs.shell import Shell
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

PAGES_WITH_EXAMPLES = [page for page in PAGES if examples(page)]


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="the examples need curl and bash"
)
@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES)
def test_examples_print_what_the_page_shows(page: str, tmp_path: Path) -> None:
    database = tmp_path / "data" / "tracker.db"
    database.parent.mkdir()
    server = ServerProcess(database)
    stands_for = {
        "localhost:8080": f"127.0.0.1:{server.http_port}",
        "localhost:8081": f"127.0.0.1:{server.metrics_port}",
        "localhost:8765": f"127.0.0.1:{server.grpc_port}",
    }
    with server, Shell(tmp_path, stands_for, HTTP_PORT=str(server.http_port)) as shell:
        for example in examples(page):
            if example.block.note == "restart the server":
                assert server.terminate() == 0
                server.__enter__()
            printed = shell.run(example.block)
            if example.shown is not None:
                wrong = difference(example.shown.language, example.shown.text, printed)
                assert wrong is None, f"{example.shown.place}: {wrong}"


def test_the_log_line_on_the_operations_page_is_like_a_real_one(tmp_path: Path) -> None:
    (block,) = (block for block in blocks("docs/operations.md") if block.note == "the fields of a real line")
    shown = json.loads(block.text)
    with ServerProcess(tmp_path / "tracker.db") as server:
        httpx2.get(f"http://127.0.0.1:{server.http_port}/api/v1alpha1/events/list").raise_for_status()
        assert server.terminate() == 0
    lines = [json.loads(line) for line in server.log().splitlines()]
    (real,) = (line for line in lines if line["msg"] == "call")
    varies = {"time", "request_id", "peer", "user_agent", "duration_ms"}
    assert list(shown) == list(real)
    assert {name: shown[name] for name in shown.keys() - varies} == {
        name: real[name] for name in real.keys() - varies
    }
    explained = {name for names, _ in listing("docs/operations.md", "## Logs") for name in code(names)}
    assert real.keys() <= explained


def test_every_page_of_the_services_has_examples() -> None:
    with_answers = {page for page in PAGES if any(example.shown for example in examples(page))}
    assert with_answers >= {
        "README.md",
        "docs/api.md",
        "docs/catalog.md",
        "docs/events.md",
        "docs/locks.md",
        "docs/operations.md",
    }


def test_every_block_names_its_language_as_one_that_a_stray_fence_begins_does_not() -> None:
    assert not [block.place for page in PAGES for block in blocks(page) if not block.language]


def test_an_example_that_is_not_run_says_why() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert not block.note.startswith("not run") or re.match(r"not run: \w", block.note), block.place


def test_grpcurl_examples_name_methods_that_exist_and_give_requests_they_take() -> None:
    called = set()
    for page in PAGES:
        for block in blocks(page):
            for command in re.split(r"\n\n", block.text.replace("\\\n", " ")):
                if not command.startswith("grpcurl "):
                    continue
                options = shlex.split(command)
                if options[-1] == "list":
                    continue
                if "describe" in options:
                    assert options[-1] in {desc.parent.type_name for desc in METHODS.values()}, block.place
                    continue
                package, _, method = options[-1].rpartition(".")
                request = json.loads(options[options.index("-d") + 1])
                assert METHODS[method].parent.type_name.startswith(package), block.place
                message_from_json_value(METHODS[method].input.type, request)
                called.add(method)
    assert called


def test_make_targets_that_the_documentation_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for block in blocks(page):
            for named in re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE):
                assert named in targets, block.place
        for named in re.findall(r"`make ([a-z-]+)`", (ROOT / page).read_text()):
            assert named in targets, f"{page}: make {named}"
