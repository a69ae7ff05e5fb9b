"""Rules of `buf.validate` as keywords of JSON Schema.

Of the rules in CEL, those in the forms below are understood: `this != ''` and `this.matches(r'…')` of a
field; `has(this.a)`, `this.a.b != ''`, `this.a.b != 0` and alternatives of such of a message. What other
rules say, a schema can't.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from protobuf import message_to_json_value
from protovalidate._gen.buf.validate import validate_pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from protobuf import DescField, DescMessage

    Schema: TypeAlias = dict[str, object]

_GIVEN = "this != ''"
_MATCHES = re.compile(r"this\.matches\(r'(.*)'\)")
_HAS = re.compile(r"has\(this\.([\w.]+)\)|this\.([\w.]+) != (?:''|0)")
_SOMETHING_VISIBLE = r"\S"
_POSITIVE = "^[1-9][0-9]{0,17}$"
"""A number as text, from 1 up to the last power of ten that fits 64 bits."""

_LIMITS = {
    "minLen": "minLength",
    "maxLen": "maxLength",
    "maxBytes": "maxLength",
    "gte": "minimum",
    "lte": "maximum",
    "minItems": "minItems",
    "maxItems": "maxItems",
    "minPairs": "minProperties",
    "maxPairs": "maxProperties",
}
"""The keyword for each limit; one in bytes is right for ASCII, and the least that can be said otherwise."""


def field_rules(field: DescField) -> validate_pb.FieldRules:
    """Return the rules of a field, empty ones where it has none."""
    options = field.proto.options
    if options is None or validate_pb.ext_field not in options:
        return validate_pb.FieldRules()
    return options[validate_pb.ext_field]


def keywords(rules: validate_pb.FieldRules) -> Schema:
    """Return what rules say of one value, beside whether it has to be given."""
    schema = _pattern(rules)
    match message_to_json_value(rules):
        case {"timestamp": dict()}:
            return schema  # the limits of every Timestamp
        case {"int64": {"gte": "1"}}:
            return schema | {"pattern": _POSITIVE}
        case {"duration": dict() as limits}:
            return schema | _seconds(limits)
        case dict() as written:
            told = next((value for value in written.values() if isinstance(value, dict)), {})
        case _:
            return schema
    if "uuid" in told:
        schema["format"] = "uuid"
    if "pattern" in told:
        schema["pattern"] = told["pattern"]
    for name, keyword in _LIMITS.items():
        if name in told:
            schema[keyword] = int(float(str(told[name])))
    return schema


def _seconds(limits: Mapping[str, object]) -> Schema:
    """Return the pattern of a Duration from 0 or 1 second to a whole number of them."""
    least, most = (int(str(limits[name]).removesuffix("s")) for name in ("gte", "lte"))
    whole = "|".join(_numbers_below(most)[least:])
    return {"type": "string", "pattern": rf"^(({whole})(\.[0-9]{{1,9}})?|{most})s$"}


def _numbers_below(limit: int) -> list[str]:
    """Return the patterns that together match the whole numbers below a limit above 9; the first is 0."""
    digits = str(limit)
    patterns = ["0", "[1-9]" + "[0-9]?" * (len(digits) - 2)]
    for place, digit in enumerate(digits):
        lowest = 0 if place else 1
        if int(digit) > lowest:
            behind = "[0-9]" * (len(digits) - place - 1)
            patterns.append(f"{digits[:place]}[{lowest}-{int(digit) - 1}]{behind}")
    return patterns


def is_required(field: DescField) -> bool:
    """Say whether a field has to be given, and not empty."""
    rules = field_rules(field)
    return rules.required or any(
        rule.expression == _GIVEN or _matched(rule) == _SOMETHING_VISIBLE for rule in rules.cel
    )


def required_paths(message: DescMessage) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Yield, for each rule of a whole message, the paths (of proto names) of which one has to be given."""
    options = message.proto.options
    if options is None or validate_pb.ext_message not in options:
        return
    for rule in options[validate_pb.ext_message].cel:
        found = [_HAS.fullmatch(part) for part in rule.expression.split(" || ")]
        if all(found):
            yield tuple(tuple((match[1] or match[2]).split(".")) for match in found if match)


def _pattern(rules: validate_pb.FieldRules) -> Schema:
    patterns = [pattern for rule in rules.cel if (pattern := _matched(rule)) is not None]
    telling = [pattern for pattern in patterns if pattern != _SOMETHING_VISIBLE] or patterns
    return {"pattern": telling[0]} if telling else {}


def _matched(rule: validate_pb.Rule) -> str | None:
    found = _MATCHES.fullmatch(rule.expression)
    return found[1] if found else None
