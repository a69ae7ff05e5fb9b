"""A process that sends one text by apprise, and ends: it reaches no network that is not allowed.

`tracker.outgoing.apprise` starts it, with its task as JSON on standard input, so that no list of processes
shows the address. A hook of the interpreter refuses connections, of whatever library, to addresses that
webhooks may not reach, other processes, and files that would be written.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

from tracker.outgoing.networks import may_reach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

_CONNECTIONS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROCESSES: Final = ("syslog.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.")
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> None:
    """Do the task, and write what became of it, as JSON, to standard output."""
    task = json.load(sys.stdin)
    import apprise  # noqa: PLC0415 - an extra, and slow

    sender = apprise.Apprise.instantiate(task["url"], suppress_exceptions=True)
    if sender is None:
        _answer(problem="expected an address of apprise, such as mailtos://user:password@example.com")
    elif "body" not in task:
        _answer(shown=str(sender.url(privacy=True)))  # type: ignore[no-untyped-call]  # apprise has no types there
    else:
        _guard([ipaddress.ip_network(each) for each in task["allowed"]])
        found = apprise.Apprise()
        found.add(sender)
        plain = apprise.NotifyFormat.TEXT  # else it passes for HTML where that is sent, such as in mail
        given = {"body": task["body"], "title": task["title"], "notify_type": task["mood"]}
        result = found.notify(**given, body_format=plain)
        _answer(problem="" if result else _refused[-1] if _refused else "it was not accepted")


_refused: list[str] = []


def _guard(allowed: Sequence[IPv4Network | IPv6Network]) -> None:
    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTIONS and (address := arguments[-1]) is not None:
            _require_reachable(arguments[0], address, allowed)
        elif event.startswith(_PROCESSES):
            raise _refusal("a service of the machine can't be used")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            raise _refusal("files can't be written")

    sys.addaudithook(check)


def _require_reachable(
    using: socket.socket, address: object, allowed: Sequence[IPv4Network | IPv6Network]
) -> None:
    if using.family not in {socket.AF_INET, socket.AF_INET6} or not isinstance(address, tuple):
        raise _refusal("a service of the machine can't be used")
    host = str(address[0]).partition("%")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        raise _refusal(f"{host} is not an address") from None
    if not may_reach(found, allowed):
        raise _refusal(
            f"{host} is not a public address; WEBHOOK_ALLOWED_NETWORKS names those that may be reached too"
        )


def _refusal(problem: str) -> PermissionError:
    _refused.append(problem)
    return PermissionError(problem)


def _answer(**fields: str) -> None:
    print(json.dumps(fields))  # noqa: T201 - to the server that started it


if __name__ == "__main__":
    main()
