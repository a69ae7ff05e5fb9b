"""Validation of requests by the rules in the protos (`buf.validate`)."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import protovalidate

from tracker.errors import FieldViolation, invalid
from tracker.time_text import MICROS, duration_text
from tracker.transcoding.rule_checks import compile_checks

if TYPE_CHECKING:
    from protobuf import Message


@cache
def _validator() -> protovalidate.Validator:
    """Return the only validator of the process; it compiles the rules of a message when it first gets one."""
    return protovalidate.Validator()


@cache
def compile_rules(kind: type[Message]) -> None:
    """Compile the simple rules of a message type now, not when the first message is checked."""
    compile_checks(kind.desc())


def is_surely_right(request: Message) -> bool:
    """Return whether a request needs no closer look: it follows the rules, all of which are simple."""
    try:
        return bool(compile_checks(request.desc())(request))
    except AttributeError:  # a rule is about a message in it that is unset
        return False


def check_rules(request: Message) -> None:
    """Check that a request follows the rules.

    Raises:
        TrackerError: INVALID_ARGUMENT, naming the fields by their proto paths.
    """
    if is_surely_right(request):
        return
    try:
        _validator().validate(request)
    except protovalidate.ValidationError as error:
        raise invalid(*map(_field_violation, error.violations)) from None


_WORDINGS = (
    (r"must be greater than or equal to (\S+) and less than or equal to (\S+)", r"must be from \1 to \2"),
    (r"must be greater than or equal to", "must be at least"),
    (r"must be less than or equal to", "must be at most"),
    (r"must contain no more than (\d+) item\(s\)", r"must have at most \1 items"),
    (r"map must be at most", "must have at most"),
    (r"repeated value must contain unique items", "must not have an item twice"),
    (r"must be at least 1 characters", "must not be empty"),
)
"""What protovalidate says, and what this server says for it."""
_SECONDS = re.compile(r"\b(\d+)s\b")

_LONGEST_KEY = 40
"""Characters of the key of a map in a path."""


def _reworded(text: str) -> str:
    for theirs, ours in _WORDINGS:
        text = re.sub(theirs, ours, text)
    return _SECONDS.sub(lambda found: duration_text(int(found[1]) * MICROS), text)


def _field_violation(violation: protovalidate.Violation) -> FieldViolation:
    """Name the field that breaks a rule; the id of a message's rule begins with the path of the field."""
    proto = violation.proto
    path = ""
    for element in proto.field.elements if proto.field is not None else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{_shown(element.subscript.value)}]"
    path = path or proto.rule_id.rpartition(".")[0]
    required = proto.rule_id == "required"
    return FieldViolation(path, f"{path} is required" if required else _reworded(proto.message))


def _shown(key: object) -> str:
    text = str(key)
    return f"{text[:_LONGEST_KEY]}…" if len(text) > _LONGEST_KEY else text or '""'
