"""Error answers: one shape for all, and for each method the ones that are its own."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tracker.errors import DOMAIN, Reason
from tracker.pb.options import failures_of, only_reads

from .names import reference

if TYPE_CHECKING:
    from protobuf import DescMethod

    from .rules import Schema

_TYPE = "type.googleapis.com/google.rpc."

ERROR: Schema = {
    "type": "object",
    "description": "What went wrong.",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {
            "type": "integer",
            "format": "int32",
            "description": "Number of the error, as `google.rpc.Code` has it.",
        },
        "message": {"type": "string", "description": "What went wrong, in one sentence for a person."},
        "details": {
            "type": "array",
            "description": "What went wrong, for a program.",
            "items": {"anyOf": [reference("ErrorInfo"), reference("BadRequest")]},
        },
    },
}

ERROR_INFO: Schema = {
    "type": "object",
    "description": "Why; every error has one.",
    "required": ["@type", "reason", "domain", "metadata"],
    "properties": {
        "@type": {"type": "string", "enum": [f"{_TYPE}ErrorInfo"]},
        "reason": {"type": "string", "description": "Word that programs can rely on, such as `LOCK_HELD`."},
        "domain": {"type": "string", "enum": [DOMAIN]},
        "metadata": {
            "type": "object",
            "description": "More about it by name, such as the holder of a lock.",
            "additionalProperties": {"type": "string"},
        },
    },
}

BAD_REQUEST: Schema = {
    "type": "object",
    "description": "The fields of the request that break a rule.",
    "required": ["@type", "fieldViolations"],
    "properties": {
        "@type": {"type": "string", "enum": [f"{_TYPE}BadRequest"]},
        "fieldViolations": {
            "type": "array",
            "description": "One for each field.",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {
                    "field": {"type": "string", "description": "Path of the field, as it was spelled."},
                    "description": {"type": "string", "description": "What the field has to be."},
                },
            },
        },
    },
}

COMPONENTS: Schema = {"Error": ERROR, "ErrorInfo": ERROR_INFO, "BadRequest": BAD_REQUEST}
"""The schemas of errors."""


def error_responses(method: DescMethod) -> dict[str, Schema]:
    """Return the error answers of a method by HTTP status.

    Raises:
        KeyError: The method names a reason that there is not.
    """
    texts: dict[int, list[str]] = defaultdict(list)
    texts[Reason.INVALID_FIELD.http_status].append("A field breaks a rule; the details name it.")
    for failure in failures_of(method):
        texts[Reason[failure.reason].http_status].append(f"`{failure.reason}`: {failure.when}")
    if not only_reads(method):
        for reason in (Reason.IDEMPOTENCY_KEY_UNDER_WAY, Reason.IDEMPOTENCY_KEY_REUSED):
            texts[reason.http_status].append(f"`{reason}`: {reason.meaning}.")
    responses = {str(status): _response(" ".join(texts[status])) for status in sorted(texts)}
    return responses | {"default": _response("Any other error.")}


def _response(text: str) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": reference("Error")}}}
