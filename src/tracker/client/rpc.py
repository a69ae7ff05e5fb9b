"""What a client knows of an RPC; `rpcs` has all of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from protobuf import Message, message_from_json_value

from tracker.pb.options import method_of
from tracker.transcoding.bindings import http_bindings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from protobuf import DescMethod

    from tracker.transcoding.bindings import HttpBinding
    from tracker.transcoding.json_text import JsonValue

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class Rpc(Generic[Q, A]):
    """One RPC, named by the types of its request and its answer, which are made when it is first called."""

    def __init__(self, types: Callable[[], tuple[type[Q], type[A]]]) -> None:
        self._types = types

    @cached_property
    def request(self) -> type[Q]:
        """The type of its request."""
        return self._types()[0]

    @cached_property
    def answer(self) -> type[A]:
        """The type of its answer."""
        return self._types()[1]

    @cached_property
    def method(self) -> DescMethod:
        """Its descriptor."""
        return method_of(self.request.desc())

    def of(self, fields: Mapping[str, JsonValue]) -> Q:
        """Return a request of these fields, as JSON has them, without those that the request lacks."""
        return message_from_json_value(self.request, dict(fields), ignore_unknown_fields=True)

    @cached_property
    def binding(self) -> HttpBinding:
        """How to reach the RPC over HTTP: with a body where there is a choice, since servers log URLs."""
        bindings = http_bindings(self.method)
        return next((binding for binding in bindings if binding.takes_body), bindings[0])
