"""Random messages of any type, made from its descriptor."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from protobuf import (
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from protobuf import (
        DescEnum,
        DescField,
        Message,
    )

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_INT32 = st.integers(-(2**31), 2**31 - 1)
_INT64 = st.integers(-(2**63), 2**63 - 1)
_UINT32 = st.integers(0, 2**32 - 1)
_UINT64 = st.integers(0, 2**64 - 1)
# The message library reads no number that, before it is rounded to 32 bits, is beyond the largest of them.
_FLOAT32 = st.floats(-(2.0**127), 2.0**127, width=32)

_SCALARS: dict[ScalarType, SearchStrategy[object]] = {
    ScalarType.STRING: TEXT,
    ScalarType.BYTES: st.binary(max_size=20),
    ScalarType.BOOL: st.booleans(),
    ScalarType.INT32: _INT32,
    ScalarType.INT64: _INT64,
    ScalarType.UINT32: _UINT32,
    ScalarType.UINT64: _UINT64,
    ScalarType.FLOAT: _FLOAT32,
    ScalarType.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
}


_NANOS = st.integers(0, 999_999_999)


@cache
def messages(message: DescMessage, *, open_enums: bool = True) -> SearchStrategy[Message]:
    """Return a strategy for messages of one type, each field set or not.

    With `open_enums` enums have numbers that their protos do not declare, too.
    """
    if message.type_name == "google.protobuf.Timestamp":
        seconds = st.integers(-62135596800, 253402300799)
        return st.builds(message.type, seconds=seconds, nanos=_NANOS)
    if message.type_name == "google.protobuf.Duration":
        seconds = st.integers(-315_576_000_000, 315_576_000_000)
        return st.tuples(seconds, _NANOS).map(
            lambda time: message.type(seconds=time[0], nanos=-time[1] if time[0] < 0 else time[1])
        )
    fields = {field.local_name: _values(field, open_enums=open_enums) for field in message.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: message.type(**values))


def _values(field: DescField, *, open_enums: bool) -> SearchStrategy[object]:
    match field.value:
        case DescFieldValueScalar(scalar=element):
            return _elements(element, open_enums=open_enums)
        case DescFieldValueEnum(enum=element):
            return _elements(element, open_enums=open_enums)
        case DescFieldValueMessage(message=element):
            return _elements(element, open_enums=open_enums)
        case DescFieldValueList(element=element):
            return st.lists(_elements(element, open_enums=open_enums), max_size=3)
        case DescFieldValueMap(key=ScalarType.STRING, value=element):
            return st.dictionaries(TEXT, _elements(element, open_enums=open_enums), max_size=3)
    raise TypeError(f"no strategy for {field}")


def _elements(element: ScalarType | DescEnum | DescMessage, *, open_enums: bool) -> SearchStrategy[object]:
    if isinstance(element, ScalarType):
        return _SCALARS[element]
    if isinstance(element, DescMessage):
        return messages(element, open_enums=open_enums)
    declared = st.sampled_from([value.number for value in element.values])
    return (st.one_of(declared, _INT32) if open_enums else declared).map(element.type)
