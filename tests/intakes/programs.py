"""Programs of other products, each in a process of its own, and in the environment `clients`."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from tests.npm import installed

CLIENTS = Path(__file__).parent / "clients_js"
SECONDS = 60


async def run(*command: str, code: int = 0, **environ: str) -> str:
    """Run a program of the environment, or of the machine, and return what it prints."""
    own = shutil.which(command[0], path=f"{sys.prefix}/clients/bin")
    process = await asyncio.create_subprocess_exec(
        own or command[0],
        *command[1:],
        env=os.environ | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        printed, errors = await process.communicate()
    assert process.returncode == code, (printed + errors).decode()
    return printed.decode()


async def script(text: str, *arguments: str, **environ: str) -> str:
    """Run a program in Python, and return what it prints."""
    return await run("python", "-c", text, *arguments, code=0, **environ)


async def node(program: str, *arguments: str, **environ: str) -> str:
    """Run a program in JavaScript, and return what it prints."""
    folder = await asyncio.to_thread(installed, CLIENTS)
    return await run("node", str(folder / program), *arguments, code=0, **environ)
