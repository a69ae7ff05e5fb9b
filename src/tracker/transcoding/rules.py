"""Validation of requests by the rules in the protos (`buf.validate`)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import protovalidate

from tracker.errors import FieldViolation, invalid

if TYPE_CHECKING:
    from protobuf import Message


@cache
def _validator() -> protovalidate.Validator:
    """Return the only validator of the process: compiling the rules of all requests takes 20 ms."""
    return protovalidate.Validator()


def compile_rules(kind: type[Message]) -> None:
    """Compile the rules of a message type now, not when the first message is checked."""
    _validator().collect_violations(kind())


def check_rules(request: Message) -> None:
    """Check that a request follows the rules.

    Raises:
        TrackerError: INVALID_ARGUMENT, naming the fields by their proto paths.
    """
    try:
        _validator().validate(request)
    except protovalidate.ValidationError as error:
        raise invalid(*map(_field_violation, error.violations)) from None


def _field_violation(violation: protovalidate.Violation) -> FieldViolation:
    """Name the field that breaks a rule; the id of a message's rule begins with the path of the field."""
    proto = violation.proto
    path = ""
    for element in proto.field.elements if proto.field is not None else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    path = path or proto.rule_id.rpartition(".")[0]
    return FieldViolation(path, f"{path} is required" if proto.rule_id == "required" else proto.message)
