"""Every RPC of the protos over every one of its HTTP bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import quote, urlencode

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from protobuf import DescFieldValueList, DescMessage, Oneof, message_to_json_value
from tests.wires.messages import messages

from tracker import pb
from tracker.api.router import Router
from tracker.pb import event_pb, http_pb, link_pb
from tracker.transcoding.bindings import HttpBinding, HttpInput, http_bindings
from tracker.transcoding.fields import element_of, is_well_known

if TYPE_CHECKING:
    from protobuf import DescMethod

BINDINGS = [
    (method, binding)
    for file in pb.FILES
    for service in file.services
    for method in service.methods
    for binding in http_bindings(method)
]
ROUTER: Router[HttpBinding] = Router()
for _, each in BINDINGS:
    ROUTER.add(each.verb, each.template, each)

SEGMENTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def spell(binding: HttpBinding, value: dict[str, object]) -> tuple[str, bytes, bytes]:
    """Return the path, the query string and the body that say a message's ProtoJSON value."""
    segments = list(binding.template.segments)
    for variable in binding.template.variables:
        segments[variable.start] = quote(str(value.pop(variable.field_path)), safe="")
    path = "/" + "/".join(segments)
    if binding.takes_body:
        return path, b"", orjson.dumps(value)
    texts = {
        key: [text(i) for i in item] if isinstance(item, list) else text(item) for key, item in value.items()
    }
    return path, urlencode(texts, doseq=True).encode(), b""


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("method", "binding"), BINDINGS, ids=[f"{m.name}-{b.verb}-{b.template.segments[-1]}" for m, b in BINDINGS]
)
@given(data=st.data())
@settings(max_examples=50)
def test_a_request_comes_back_from_path_query_and_body_as_it_was(
    method: DescMethod, binding: HttpBinding, data: st.DataObject
) -> None:
    request = data.draw(messages(method.input, open_enums=binding.takes_body))
    for variable in binding.template.variables:
        setattr(request, variable.field_path, data.draw(SEGMENTS))
    for field in method.input.fields:
        if isinstance(field.value, DescFieldValueList) and not binding.takes_body:
            # In a query string, an empty text counts as not given, and messages have no text.
            element = element_of(field)
            is_text = not isinstance(element, DescMessage) or is_well_known(element)
            request[field] = [item for item in request[field] if item != "" and is_text]
    path, query, body = spell(binding, dict(cast("dict[str, object]", message_to_json_value(request))))
    found = ROUTER.find(binding.verb, path)
    assert found is not None
    assume(found[0] is binding)  # an id that reads like a literal of another route is the other route
    assert [*binding.decode(HttpInput(found[1], query, body))] == [request, ()]
    written = binding.request(request)
    assert (written.verb, written.path.partition("?")[0]) == (binding.verb, path)
    query = written.path.partition("?")[2].encode()
    assert [*binding.decode(HttpInput(found[1], query, written.body or b""))] == [request, ()]


def bind(method: DescMethod, path: str, body: str = "", response_body: str = "") -> HttpBinding:
    rule = http_pb.HttpRule(
        pattern=Oneof[Literal["post"], str]("post", path), body=body, response_body=response_body
    )
    return HttpBinding(method, rule)


CREATE = event_pb.desc().services[0].methods[0]


def test_a_variable_of_the_path_wins_over_the_body_and_the_query_is_ignored_beside_it() -> None:
    (binding,) = (b for m, b in BINDINGS if m.name == "AddSlackId")
    decoded, unknown = binding.decode(
        HttpInput(("from-path",), b"slack_id=query", b'{"id": "body", "slackId": "body"}')
    )
    assert decoded == event_pb.AddSlackIdRequest(id="from-path", slack_id="body")
    assert [str(each) for each in unknown] == [
        "unknown parameter slack_id; this call takes its fields from the body"
    ]


def test_a_variable_may_name_a_field_of_a_message_and_span_segments() -> None:
    binding = bind(CREATE, path="/v1/{attributes.service=teams/*/*}/{attributes.type}", body="*")
    router = Router[HttpBinding]()
    router.add("POST", binding.template, binding)
    found = router.find("POST", "/v1/teams/a/b%2Fc/drift")
    assert found is not None
    decoded, _ = binding.decode(HttpInput(found[1], b"", b'{"attributes": {"owner": "me", "service": "x"}}'))
    attributes = event_pb.EventAttributes(service="teams/a/b%2Fc", type=event_pb.Type.drift, owner="me")
    assert decoded == event_pb.CreateEventRequest(attributes=attributes)


def test_a_request_has_what_the_path_and_the_body_take_and_the_rest_in_its_query() -> None:
    attributes = event_pb.EventAttributes(service="teams/a/b c", owner="me")
    message = event_pb.CreateEventRequest(
        title="t", attributes=attributes, links=event_pb.EventLinks(ticket="T&1")
    )
    path = "/v1/{attributes.service=teams/*/*}/x/{title}"
    sent = bind(CREATE, path=path).request(message)
    query = "attributes.owner=me&links.ticket=T%261"
    assert sent == ("POST", f"/v1/teams/a/b%20c/x/t?{query}", None)
    sent = bind(CREATE, path=path, body="*").request(message)
    assert (sent.verb, sent.path) == ("POST", "/v1/teams/a/b%20c/x/t")
    assert orjson.loads(sent.body or b"") == {"attributes": {"owner": "me"}, "links": {"ticket": "T&1"}}


def test_a_request_in_json_goes_into_a_body_that_takes_all_of_it() -> None:
    assert bind(CREATE, path="/v1", body="*").request(b"{}") == ("POST", "/v1", b"{}")
    for binding in (bind(CREATE, path="/v1/{title}", body="*"), bind(CREATE, path="/v1")):
        with pytest.raises(ValueError, match="more than a body"):
            binding.request(b"{}")


def test_an_answer_may_be_one_field_of_the_message() -> None:
    (binding,) = (b for m, b in BINDINGS if m.name == "ListLinks")
    answer = link_pb.ListLinksResponse(links=[link_pb.Link(id="1", name="n", icon="")])
    assert orjson.loads(binding.encode(answer)) == [
        {"id": "1", "group": "", "name": "n", "url": "", "icon": "", "created_at": 0, "updated_at": 0}
    ]
    assert binding.encode(link_pb.ListLinksResponse()) == b"[]"


@pytest.mark.parametrize(
    "rule",
    [
        {"path": "/v1/{nothing}"},
        {"path": "/v1/{attributes.nothing}"},
        {"path": "/v1", "body": "nothing"},
        {"path": "/v1", "response_body": "nothing"},
        {"path": "v1"},
    ],
)
def test_a_rule_that_names_what_does_not_exist_is_refused(rule: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"nothing|v1"):
        bind(CREATE, **rule)


def test_statuses_of_success_come_from_the_protos() -> None:
    statuses = {method.name: binding.status for method, binding in BINDINGS}
    assert (statuses["CreateLink"], statuses["DeleteLink"], statuses["GetEvent"]) == (201, 204, 200)
