"""Programs of other products, each in a process of its own, and in the environment `clients`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

SECONDS = 60


async def run(*command: str, code: int = 0, **environ: str) -> str:
    """Run a program of the environment, and return what it prints."""
    program = Path(sys.prefix, "clients", "bin", command[0])
    process = await asyncio.create_subprocess_exec(
        str(program),
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
