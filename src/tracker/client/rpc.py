"""What a client knows of an RPC: its types, and what the protos say of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from protobuf import Message

from tracker.pb import FILES
from tracker.transcoding.bindings import http_bindings

if TYPE_CHECKING:
    from protobuf import DescMethod

    from tracker.transcoding.bindings import HttpBinding

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

_METHODS = {method.input: method for file in FILES for service in file.services for method in service.methods}


class Rpc(Generic[Q, A]):
    """One RPC, named by the types of its request and its answer."""

    def __init__(self, request: type[Q], answer: type[A]) -> None:
        self.request = request
        self.answer = answer
        self.method: DescMethod = _METHODS[request.desc()]

    @cached_property
    def binding(self) -> HttpBinding:
        """How to reach the RPC over HTTP: with a body where there is a choice, since servers log URLs."""
        bindings = http_bindings(self.method)
        return next((binding for binding in bindings if binding.takes_body), bindings[0])
