"""The errors that a call can end with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tracker.errors import Code, FieldViolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_FROM_PROXIES = (502, 503, 504)
"""Statuses that a proxy answers while its server does not."""


class ApiError(Exception):
    """The server refused a call.

    `reason` is stable, for programs, and `metadata` holds details for them; docs/api.md lists both. `message`
    is one sentence for a person. `violations` are the fields that broke a rule, named as the request spelled
    them.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata: Mapping[str, str] = metadata or {}
        self.violations = violations


class UnreachableError(Exception):
    """There was no answer, so the call may or may not have taken effect; the text says why, in one line."""


def error_of(status: int, body: Json, where: str) -> ApiError:
    """Return the error that an HTTP response represents; `body` is its JSON, or None."""
    content = body if isinstance(body, dict) else {}
    number, message = content.get("code"), content.get("message")
    if isinstance(message, str) and isinstance(number, int) and number in set(Code):
        info = _detail(content.get("details"), "google.rpc.ErrorInfo")
        metadata = info.get("metadata")
        return ApiError(
            Code(number),
            message,
            str(info.get("reason", "")),
            {name: str(v) for name, v in metadata.items()} if isinstance(metadata, dict) else None,
            _violations(_detail(content.get("details"), "google.rpc.BadRequest").get("fieldViolations")),
        )
    # Not from Tracker, but from a proxy in front of it, or from an entirely different server.
    if status in _FROM_PROXIES:
        return ApiError(Code.UNAVAILABLE, f"{where} answered with status {status}")
    return ApiError(Code.INTERNAL, f"{where} answered with status {status}, but not as a Tracker server does")


def _detail(details: Json, kind: str) -> dict[str, Json]:
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and str(detail.get("@type")).endswith(f"/{kind}"):
            return detail
    return {}


def _violations(found: Json) -> Sequence[FieldViolation]:
    return [
        FieldViolation(str(each.get("field", "")), str(each.get("description", "")))
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict)
    ]
