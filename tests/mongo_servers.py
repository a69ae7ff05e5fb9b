"""Real MongoDB servers on free ports of the loopback interface, alone and as replica sets."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pymongo
from bench.load import free_ports
from pymongo.errors import PyMongoError
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def mongod() -> Path | None:
    """Return the program, from `MONGOD`, the path, or the wheel of the development environment."""
    wheel = find_spec("fiftyone")
    candidates = [
        os.environ.get("MONGOD"),
        shutil.which("mongod"),
        *(f"{folder}/db/bin/mongod" for folder in (wheel and wheel.submodule_search_locations) or ()),
    ]
    for candidate in candidates:
        if candidate and Path(candidate).is_file() and _runs(candidate):
            return Path(candidate)
    return None


def _runs(program: str) -> bool:
    with suppress(OSError):
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    return False


class MongoServer:
    """One `mongod`; `set_name` makes it a member of a replica set."""

    def __init__(self, folder: Path, *, set_name: str = "") -> None:
        (self.port,) = free_ports(1)
        self.folder = folder
        self._set_name = set_name
        self._process: subprocess.Popen[bytes] | None = None
        self.client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            f"mongodb://{self.address}/?directConnection=true", serverSelectionTimeoutMS=2_000, connect=False
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the program, or start it again on what it has stored."""
        program = mongod()
        assert program is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            *(str(program), "--dbpath", str(self.folder), "--port", str(self.port), "--bind_ip", "127.0.0.1"),
            *("--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *("--setParameter", "enableTestCommands=1"),
            *(("--replSet", self._set_name, "--oplogSize", "64") if self._set_name else ()),
        ]
        with (self.folder / "mongod.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """End the program without a warning."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Stop the program where it is; its connections stay."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused program go on."""
        self._signal(signal.SIGCONT)

    def command(self, name: str, value: Any = 1, **options: Any) -> dict[str, Any]:
        """Run an administrative command."""
        return self.client.admin.command(name, value, **options)

    def answers(self) -> bool:
        """Return whether the program answers."""
        with suppress(PyMongoError):
            return bool(self.command("ping")["ok"])
        return False

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)


class MongoServers:
    """A server alone, or a replica set of some, that runs inside `with`."""

    def __init__(self, folder: Path, *, members: int = 0) -> None:
        name = f"set{members}" if members else ""
        self.members = [MongoServer(folder / str(n), set_name=name) for n in range(members or 1)]
        self._name = name
        self._databases = 0

    def __enter__(self) -> Self:
        for member in self.members:
            member.start()
        _until(lambda: all(member.answers() for member in self.members))
        if self._name:
            hosts = [{"_id": n, "host": member.address} for n, member in enumerate(self.members)]
            settings = {"electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 500}
            self.members[0].command(
                "replSetInitiate", {"_id": self._name, "members": hosts, "settings": settings}
            )
            _until(lambda: self.primary() is not None)
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.client.close()
            member.resume()
            member.kill()

    def new_database(self) -> str:
        """Return the address of a database that nobody has used."""
        self._databases += 1
        return self._uri(f"test{self._databases}")

    def _uri(self, database: str) -> str:
        hosts = ",".join(member.address for member in self.members)
        options = f"?replicaSet={self._name}" if self._name else ""
        return f"mongodb://{hosts}/{database}{options}"

    def emptied_database(self) -> str:
        """Return the address of a database that has its schema, if it ever had one, and no records."""
        primary = self.primary()
        assert primary is not None
        database = primary.client.get_database("emptied")
        for name in database.list_collection_names():
            database[name].delete_many({"_id": {"$nin": ["schema", "health"]}})
        return self._uri("emptied")

    def documents(self) -> list[dict[str, Any]]:
        """Return all that is in the database that `emptied_database` names."""
        database = self.members[0].client.get_database("emptied")
        return [each for name in database.list_collection_names() for each in database[name].find()]

    def primary(self) -> MongoServer | None:
        """Return the member that takes changes now, or None."""
        for member in self.members:
            with suppress(PyMongoError):
                if member.command("hello")["isWritablePrimary"]:
                    return member
        return None


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two polls
