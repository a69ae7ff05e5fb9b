"""What all pages have in common: headers, files, and what readers may see."""

from __future__ import annotations

import asyncio
import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.behaviour.servers import metrics, pages
from tests.patience import PATIENCE
from tests.web.html import page, record

from tracker.web.pages import PAGES
from tracker.web.site import web_address

if TYPE_CHECKING:
    import httpx2

    from tracker.app import App
    from tracker.config.settings import Settings

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</title><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202e\u0000<b>".replace("\u0000", ""),
)


async def test_pages_load_nothing_from_elsewhere_and_have_nothing_inline(http: httpx2.AsyncClient) -> None:
    event = await record(http, "Deploy cart")
    for path in ("/events", f"/events/{event}"):
        answer = await http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text)
        for found in re.findall(r'(?:src|href)="([^"]*)"', answer.text):
            assert re.match(r"/(?!/)|#", found), found


async def test_files_are_kept_forever_and_change_their_name_with_their_content(
    http: httpx2.AsyncClient,
) -> None:
    for found in set(re.findall(r'(?:src|href)="(/assets/[^"]*)"', (await http.get("/events")).text)):
        answer = await http.get(found)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
        again = await http.get(found, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
    assert (await http.get("/assets/old/base.css")).headers["cache-control"] == "no-cache"
    assert (await http.get("/assets/old/secret.css")).status_code == 404


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_shown_as_text(http: httpx2.AsyncClient, text: str) -> None:
    attributes = {"message": text, "service": text, "owner": text, "source": text, "version": text}
    event = await record(http, text, **attributes, labels={"x": text})
    clean = {e.name for e in (await page(http, "/docs")).all("script")} | {"script"}
    for path in ("/events", f"/events/{event}", f"/events?event={event}", f"/events?q={text}&zone={text}"):
        shown = await page(http, path)
        assert clean == {"script"}
        assert all(script.attributes.get("src", "").startswith("/assets/") for script in shown.all("script"))
        assert not shown.all("img")
        assert not [a for a in shown.all("a") if a.attributes["href"].startswith("javascript")]


def test_addresses_that_run_something_are_none() -> None:
    assert web_address("https://example.com/a") == "https://example.com/a"
    for text in (
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "http://[bad",
    ):
        assert not web_address(text)


async def test_a_reader_without_rights_is_told_which_are_missing(settings: Settings) -> None:
    closed = replace(settings, auth_anonymous_permissions=frozenset())
    async with pages(closed) as http:
        text = (await page(http, "/events")).one("main").text
    assert "You may not see events" in text


async def test_a_parameter_that_a_page_has_not_is_named_on_it_and_refused_for_a_file(
    http: httpx2.AsyncClient,
) -> None:
    for path, said in (
        ("/events?servce=cart", "unknown parameter servce; did you mean q=service:…?"),
        ("/matrix?enviroment=production&x=", "unknown parameter enviroment; did you mean environment?"),
        ("/catalog?view=graph&off=cart", "unknown parameter off; did you mean of?"),
    ):
        assert f"Ignored: {said}" in (await page(http, path)).one("main").text
    many = "&".join(f"{letter}=1" for letter in "abcdef")
    assert "c; 3 more" in (await page(http, f"/locks?{many}")).one("main").text
    for path in ("/events.csv?frm=1d", "/events.ndjson?frm=1d", "/calendar.ics?x=1", "/freezes.ics?x=1"):
        answer = await http.get(path)
        assert (answer.status_code, "nknown parameter" in answer.text) == (400, True), path


WRONG_VALUES = (
    ("/events?sort=tme&x=", "sort: expected time, got 'tme'; unknown parameter x"),
    ("/events?live=yes", "live: expected one of 0, 1, got 'yes'"),
    ("/events?cols=service,srvice", "cols: expected fields of events, got 'srvice'; did you mean service?"),
    (
        f"/events?cols={','.join(f'label.l{n}' for n in range(13))}",
        "cols: expected at most 12 fields, got 13",
    ),
    ("/events?part=mian&wait=yes", "part: expected one of main, facets, chart, got 'mian'; wait: expected 1"),
    (
        "/timeline?by=team&lanes=1",
        "by: expected one of service, environment, got 'team'; lanes: expected all",
    ),
    ("/calendar?first=tuesday", "first: expected one of Monday, Sunday, Saturday, got 'tuesday'"),
    ("/catalog?view=grph&facet=x", "view: expected graph, got 'grph'; facet: expected one of now, type"),
    ("/catalog?view=graph&depth=9", "depth: expected one of 1, 2, got '9'"),
    ("/catalog?view=graph&zoom=75", "zoom: expected one of fit, 50, 100, 150, got '75'"),
    ("/matrix?changes=yes", "changes: expected one of 0, 1, got 'yes'"),
    ("/record?type=deploy", "type: expected one of deployment, "),
    ("/record?start=soon&impact=0", "impact: expected 1, got '0'; start: expected a time such as 2h"),
    ("/locks?zone=Europe/Pariss", "zone: expected a time zone such as Europe/Paris, got 'Europe/Pariss'"),
    ("/?" + "&" * 100, "expected at most 100 parameters, got 101"),
)


@pytest.mark.parametrize(("path", "said"), WRONG_VALUES)
async def test_a_value_that_a_page_can_not_use_is_named_on_it(
    http: httpx2.AsyncClient, path: str, said: str
) -> None:
    if path.startswith("/catalog"):
        await http.post("/api/v1alpha1/catalog", json={"name": "cart"})
    assert f"Ignored: {said}" in (await page(http, path)).one("main").text


async def test_a_value_may_be_in_any_case_and_one_that_a_file_can_not_use_refuses_it(
    http: httpx2.AsyncClient,
) -> None:
    for path in ("/calendar?first=SUNDAY", "/timeline?by=Environment&lanes=", "/events?sort=time&live=0"):
        assert "Ignored" not in (await page(http, path)).one("main").text, path
    for path, said in (
        ("/events.csv?sort=tme", "Sort: expected time, got 'tme'"),
        ("/events.ndjson?cols=srvice", "Cols: expected fields of events, got"),
        ("/events.csv?servce=x", "did you mean q=service:…?</p>"),
        ("/matrix.csv?changes=yes", "Changes: expected one of 0, 1"),
        ("/calendar.ics?zone=Pariss", "zone: expected a time zone such as Europe/Paris"),
    ):
        answer = await http.get(path)
        assert (answer.status_code, said in html.unescape(answer.text)) == (400, True), path


async def test_a_page_that_is_sent_holds_no_memory(app: App, http: httpx2.AsyncClient) -> None:
    await record(http, "Deploy cart", message="x" * 60_000)
    await page(http, "/events")
    await page(http, "/events?from=yesteryear", 400)
    async with asyncio.timeout(PATIENCE):
        while "tracker_unsent_answer_bytes 0.0" not in await metrics(app):
            await asyncio.sleep(0.01)  # between two reads


def test_every_page_has_a_path_of_its_own() -> None:
    assert len({each.path for each in PAGES}) == len(PAGES)
