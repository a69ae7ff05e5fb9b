"""Forms: who may send them, what follows, and what a refusal looks like, all without scripts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from tests.behaviour.servers import pages
from tests.canaries import canary
from tests.web.html import OWN, page, parsed, record, send

from tracker.permissions import Permission
from tracker.services.access.sessions import csrf_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from tests.web.html import Element

    from tracker.config.settings import Settings

PASSWORD = canary("password of a page")


@pytest.fixture
async def closed(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a server where nobody may do anything without logging in."""
    wanted = replace(settings, auth_anonymous_permissions=frozenset(), auth_admin_password=PASSWORD)
    async with pages(wanted) as http:
        yield http


async def log_in(http: httpx2.AsyncClient, name: str = "admin", password: str = PASSWORD) -> dict[str, str]:
    """Log in by the page; return the headers of the browser's later requests."""
    answer = await http.post(
        "/login", data={"username": name, "password": password, "redirect": "/events?q=a"}, headers=OWN
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?q=a")
    token = answer.cookies["tracker_session"]
    http.cookies.clear()
    return {**OWN, "cookie": f"tracker_session={token}"}


def comments(shown: Element) -> list[str]:
    return [each.text for each in shown.one("main").all("ol", class_="changes") if "commented" in each.text]


async def test_a_change_leads_to_a_page_that_says_once_what_was_done(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Deploy cart", status="start")
    shown = await page(http, f"/events/{event}")
    after = await send(http, shown, "comment", comment="half\nway <b>")
    assert "half way <b>" in after.one("ol", class_="changes").text
    assert after.one("div", role="status").text == "The comment is recorded."
    again = await page(http, f"/events/{event}")
    assert not again.all("div", role="status")


async def test_a_form_that_is_sent_twice_changes_once(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Deploy cart")
    shown = await page(http, f"/events/{event}")
    for _ in range(2):
        await send(http, shown, "comment", comment="only once")
    after = await page(http, f"/events/{event}")
    assert after.one("ol", class_="changes").text.count("only once") == 1


async def test_an_error_stands_beside_the_field_and_what_was_entered_stays(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Deploy cart", status="start")
    shown = await page(http, f"/events/{event}")
    wrong = await send(http, shown, "comment", 400, comment="  ", who="ana")
    for each in (shown, wrong):
        ids = [
            field.attributes["id"]
            for kind in ("input", "textarea", "select")
            for field in each.all(kind)
            if field.attributes.get("type") not in ("hidden", "search") and "id" in field.attributes
        ]
        assert len(set(ids)) == len(ids) > 3
        assert "finish-status" in ids
    area = wrong.one("textarea", id="comment-comment")
    assert area.attributes["aria-invalid"] == "true"
    assert "expected some text" in wrong.one("p", id=area.attributes["aria-describedby"]).text
    assert wrong.one("input", id="comment-who").attributes["value"] == "ana"
    assert wrong.one("input", id="finish-who").attributes["value"] == ""
    assert wrong.one("div", id="problem").one("a").attributes["href"] == "#comment-comment"
    form = await page(http, "/record")
    unlike = await send(http, form, "record", 400, title="x", start_date="never")
    named = {each.text for each in unlike.one("div", id="problem").all("a")}
    labels = {each.text for each in unlike.one("main").all("label")}
    assert named == {"Begins"}
    assert named <= labels


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://other.localhost"},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {},
    ],
)
async def test_pages_of_other_sites_change_nothing(http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    event = await record(http, "Deploy cart")
    answer = await http.post(f"/events/{event}", data={"action": "comment", "comment": "x"}, headers=headers)
    assert answer.status_code == 403
    assert not comments(await page(http, f"/events/{event}"))


async def test_a_form_is_read_as_a_form_and_bounded(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Deploy cart")
    for content, kind, status in (
        (b'{"action": "comment"}', "application/json", 415),
        (b"action=comment&comment=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 201), "application/x-www-form-urlencoded", 400),
        (b"comment=" + b"x" * 600_000, "application/x-www-form-urlencoded", 413),
    ):
        answer = await http.post(f"/events/{event}", content=content, headers=OWN | {"content-type": kind})
        assert answer.status_code == status, kind
    assert not comments(await page(http, f"/events/{event}"))


async def test_a_session_alone_changes_nothing_without_its_token(closed: httpx2.AsyncClient) -> None:
    headers = await log_in(closed)
    event = await _event(closed, headers)
    shown = await page(closed, f"/events/{event}", **headers)
    for csrf in ("", "wrong"):
        refused = await send(closed, shown, "comment", 403, headers, comment="kept", csrf=csrf)
        assert refused.one("textarea", id="comment-comment").text == "kept"
    assert not comments(await page(closed, f"/events/{event}", **headers))
    assert comments(await send(closed, shown, "comment", 303, headers, comment="by admin"))


async def test_a_form_of_a_session_that_ended_is_not_taken_for_an_anonymous_one(
    settings: Settings,
) -> None:
    async with pages(replace(settings, auth_admin_password=PASSWORD)) as http:
        headers = await log_in(http)
        event = await record(http, "Deploy cart")
        shown = await page(http, f"/events/{event}", **headers)
        assert (await http.post("/logout", headers=headers)).status_code == 303
        refused = await send(http, shown, "comment", 403, headers, comment="kept")
        assert "logged in or out" in refused.one("div", id="problem").text
        assert comments(await send(http, refused, "comment", 303, headers, comment="kept"))


async def test_what_was_entered_outlives_the_session_where_only_who_is_logged_in_sees_the_form(
    closed: httpx2.AsyncClient,
) -> None:
    headers = await log_in(closed)
    event = await _event(closed, headers)
    record_form = await page(closed, "/record", **headers)
    edit_form = await page(closed, f"/events/{event}/edit", **headers)
    account = await page(closed, "/account", **headers)
    assert (await closed.post("/logout", headers=headers)).status_code == 303
    anew = await log_in(closed)
    for shown, action, status in ((record_form, "record", 403), (edit_form, "save", 401)):
        entered = {"title": 'Long "story"', "service": "cart", "message": "two\nlines"}
        refused = await send(closed, shown, action, status, headers, **entered)
        assert refused.one("a", target="_blank").attributes["href"].startswith("/login?redirect=")
        (kept,) = [each for each in refused.all("form") if "What you entered" in str(each.attributes)]
        hidden = {each.attributes["name"]: each.attributes["value"] for each in kept.all("input")}
        answer = await closed.post(kept.attributes["action"], data=hidden, headers=anew)
        assert answer.status_code == 403
        again = parsed(answer.text)
        assert again.one("input", id=f"{action}-title").attributes["value"] == entered["title"]
        assert again.one("textarea", id=f"{action}-message").text == "two lines"
        await send(closed, again, action, 303, anew)
    refused = await send(
        closed, account, "password", 403, headers, current=PASSWORD, new="a" * 12, again="a" * 12
    )
    assert PASSWORD not in str([each.attributes for each in refused.all("input")])


async def test_a_refused_change_of_selected_events_is_asked_again(closed: httpx2.AsyncClient) -> None:
    headers = await log_in(closed)
    event = await _event(closed, headers)
    listed = await page(closed, "/events?from=all", **headers)
    asked = await send(closed, listed, "comment", 200, headers, **{f"e-{event}": "1"})
    again = await send(closed, asked, "apply", 403, await log_in(closed), comment="all of this")
    assert again.one("textarea", id="apply-comment").text == "all of this"
    blank = await send(closed, asked, "apply", 400, headers, comment=" ")
    assert "expected some text" in blank.one("p", id="apply-comment-about").text


async def test_readers_see_no_forms_and_are_told_what_a_change_needs(settings: Settings) -> None:
    reading = replace(settings, auth_admin_password=PASSWORD)
    reading = replace(reading, auth_anonymous_permissions=frozenset({Permission.EVENT_READ}))
    async with pages(reading) as http:
        event = await _event(http, await log_in(http))
        shown = await page(http, f"/events/{event}")
        assert not [each for each in shown.all("form") if each.attributes["method"] == "post"]
        login = shown.one("header").one("a", class_="button")
        assert login.attributes["href"] == "/login?" + urlencode({"redirect": f"/events/{event}"})
        answer = await http.post(
            f"/events/{event}", data={"action": "comment", "comment": "x", "csrf": ""}, headers=OWN
        )
        assert answer.status_code == 401
        assert "event:write" in answer.text


async def test_who_is_logged_in_is_named_and_can_log_out(closed: httpx2.AsyncClient) -> None:
    headers = await log_in(closed)
    shown = await page(closed, "/events", **headers)
    assert "admin" in shown.one("header").text
    assert shown.one("form", action="/logout").one("button").text == "Log out"


async def _event(http: httpx2.AsyncClient, headers: dict[str, str]) -> str:
    token = csrf_token(headers["cookie"].partition("=")[2])
    body = {"title": "Deploy", "attributes": {"type": "deployment", "service": "cart"}}
    answer = await http.post("/api/v1alpha1/event", json=body, headers=headers | {"x-csrf-token": token})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event"]["metadata"]["id"])
