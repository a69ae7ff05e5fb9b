"""How calls fail: what a server, or a proxy in front of it, answers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from protobuf import message_from_json_value

from tracker import pb
from tracker.errors import Code, FieldViolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.client.rpc import A
    from tracker.transcoding.json_text import JsonValue

_FROM_PROXIES = (502, 503, 504)
"""Statuses that a proxy answers while its server does not."""


@dataclass(eq=False)
class ApiError(Exception):
    """A call failed: the server refused it, or gave no answer (UNAVAILABLE, with the reason `NO_ANSWER`).

    Without an answer, the call may or may not have taken effect. `reason` is stable, for programs, and
    `metadata` holds details for them; docs/api.md lists both. `message` is one sentence for a person.
    `violations` are the fields that broke a rule, named as the request spelled them.
    """

    code: Code
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[FieldViolation] = ()

    def __str__(self) -> str:
        return self.message


def error_of(status: int, body: JsonValue, where: str) -> ApiError:
    """Return the error that an HTTP response represents; `body` is its JSON, or None."""
    content = body if isinstance(body, dict) else {}
    number, message = content.get("code"), content.get("message")
    if isinstance(message, str) and isinstance(number, int) and number in set(Code):
        info = _detail(content.get("details"), pb.error_details_pb.ErrorInfo)
        violations = _detail(content.get("details"), pb.error_details_pb.BadRequest).field_violations
        fields = [FieldViolation(each.field, each.description) for each in violations]
        return ApiError(Code(number), message, info.reason, info.metadata, fields)
    # Not from Tracker, but from a proxy in front of it, or from an entirely different server.
    if status in _FROM_PROXIES:
        return ApiError(Code.UNAVAILABLE, f"{where} answered with status {status}")
    return ApiError(Code.INTERNAL, f"{where} answered with status {status}, but not as a Tracker server does")


def _detail(details: JsonValue, kind: type[A]) -> A:
    """Return the detail of a kind that an error has, an empty one if it has none."""
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and str(detail.get("@type")).endswith(f"/{kind.desc().type_name}"):
            with suppress(TypeError, ValueError):  # not from Tracker
                return message_from_json_value(kind, detail, ignore_unknown_fields=True)
    return kind()
