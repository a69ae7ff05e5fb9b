"""Thousands of generated requests: the server does what its own OpenAPI documents say, and never fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server_process import ServerProcess
from tests.soak import size, soaks

HERE = Path(__file__).parent
CONFIG = """\
hooks = "schemathesis_hooks.py"

[checks.negative_data_rejection]
# More values of one parameter than fit into the headers are refused as just that.
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 422, 428, 431]

[[operations]]
include-path = "/api/v1alpha1/lock/check"
# With verbs that a lock has, it would be the one whose id is "check".
phases.coverage.unexpected-methods = ["TRACE", "PATCH", "POST"]
"""


@soaks
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("document", "mode", "phases", "at_least"),
    [
        ("openapi.json", "all", "examples,coverage,fuzzing,stateful", size(1_000, soak=5_000)),
        # Swagger 2.0 has no words for alternatives: what its schemas forbid may be allowed. The requests of
        # the coverage phase would be the same, since both documents are generated from the same protos.
        ("swagger.json", "positive", "examples,fuzzing,stateful", size(100, soak=2_000)),
    ],
    ids=["openapi", "swagger"],
)
def test_the_server_does_what_its_documents_say(
    tmp_path: Path, document: str, mode: str, phases: str, at_least: int
) -> None:
    examples = size(5, soak=100)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "schemathesis_hooks.py").write_text((HERE / "schemathesis_hooks.py").read_text())
    with ServerProcess(tmp_path / "tracker.db") as server:
        run = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                "run",
                f"http://127.0.0.1:{server.http_port}/{document}",
                "--checks=all",
                f"--mode={mode}",
                f"--max-examples={examples}",
                f"--phases={phases}",
                "--generation-deterministic",
                "--no-color",
            ],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert server.ready()
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr
    generated = re.search(r"(\d+) generated", run.stdout)
    assert generated is not None
    assert int(generated[1]) >= at_least, run.stdout[-2000:]
