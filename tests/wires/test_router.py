from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.api.router import Router
from tracker.errors import Code, TrackerError
from tracker.transcoding.bindings import parse_template

ROUTES = (
    ("GET", "/v1/things"),
    ("POST", "/v1/things"),
    ("GET", "/v1/things/{name}"),
    ("DELETE", "/v1/things/{name}"),
    ("GET", "/v1/things/list"),
    ("GET", "/v1/things/{name}/parts"),
    ("GET", "/v1/{name=shelves/*/books/*}"),
    ("GET", "/v1/files/{path=**}"),
    ("GET", "/v1/any/*/end"),
)


@pytest.fixture(params=[ROUTES, ROUTES[::-1]], ids=["as listed", "the other way round"])
def router(request: pytest.FixtureRequest) -> Router[str]:
    router = Router[str]()
    for verb, template in request.param:
        router.add(verb, parse_template(template), f"{verb} {template}")
    return router


@pytest.mark.parametrize(
    ("verb", "path", "target", "values"),
    [
        ("GET", "/v1/things", "GET /v1/things", ()),
        ("GET", "/v1/things/list", "GET /v1/things/list", ()),
        ("GET", "/v1/things/%6Cist", "GET /v1/things/list", ()),
        ("GET", "/v1/things/List", "GET /v1/things/{name}", ("List",)),
        ("GET", "/v1/things/list/parts", "GET /v1/things/{name}/parts", ("list",)),
        ("GET", "/v1/things/a%20b%C3%A9", "GET /v1/things/{name}", ("a bé",)),
        ("GET", "/v1/things/a%2Fb", "GET /v1/things/{name}", ("a/b",)),
        ("GET", "/v1/things/a+b", "GET /v1/things/{name}", ("a+b",)),
        ("GET", "/v1/things/a:b", "GET /v1/things/{name}", ("a:b",)),
        ("GET", "/v1/things/a:close", "GET /v1/things/{name}", ("a:close",)),
        ("GET", "/v1/shelves/1/books/2", "GET /v1/{name=shelves/*/books/*}", ("shelves/1/books/2",)),
        (
            "GET",
            "/v1/shelves/1%2F2/books/%41",
            "GET /v1/{name=shelves/*/books/*}",
            ("shelves/1%2F2/books/A",),
        ),
        ("GET", "/v1/files/a/b/c", "GET /v1/files/{path=**}", ("a/b/c",)),
        ("GET", "/v1/files", "GET /v1/files/{path=**}", ("",)),
        ("GET", "/v1/any/x/end", "GET /v1/any/*/end", ()),
        ("HEAD", "/v1/things/a", "GET /v1/things/{name}", ("a",)),
    ],
)
def test_a_path_leads_to_its_most_literal_route(
    router: Router[str], verb: str, path: str, target: str, values: tuple[str, ...]
) -> None:
    assert router.find(verb, path) == (target, values)


@pytest.mark.parametrize(
    "path", ["", "*", "/", "/v1", "/v1/", "/v1/things/", "/v1//things", "/V1/things", "/v1/things/a/b", "/v2"]
)
def test_any_other_path_is_unknown(router: Router[str], path: str) -> None:
    assert router.find("GET", path) is None


@pytest.mark.parametrize(
    ("verb", "path", "allow"),
    [
        ("PUT", "/v1/things", "GET, HEAD, POST"),
        ("DELETE", "/v1/things/list", "GET, HEAD"),
        ("DELETE", "/v1/things/%6Cist", "GET, HEAD"),
        ("POST", "/v1/things/a", "DELETE, GET, HEAD"),
        ("HEAD", "/v1/things/a:close", None),
        ("PUT", "/v1/things/a:close", "DELETE, GET, HEAD"),
    ],
)
def test_a_wrong_verb_is_told_the_right_ones(
    router: Router[str], verb: str, path: str, allow: str | None
) -> None:
    if allow is None:
        assert router.find(verb, path) is not None
        return
    with pytest.raises(TrackerError) as caught:
        router.find(verb, path)
    assert caught.value.code is Code.UNIMPLEMENTED
    assert caught.value.metadata["allow"] == allow


@pytest.mark.parametrize("path", ["/v1/things/%ff", "/v1/things/%zz", "/v1/things/%", "/v1/files/a/%C3"])
def test_a_path_that_is_not_utf8_is_refused(router: Router[str], path: str) -> None:
    with pytest.raises(TrackerError) as caught:
        router.find("GET", path)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_two_routes_for_one_verb_and_path_are_refused(router: Router[str]) -> None:
    with pytest.raises(ValueError, match="two routes"):
        router.add("GET", parse_template("/v1/things/{other}"), "again")


@given(st.text(max_size=30))
def test_no_path_makes_it_fail_otherwise(path: str) -> None:
    router = Router[str]()
    for verb, template in ROUTES:
        router.add(verb, parse_template(template), template)
    outcome = found_or_error(router, f"/v1/{path}")
    if isinstance(outcome, TrackerError):
        assert outcome.code in (Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED)
    else:
        assert outcome is None or outcome[0].startswith("/v1/")


def found_or_error(router: Router[str], path: str) -> tuple[str, tuple[str, ...]] | TrackerError | None:
    try:
        return router.find("GET", path)
    except TrackerError as error:
        return error
