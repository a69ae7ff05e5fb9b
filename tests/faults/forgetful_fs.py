"""A file system in memory that forgets, on command, what was not synced: a power cut without the cut.

`python -m tests.faults.forgetful_fs MOUNTPOINT`, then one command a line on its standard input, each
answered with `ok`:

`cut DIRECTORY [SEED]`  fail every call from now on, and write to a directory what a disk would still have:
    the synced pages, with a SEED also a random half of the others (disks write in any order). As POSIX has
    it, a name made or removed lasts only once its directory was synced.
`fail CALL ERRNO`  let every `write` or `fsync` fail from now on.
`heal`  let them work again.
"""

from __future__ import annotations

import errno
import os
import random
import stat
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import mfusepy  # type: ignore[import-untyped] # it has no types

PAGE = 4096


@dataclass(eq=False)
class File:
    """A file as programs see it, as the disk has it, and which pages differ."""

    mode: int
    content: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    unsynced: set[int] = field(default_factory=set)

    def write(self, data: bytes, offset: int) -> None:
        if offset > len(self.content):
            self.resize(offset)
        self.content[offset : offset + len(data)] = data
        self.unsynced.update(range(offset // PAGE, (offset + len(data) - 1) // PAGE + 1))

    def resize(self, size: int) -> None:
        self.unsynced.update(
            range(min(size, len(self.content)) // PAGE, max(size, len(self.content)) // PAGE + 1)
        )
        self.content[size:] = bytes(max(0, size - len(self.content)))

    def sync(self) -> None:
        self.durable[len(self.content) :] = b""
        self._keep(self.unsynced)
        self.unsynced.clear()

    def after_cut(self, chance: random.Random | None) -> bytes:
        if chance is not None:
            self._keep({page for page in sorted(self.unsynced) if chance.random() < 0.5})
        return bytes(self.durable)

    def _keep(self, pages: set[int]) -> None:
        for page in pages:
            data = self.content[page * PAGE : (page + 1) * PAGE]
            missing = page * PAGE + len(data) - len(self.durable)
            self.durable.extend(bytes(max(0, missing)))
            self.durable[page * PAGE : page * PAGE + len(data)] = data


class ForgetfulFiles(mfusepy.Operations):  # type: ignore[misc] # the library has no types
    """One directory of files."""

    use_ns = True

    def __init__(self) -> None:
        self._names: dict[str, File] = {}
        self._durable_names: dict[str, File] = {}
        self._open: dict[int, File] = {}
        self._handles = 0
        self._failing: dict[str, int] = {}
        self._lock = threading.Lock()

    def obey(self, command: str) -> None:
        """Do what a line of standard input says."""
        match command.split():
            case ["cut", directory, *seed]:
                with self._lock:
                    self._cut(Path(directory), random.Random(int(seed[0])) if seed else None)
            case ["fail", call, name]:
                self._failing = {call: getattr(errno, name)}
            case ["heal"]:
                self._failing = {}
            case _:
                raise ValueError(command)

    def _cut(self, directory: Path, chance: random.Random | None) -> None:
        self._failing = dict.fromkeys(("write", "fsync", "any"), errno.EIO)
        for name, file in self._durable_names.items():
            directory.joinpath(name.lstrip("/")).write_bytes(file.after_cut(chance))

    def _check(self, call: str) -> None:
        for failing in (call, "any"):
            if failing in self._failing:
                raise mfusepy.FuseOSError(self._failing[failing])

    def _file(self, path: str, handle: int | None = None) -> File:
        file = self._open.get(handle) if handle is not None else self._names.get(path)
        if file is None:
            raise mfusepy.FuseOSError(errno.ENOENT)
        return file

    def _opened(self, file: File) -> int:
        self._handles += 1
        self._open[self._handles] = file
        return self._handles

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        owner = {"st_uid": os.getuid(), "st_gid": os.getgid()}
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2, **owner}
        file = self._file(path, fh)
        return {"st_mode": stat.S_IFREG | file.mode, "st_nlink": 1, "st_size": len(file.content), **owner}

    def readdir(self, _path: str, _fh: int) -> list[str]:
        return [".", "..", *(name.lstrip("/") for name in self._names)]

    def create(self, path: str, mode: int, _fi: object = None) -> int:
        self._check("write")
        self._names[path] = File(stat.S_IMODE(mode))
        return self._opened(self._names[path])

    def open(self, path: str, _flags: int) -> int:
        self._check("any")
        return self._opened(self._file(path))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._check("any")
        return bytes(self._file(path, fh).content[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._check("write")
        self._file(path, fh).write(data, offset)
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._check("write")
        self._file(path, fh).resize(length)
        return 0

    def fsync(self, path: str, _datasync: int, fh: int) -> int:
        with self._lock:
            self._check("fsync")
            self._file(path, fh).sync()
        return 0

    def fsyncdir(self, _path: str, _datasync: int, _fh: int) -> int:
        with self._lock:
            self._check("fsync")
            self._durable_names = dict(self._names)
        return 0

    def unlink(self, path: str) -> int:
        self._check("write")
        del self._names[path]
        return 0

    def rename(self, old: str, new: str) -> int:
        self._check("write")
        self._names[new] = self._names.pop(old)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._file(path).mode = stat.S_IMODE(mode)
        return 0

    def release(self, _path: str, fh: int) -> int:
        del self._open[fh]
        return 0


def obey_all(files: ForgetfulFiles) -> None:
    for command in sys.stdin:
        files.obey(command)
        print("ok", flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    files = ForgetfulFiles()
    threading.Thread(target=obey_all, args=(files,), daemon=True).start()
    mfusepy.FUSE(files, sys.argv[1], foreground=True, nothreads=True, hard_remove=True, fsname="forgetful")
