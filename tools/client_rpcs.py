"""The module that names every RPC for the client."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protobuf import DescFile, DescMessage

_HEAD = '''"""The RPCs, by their names; written by `make generate`."""

from protobuf.wkt import Empty

from tracker import pb
from tracker.client.rpc import Rpc

'''
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def build_module(files: Sequence[DescFile]) -> str:
    """Return the source of a module with a constant for each RPC of some files, such as `GET_EVENT`."""
    return _HEAD + "".join(
        f"{_WORD.sub('_', method.name).upper()} = "
        f"Rpc(lambda: ({_type(method.input)}, {_type(method.output)}))\n"
        for file in files
        for service in file.services
        for method in service.methods
    )


def _type(message: DescMessage) -> str:
    """Return how the module names a message: `Empty`, or `pb.event_pb.Event`."""
    package, _, name = message.type_name.rpartition(".")
    return name if package == "google.protobuf" else f"pb.{package.split('.')[1]}_pb.{name}"
