"""The rules of `google.api.http`, and the names of the operations that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.pb import annotations_pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protobuf import DescMethod

    from tracker.pb import http_pb


def rules(method: DescMethod) -> Sequence[http_pb.HttpRule]:
    """Return the rules of an RPC, the additional ones last."""
    options = method.proto.options
    if options is None or annotations_pb.ext_http not in options:
        return []
    rule = options[annotations_pb.ext_http]
    return [rule, *rule.additional_bindings]


def path_of(rule: http_pb.HttpRule) -> str:
    """Return the path of a rule."""
    pattern = rule.pattern
    if pattern is None or pattern.field == "custom":
        raise ValueError("a verb that OpenAPI does not know")
    return pattern.value


def operation_id(method: DescMethod, number: int) -> str:
    """Return the name of an RPC's operation; the second rule of a method makes number 2."""
    return f"{method.parent.name}_{method.name}{number if number > 1 else ''}"
