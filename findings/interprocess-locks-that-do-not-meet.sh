#!/usr/bin/env bash
# fasteners 0.20, filelock 4.3.1 and portalocker 4.4.2 (PyPI), flock (util-linux): two of them hold one lock at once.
#
# All four lock a file so that one process at a time deploys, and a name of a lock file is all that two tools share. Linux has
# two kinds of locks on files, which ignore each other. filelock, portalocker and the command flock use flock(2), fasteners
# the record locks of fcntl(2): a cron job under `flock /run/deploy.lock` and a program with fasteners' InterProcessLock of
# the same file both run, and neither has to wait. Record locks moreover end as soon as the process that holds one closes any
# descriptor of the file: whoever reads the lock file, to log who holds it, has given the lock away, and `acquired` is
# still true.
#
# Output seen:
#   fasteners holds the lock: refused to fasteners; granted to filelock, portalocker, flock
#   filelock holds the lock: refused to filelock, portalocker, flock; granted to fasteners
#   fasteners has read the file of the lock, acquired True: refused to none; granted to fasteners, filelock, portalocker, flock
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fasteners==0.20 filelock==4.3.1 portalocker==4.4.2
cd "$folder"
cat >fasteners-try.py <<'PY'
import sys

from fasteners import InterProcessLock

sys.exit(not InterProcessLock("deploy.lock").acquire(blocking=False))
PY
cat >filelock-try.py <<'PY'
import sys

from filelock import FileLock, Timeout

try:
    FileLock("deploy.lock").acquire(timeout=0)
except Timeout:
    sys.exit(1)
PY
cat >portalocker-try.py <<'PY'
import sys

from portalocker import AlreadyLocked, Lock

try:
    Lock("deploy.lock", mode="a", fail_when_locked=True).acquire()
except AlreadyLocked:
    sys.exit(1)
PY
cat >hold.py <<'PY'
import subprocess
import sys
from pathlib import Path

from fasteners import InterProcessLock
from filelock import FileLock

TRIES = {name: [sys.executable, f"{name}-try.py"] for name in ("fasteners", "filelock", "portalocker")}
TRIES["flock"] = ["flock", "--nonblock", "deploy.lock", "true"]


def others(said):
    statuses = {name: subprocess.run(command).returncode for name, command in TRIES.items()}
    unexpected = [name for name, status in statuses.items() if status not in (0, 1)]
    assert not unexpected, unexpected
    refused, granted = ([name for name, status in statuses.items() if status == wanted] for wanted in (1, 0))
    print(f"{said}: refused to {', '.join(refused) or 'none'}; granted to {', '.join(granted) or 'none'}")


lock = InterProcessLock("deploy.lock")
lock.acquire()
others("fasteners holds the lock")
lock.release()
with FileLock("deploy.lock"):
    others("filelock holds the lock")
lock.acquire()
Path("deploy.lock").read_text()
others(f"fasteners has read the file of the lock, acquired {lock.acquired}")
PY
venv/bin/python hold.py >seen
cat seen
diff - seen <<'SEEN'
fasteners holds the lock: refused to fasteners; granted to filelock, portalocker, flock
filelock holds the lock: refused to filelock, portalocker, flock; granted to fasteners
fasteners has read the file of the lock, acquired True: refused to none; granted to fasteners, filelock, portalocker, flock
SEEN
echo "as described"
