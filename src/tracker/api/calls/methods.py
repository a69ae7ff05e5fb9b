"""The RPCs of the protos, each with the method of a service that answers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias, cast

from tracker import pb
from tracker.api.calls.endpoint import Endpoint, sending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracker.api.calls.endpoint import Handler, StreamHandler

Services: TypeAlias = "Mapping[str, Sequence[object]]"
"""The objects that answer each service, by its full name; they have a method for each RPC, in snake case."""


def methods_of(services: Services) -> Iterator[Endpoint]:
    """Yield the endpoint of each RPC that the protos declare.

    Raises:
        ValueError: An RPC has no answer, or more than one.
    """
    for file in pb.FILES:
        for service in file.services:
            for rpc in service.methods:
                name = re.sub(r"(?<=.)(?=[A-Z])", "_", rpc.name).lower()
                handler = _handler(services[service.type_name], name)
                streams = rpc.method_kind == "server_streaming"
                yield Endpoint(
                    f"{service.type_name}/{rpc.name}",
                    sending(cast("StreamHandler", handler)) if streams else cast("Handler", handler),
                    rpc=rpc,
                    streams=streams,
                )


def _handler(service: Sequence[object], name: str) -> object:
    handlers: list[object] = [getattr(part, name) for part in service if hasattr(part, name)]
    if len(handlers) != 1:
        raise ValueError(f"{name} has {len(handlers)} answers")
    return handlers[0]
