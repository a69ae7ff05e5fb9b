"""The OpenAPI documents: valid, complete, and true of what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate
from tools.openapi.names import operation_id

from tracker import __version__, pb
from tracker.errors import Code, Reason
from tracker.pb.options import only_reads
from tracker.transcoding.bindings import http_bindings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "src" / "tracker" / "api" / "spec"
OPENAPI = json.loads((SPEC / "openapi.json").read_text())
SWAGGER = json.loads((SPEC / "swagger.json").read_text())
EXAMPLES = json.loads((ROOT / "proto" / "examples.json").read_text())
METHODS = [method for file in pb.FILES for service in file.services for method in service.methods]

documents = pytest.mark.parametrize("document", [OPENAPI, SWAGGER], ids=["openapi", "swagger"])


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


def routes_of_protos() -> set[tuple[str, str]]:
    return {(binding.path, binding.verb.lower()) for method in METHODS for binding in http_bindings(method)}


def check(schema: Any, value: Any) -> list[str]:
    """Return what in a value does not follow a schema of the 3.1 document."""
    validator = jsonschema_rs.validator_for({**schema, "components": OPENAPI["components"]})
    return [error.message for error in validator.iter_errors(value)]


@documents
def test_document_is_valid(document: Any) -> None:
    validate(document)


@documents
def test_document_names_every_route_and_the_probes_only(document: Any) -> None:
    found = {(path, verb) for path, verb, _ in operations(document)}
    assert found == routes_of_protos() | {("/livez", "get"), ("/readyz", "get")}


@documents
def test_document_carries_the_title_and_the_version_of_the_package(document: Any) -> None:
    assert (document["info"]["title"], document["info"]["version"]) == ("Tracker", __version__)


@documents
def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


@documents
def test_everything_is_described(document: Any) -> None:
    for path, verb, operation in operations(document):
        assert operation["summary"], (path, verb)
        for parameter in operation.get("parameters", []):
            assert parameter["name"] == "body" or parameter["description"], (path, verb, parameter["name"])
    schemas = document["components"]["schemas"] if document is OPENAPI else document["definitions"]
    for name, schema in schemas.items():
        assert schema["description"], name
        for field, value in schema.get("properties", {}).items():
            assert field == "@type" or value.get("description") or value.get("enum"), (name, field)


@documents
def test_properties_have_the_names_of_the_wire(document: Any) -> None:
    schemas = document["components"]["schemas"] if document is OPENAPI else document["definitions"]
    assert {"startDate", "stakeHolders", "relatedId"} <= set(schemas["event.EventAttributes"]["properties"])
    snake = {
        (name, field)
        for name, schema in schemas.items()
        for field in schema.get("properties", {})
        if "_" in field
    }
    assert snake == {("link.Link", "created_at"), ("link.Link", "updated_at")}


@documents
def test_every_operation_tells_of_its_own_errors(document: Any) -> None:
    create = document["paths"]["/api/v1alpha1/event"]["post"]["responses"]
    assert set(create) == {"200", "400", "404", "409", "422", "429", "default"}
    assert "LOCK_HELD" in create["409"]["description"]
    assert set(document["paths"]["/api/links/{id}"]["delete"]["responses"]) == {
        "204",
        "400",
        "404",
        "409",
        "422",
        "default",
    }


@documents
def test_calls_that_may_change_something_take_an_idempotency_key(document: Any) -> None:
    taking = {
        operation["operationId"]
        for _, _, operation in operations(document)
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    }
    changing = [method for method in METHODS if not only_reads(method)]
    assert taking == {
        operation_id(method, number)
        for method in changing
        for number, _ in enumerate(http_bindings(method), 1)
    }


def test_every_reason_is_documented_with_its_calls_unless_any_call_may_answer_it() -> None:
    of_any_call = {
        *(reason for reason in Reason if reason.name.startswith("STORE_")),
        *(
            reason
            for reason in Reason
            if reason.code in (Code.CANCELLED, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNAUTHENTICATED)
        ),
        *(Reason.INVALID_FIELD, Reason.INVALID_HTTP),
        *(Reason.UNKNOWN_PATH, Reason.UNKNOWN_METHOD, Reason.METHOD_NOT_ALLOWED),
        *(Reason.REQUEST_TOO_LARGE, Reason.HEADERS_TOO_LARGE),
        *(Reason.CROSS_ORIGIN, Reason.UNSUPPORTED_MEDIA_TYPE, Reason.UNKNOWN_ENCODING),
        *(Reason.PERMISSION_REQUIRED, Reason.UNKNOWN_HOST, Reason.ISSUER_UNAVAILABLE),
        *(Reason.DRAINING, Reason.CALLER_TOO_SLOW, Reason.UNSENT_ANSWERS),
        *(Reason.TOO_MANY_CALLS, Reason.TOO_MANY_FAILED_ATTEMPTS),
        Reason.EVENT_NUMBER_SHARED,  # of an intake
    }
    documented = {
        (int(status), Reason[reason])
        for _, _, operation in operations(OPENAPI)
        for status, answer in operation["responses"].items()
        for reason in re.findall(r"`([A-Z_]+)`: ", answer["description"])
    }
    assert documented == {(reason.http_status, reason) for reason in set(Reason) - of_any_call}


def test_every_method_that_takes_a_body_has_an_example_of_one() -> None:
    lacking = [
        operation["operationId"]
        for _, _, operation in operations(OPENAPI)
        if "example"
        not in operation.get("requestBody", {"content": {"application/json": {"example": 0}}})["content"][
            "application/json"
        ]
        and operation["requestBody"]["required"]
    ]
    assert lacking == []


def test_examples_belong_to_methods() -> None:
    assert set(EXAMPLES) <= {f"{method.parent.name}/{method.name}" for method in METHODS}


def test_examples_follow_their_schemas() -> None:
    tried = 0
    for path, verb, operation in operations(OPENAPI):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for told in [*bodies, *operation["responses"].values()]:
            content = told.get("content", {}).get("application/json", {})
            if "example" in content:
                assert check(content["schema"], content["example"]) == [], (path, verb)
                tried += 1
    assert tried > len(EXAMPLES)


def body_of(path: str, verb: str) -> Any:
    return OPENAPI["paths"][path][verb]["requestBody"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ({"title": "t", "attributes": {"service": "s", "type": "drift"}}, True),
        ({"title": "t", "attributes": {"service": "s", "type": 3}, "slackId": None}, True),
        ({"title": "t", "attributes": {"service": "s", "type": "3", "startDate": ""}}, True),
        ({"title": "t", "attributes": {"service": "s", "type": "drift", "status": "Nonsense"}}, False),
        ({"title": "t", "attributes": {"service": "s", "type": "deploy", "status": "failed"}}, True),
        ({"title": "t", "attributes": {"service": "s", "type": "drift", "status": ""}}, True),
        ({"title": "t", "attributes": {"service": "s", "type": "drift"}, "unknown": [1]}, True),
        ({"title": "", "attributes": {"service": "s", "type": "drift"}}, False),
        ({"attributes": {"service": "s", "type": "drift"}}, False),
        ({"title": "t"}, False),
        ({"title": "t", "attributes": {"service": "s"}}, False),
        ({"title": "t", "attributes": {"service": "", "type": "drift"}}, False),
        ({"title": "t", "attributes": {"service": "s", "type": "TYPE_UNSPECIFIED"}}, False),
        ({"title": "t" * 501, "attributes": {"service": "s", "type": "drift"}}, False),
        ({"title": "t", "attributes": {"service": "s", "type": "drift", "impact": "yes"}}, False),
        (
            {"title": "t", "attributes": {"service": "s", "type": "drift", "stakeHolders": ["x"] * 1001}},
            False,
        ),
        ([], False),
    ],
)
async def test_schema_of_a_new_event_and_the_server_agree(
    http: httpx2.AsyncClient, body: Any, *, right: bool
) -> None:
    assert (check(body_of("/api/v1alpha1/event", "post"), body) == []) is right
    answer = await http.post("/api/v1alpha1/event", json=body)
    assert answer.status_code == (200 if right else 400)


async def test_examples_work_as_they_are_and_answers_follow_their_schemas(http: httpx2.AsyncClient) -> None:
    keys: dict[str, str] = {"CatalogService": "payments"}
    tried = []
    steps = sorted(operations(OPENAPI), key=lambda step: ("{" in step[0], step[1] == "delete"))
    for path, verb, operation in steps:
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        service, method = operation["operationId"].split("_")
        if body is None or method in (
            "UpdateEvent",
            "UpdateTeam",
            "TestWebhook",
            "LinkChange",
            "RestoreStateVersion",
            "ReplayIntakeMessage",
        ):  # of what the test has not created
            continue
        url = re.sub(r"\{\w+\}", keys.get(service, ""), path)
        answer = await http.request(verb.upper(), url, json=body)
        assert answer.is_success, (operation["operationId"], answer.text)
        schema = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        assert check(schema, answer.json()) == []
        keys.setdefault(service, key_of(answer.json()))
        tried.append(method)
    assert {"CreateEvent", "AddSlackId", "CreateUpdateCatalog", "UpdateLock", "CreateLink"} <= set(tried)


def key_of(answer: Any) -> str:
    record = next(
        (
            answer[name]
            for name in ("event", "lock", "apiKey", "webhook", "freezeWindow", "policy")
            if name in answer
        ),
        answer,
    )
    return str(record.get("id") or record.get("metadata", {}).get("id"))


async def test_an_error_follows_its_schema(http: httpx2.AsyncClient) -> None:
    schema = {"$ref": "#/components/schemas/Error"}
    for path in ("/api/v1alpha1/events/list?page=-1", "/api/v1alpha1/event/unknown", "/nowhere"):
        answer = await http.get(path)
        assert answer.is_client_error
        assert check(schema, answer.json()) == []
