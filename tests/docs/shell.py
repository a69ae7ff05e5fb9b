"""A shell in which a page's examples run one after the other, as a reader would run them."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING, Self

from tests.forks import forks
from tests.patience import PATIENCE

from tracker.config import CONFIG_VARIABLE
from tracker.config.settings import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.pages import Block


_END = "--- end of example "


class Shell:
    """A bash in a directory of its own; variables live from one example to the next.

    Its examples talk to the addresses in `stands_for`: what a page calls `localhost:8080` may be elsewhere.
    """

    def __init__(self, folder: Path, stands_for: dict[str, str], **environ: str) -> None:
        self._folder = folder
        self._stands_for = stands_for
        settings = {setting.variable for setting in SETTINGS.values()} | {CONFIG_VARIABLE}
        inherited = {name: value for name, value in os.environ.items() if name not in settings}
        commands = folder / "commands"
        commands.mkdir()
        self._environ = inherited | forks().command(commands) | {"COLUMNS": "200"} | environ

    def __enter__(self) -> Self:
        self._errors = (self._folder / "stderr").open("w+")
        self._bash = subprocess.Popen(
            ["bash", "-euo", "pipefail"],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            pass_fds=[forks().number],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._bash.kill()
        self._bash.communicate()
        self._errors.close()

    def run(self, block: Block) -> str:
        """Run an example and return what it prints; the shell ends where it fails."""
        text = block.text
        for shown, actual in self._stands_for.items():
            text = text.replace(shown, actual)
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        (self._folder / "example").write_text(text)
        how = "source ./example" if block.language == "sh" else "python example"
        self._bash.stdin.write(f"{how} < /dev/null; echo; echo '{_END}'\n")
        self._bash.stdin.flush()
        patience = threading.Timer(PATIENCE, self._bash.kill)
        patience.start()
        printed = ""
        for line in self._bash.stdout:
            if line.startswith(_END):
                patience.cancel()
                return printed.removesuffix("\n")
            printed += line
        patience.cancel()
        self._errors.seek(0)
        raise AssertionError(f"{block.place}: the example failed\n{printed}\n{self._errors.read()}")
