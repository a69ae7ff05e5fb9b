"""What stores report of their work."""

from __future__ import annotations

from dataclasses import dataclass, field

from pymongo import monitoring


@dataclass
class Observations:
    """What a store told of its work."""

    commits: list[int] = field(default_factory=list)
    most_queued: int = 0

    def committed(self, seconds: float, changes: int) -> None:
        assert seconds > 0
        self.commits.append(changes)

    def queued(self, changes: int) -> None:
        self.most_queued = max(self.most_queued, changes)


class Commands(monitoring.CommandListener):
    """Remembers the commands that are sent while it listens: their names, or what is strange about one."""

    def __init__(self) -> None:
        self.listening = False
        self.seen: set[str] = set()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.listening:
            self.seen.add(event.command_name)
            self.seen |= {"txnNumber", "startTransaction", "autocommit"} & event.command.keys()
            self.seen |= {stage for each in event.command.get("pipeline", ()) for stage in each}

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


COMMANDS = Commands()
monitoring.register(COMMANDS)  # a client has the listeners of when it was made: there is no other way to it
