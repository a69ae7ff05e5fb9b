"""The commonest rules of `buf.validate` as plain Python, which most requests follow: a third of the time.

What a check confirms, protovalidate confirms too. What it does not confirm may be right all the same: there
are rules of other kinds, and a check may be stricter than its rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from protobuf import DescFieldValueEnum, DescFieldValueMessage, DescFieldValueScalar
from protovalidate._gen.buf.validate import validate_pb

from tracker.transcoding.fields import is_well_known, message_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protobuf import DescField, DescMessage, Message

Check: TypeAlias = Callable[[Any], object]
"""Returns a true value for a value that surely follows a rule."""

_ALTERNATIVE = re.compile(
    r"(?P<no>!)?(?:has\()?this(?:\.(?P<path>\w+(?:\.\w+)*))?\)?"
    r"(?:\.matches\(r'(?P<pattern>.*)'\)| (?P<sign>[!=])= (?:''|0))?"
)
"""One alternative of a rule in CEL: that a value is empty, is not, or matches a pattern."""


_BYTES = 4
"""The most bytes of a character."""
_NANOS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Longest:
    """The check of a text, which may have `most` characters."""

    most: float

    def __call__(self, text: str) -> bool:
        return len(text) <= self.most


def compile_checks(message: DescMessage) -> Check:
    """Return the check of a message; it raises an `AttributeError` where it can't confirm it either."""
    if message not in _CHECKS:
        _CHECKS[message] = _never  # for a type that contains itself
        checks = [(field.local_name, check) for field in message.fields for check in _field(field)]
        texts = [(name, check.most) for name, check in checks if isinstance(check, _Longest)]
        others = [(name, check) for name, check in checks if not isinstance(check, _Longest)]
        _CHECKS[message] = partial(_confirm, texts, others, list(_whole(message)))
    return _CHECKS[message]


_CHECKS: dict[DescMessage, Check] = {}


def _confirm(
    texts: list[tuple[str, float]], others: list[tuple[str, Check]], whole: list[Check], message: Message
) -> bool:
    for name, most in texts:
        if len(getattr(message, name)) > most:
            return False
    for name, check in others:
        if not check(getattr(message, name)):
            return False
    return not whole or all(check(message) for check in whole)


def _whole(message: DescMessage) -> Iterator[Check]:
    """Yield the checks of a message for itself."""
    options = message.proto.options
    if options is not None and validate_pb.ext_message in options:
        rules = options[validate_pb.ext_message]
        yield from map(_cel, rules.cel)
        if [field.name for field in rules] != ["cel"]:
            yield _never
    if any(oneof.proto.options is not None for oneof in message.oneofs):
        yield _never


def _field(field: DescField) -> Iterator[Check]:
    """Yield the checks of a field, whose value is None where it is an unset message."""
    options, value = field.proto.options, field.value
    rules = validate_pb.FieldRules()
    if options is not None and validate_pb.ext_field in options:
        rules = options[validate_pb.ext_field]
    checks = list(_rules(rules))
    if isinstance(value, DescFieldValueScalar | DescFieldValueEnum):
        yield from checks
    elif isinstance(value, DescFieldValueMessage):
        below = _is_there if is_well_known(value.message) else compile_checks(value.message)
        checks = [below, *(check for check in checks if check is not bool)]
        if rules.required:
            yield from checks
        else:
            yield lambda message: message is None or all(check(message) for check in checks)
    elif message_of(field) is not None:
        kind = None if rules.type is None else rules.type.value
        least = getattr(kind, "min_items", 0) or getattr(kind, "min_pairs", 0)
        yield _never if rules.required or rules.cel or least else lambda items: not items
    else:
        yield from checks


def _rules(rules: validate_pb.FieldRules) -> Iterator[Check]:
    """Yield the checks of a value."""
    checks: list[Check] = []
    for rule in rules:
        match rule.name, rules[rule]:
            case "required", _:
                checks.append(bool)
            case "cel", expressions:
                checks += map(_cel, expressions)
            case "string", limits:
                checks.append(_text(limits))
            case "duration" | "timestamp", limits:
                checks.append(_seconds(limits))
            case "repeated", limits:
                checks.append(_items(limits))
            case "map", limits:
                checks.append(_pairs(limits))
            case "ignore", _:
                pass
            case _:
                checks.append(_never)
    if rules.ignore:
        yield lambda value: not value or all(check(value) for check in checks)
    else:
        yield from checks


def _text(rules: validate_pb.StringRules) -> Check:
    limits = _limits(rules)
    least = limits.pop("min_len", 0)
    if not limits.keys() <= {"max_len", "max_bytes"}:
        return _never
    most = min(limits.get("max_len", inf), limits.get("max_bytes", inf) // _BYTES)
    return (lambda text: least <= len(text) <= most) if least else _Longest(most)


def _seconds(rules: validate_pb.DurationRules | validate_pb.TimestampRules) -> Check:
    """Return the check of a time or a duration, for which the last second of the range is too long."""
    limits = _limits(rules)
    if limits.keys() != {"gte", "lte"} or limits["gte"].nanos:
        return _never
    low, high = limits["gte"].seconds, limits["lte"].seconds
    return lambda value: low <= value.seconds < high and 0 <= value.nanos < _NANOS


def _items(rules: validate_pb.RepeatedRules) -> Check:
    limits = _limits(rules)
    each = list(_rules(limits.pop("items", _NO_RULES)))
    unique = limits.pop("unique", False)
    least, most = limits.pop("min_items", 0), limits.pop("max_items", inf)

    def check(items: list[Any]) -> bool:
        return (
            least <= len(items) <= most
            and (not unique or len(set(items)) == len(items))
            and all(check(item) for check in each for item in items)
        )

    return _never if limits else check


def _pairs(rules: validate_pb.MapRules) -> Check:
    limits = _limits(rules)
    of_key, of_value = (list(_rules(limits.pop(part, _NO_RULES))) for part in ("keys", "values"))
    least, most = limits.pop("min_pairs", 0), limits.pop("max_pairs", inf)

    def check(pairs: dict[Any, Any]) -> bool:
        return (
            least <= len(pairs) <= most
            and all(check(key) for check in of_key for key in pairs)
            and all(check(value) for check in of_value for value in pairs.values())
        )

    return _never if limits else check


_NO_RULES = validate_pb.FieldRules()


def _limits(rules: Message) -> dict[str, Any]:
    return {rule.name: rules[rule] for rule in rules}


def _cel(rule: validate_pb.Rule) -> Check:
    return reduce(_either, map(_alternative, rule.expression.split(" || ")))


def _either(first: Check, second: Check) -> Check:
    return lambda value: first(value) or second(value)


def _alternative(text: str) -> Check:
    found = _ALTERNATIVE.fullmatch(text)
    if found is None:
        return _never
    read: Check = attrgetter(found["path"]) if found["path"] else lambda value: value
    if found["pattern"] is not None:  # of RE2, whose `$` is the end, and whose classes are ASCII
        pattern = re.compile(found["pattern"].replace("$", r"\Z"), re.ASCII)
        return lambda value: pattern.search(str(read(value)))
    if found["no"] or found["sign"] == "=":
        return lambda value: not read(value)
    return read


def _is_there(message: object) -> bool:
    return message is not None


def _never(_value: object) -> bool:
    return False
