"""The protos against `wire.json`: what every existing client counts on, written down apart from them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

import pytest
from protobuf import (
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    ScalarType,
)

from tracker import pb
from tracker.pb import annotations_pb, event_pb

if TYPE_CHECKING:
    from protobuf import DescEnum, DescField, DescFile, DescMessage, DescMethod


class Package(TypedDict):
    services: dict[str, dict[str, list[str]]]
    messages: dict[str, dict[str, str]]
    enums: dict[str, dict[str, int]]


WIRE = cast("dict[str, Package]", json.loads(Path(__file__).with_name("wire.json").read_text()))
FILES = {file.proto.package: file for file in pb.FILES}
OWN_NUMBERS = 100
packages = pytest.mark.parametrize("package", WIRE)


def type_of(field: DescField) -> str:
    match field.value:
        case DescFieldValueScalar(scalar=kind) | DescFieldValueEnum(enum=kind):
            return name_of(kind, field)
        case DescFieldValueMessage(message=message):
            return name_of(message, field)
        case DescFieldValueList(element=element):
            return f"repeated {name_of(element, field)}"
        case DescFieldValueMap(key=key, value=value):
            return f"map<{name_of(key, field)},{name_of(value, field)}>"


def name_of(kind: ScalarType | DescEnum | DescMessage, field: DescField) -> str:
    if isinstance(kind, ScalarType):
        return kind.name.lower()
    return kind.type_name.removeprefix(f"{field.parent.file.proto.package}.")


def fields_of(message: DescMessage) -> dict[str, str]:
    return {field.name: f"{field.number} {type_of(field)}" for field in message.fields}


def enum_values(file: DescFile, name: str) -> dict[str, int]:
    enum = next(enum for enum in file.enums if enum.name == name)
    return {value.name: value.number for value in enum.values if value.number < OWN_NUMBERS}


def bindings(method: DescMethod) -> list[list[str]]:
    assert method.proto.options is not None
    rule = method.proto.options[annotations_pb.ext_http]
    found = []
    for one in (rule, *rule.additional_bindings):
        assert one.pattern is not None
        found.append([f"{one.pattern.field.upper()} {one.pattern.value}", *([one.body] if one.body else [])])
    return found


@packages
def test_every_rpc_has_its_messages_and_its_route(package: str) -> None:
    services = {service.name: service for service in FILES[package].services}
    assert set(services) == set(WIRE[package]["services"])
    for name, methods in WIRE[package]["services"].items():
        found = {
            m.name: [m.input.name, m.output.name, *bindings(m)[0]]
            for m in services[name].methods
            if m.name in methods
        }
        assert found == methods


@packages
def test_every_field_has_its_number_and_its_type(package: str) -> None:
    messages = {message.name: fields_of(message) for message in FILES[package].messages}
    for name, fields in WIRE[package]["messages"].items():
        assert {field: messages[name].get(field) for field in fields} == fields, name


@packages
def test_every_enum_value_has_its_number(package: str) -> None:
    file = FILES[package]
    assert {e.name: enum_values(file, e.name) for e in file.enums} == WIRE[package]["enums"]


@packages
def test_own_fields_have_numbers_that_nobody_else_gives(package: str) -> None:
    own = [
        field
        for message in FILES[package].messages
        if message.name in WIRE[package]["messages"]
        for field in message.fields
        if field.name not in WIRE[package]["messages"][message.name]
    ]
    assert all(field.number >= OWN_NUMBERS for field in own), own


@packages
def test_json_names_are_lower_camel_case(package: str) -> None:
    for message in FILES[package].messages:
        for field in message.fields:
            first, *rest = field.name.split("_")
            assert field.json_name == first + "".join(part.capitalize() for part in rest)


@packages
def test_what_clients_know_tells_unset_from_false_only_where_it_has_three_states(package: str) -> None:
    optional = [
        f"{message.name}.{field.name}"
        for message in FILES[package].messages
        for field in message.fields
        if field.proto.proto3_optional and field.name in WIRE[package]["messages"].get(message.name, ())
    ]
    assert optional == (["SearchEventsRequest.impact"] if package == "tracker.event.v1alpha1" else [])


def test_no_two_calls_have_the_same_route() -> None:
    routes = [
        re.sub(r"{\w+}", "{}", route)
        for file in pb.FILES
        for service in file.services
        for method in service.methods
        for route, *_ in bindings(method)
    ]
    assert len(routes) == len(set(routes))


def test_files_are_known_to_reflection_by_the_names_that_clients_ask_for() -> None:
    names = {file.proto.name for file in pb.FILES}
    assert {f"proto/{noun}/v1alpha1/{noun}.proto" for noun in ("event", "catalog", "lock")} <= names


def test_generated_names_are_those_of_the_wire() -> None:
    assert event_pb.Type.desc().values[0].name == "TYPE_UNSPECIFIED"
    assert event_pb.Status(8).name == "recommandation"
