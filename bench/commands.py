"""The seconds of CPU of commands that call a server, with those of the processes that they run.

    python -m bench.commands [--rounds 5]

Each runs once a round, against a server with 1,000 sample events; the least and the median of the rounds are
printed, the slowest first. `imports` is Python with the libraries that each of them needs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.install import measured
from bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT = "--service shop --environment production"
_COMMANDS = f"""
event list
event list --output json
event create x --service shop --type deployment
event get {{incident}}
event update {{incident}} --priority P2
event comment {{incident}} seen
event changelog {{incident}}
event search service:shop
event related {{incident}}
event overlaps
stats
versions
dora
can-deploy {_AT}
why {{incident}}
run {_AT} -- true
lock run {_AT} -- true
lock list
catalog list
freeze list
webhook list
intake list
terraform states
view list
retention list
hold list
token list
audit list
whoami
export
doctor --server {{server}}
"""
_IMPORT = "import typer, httpx2, httpcore2, protobuf.wkt"


def main() -> None:
    """Serve, and run the commands in turn."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5, help="how often each command runs")
    rounds = arguments.parse_args().rounds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    program = str(Path(sys.executable).with_name("tracker"))
    with tempfile.TemporaryDirectory() as root:
        file = Path(root, "tracker.db")
        _output([program, "demo", file, "--events", "1000"])
        with serving(file) as server:
            os.environ["TRACKER_SERVER"] = address = f"http://127.0.0.1:{server.http_port}"
            made = json.loads(
                _output([program, *f"event create down --type incident {_AT} --output json".split()])
            )
            incident = made["event"]["metadata"]["id"]
            commands = {
                line: [program, *line.format(incident=incident, server=address).split()]
                for line in _COMMANDS.strip().split("\n")
            }
            commands["imports"] = [sys.executable, "-c", _IMPORT]
            taken: dict[str, list[float]] = {name: [] for name in commands}
            for _ in range(rounds + 1):  # the first compiles
                for name, command in commands.items():
                    taken[name].append(measured(partial(_output, command))[1])
    for name, (_, *each) in sorted(taken.items(), key=lambda item: -min(item[1][1:])):
        print(f"{min(each):.3f} {statistics.median(each):.3f}  {name}")


def _output(command: Sequence[object]) -> bytes:
    words = list(map(str, command))
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


if __name__ == "__main__":
    main()
