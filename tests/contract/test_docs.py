"""The page that shows the documents: everything on it comes from this server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx2

API = Path(__file__).parents[2] / "src" / "tracker" / "api"


async def test_everything_on_the_page_comes_from_this_server(http: httpx2.AsyncClient) -> None:
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    found = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    script = await http.get("/docs/initializer.js")
    found += re.findall(r'url: "([^"]+)"', script.text)
    assert {"docs/assets/swagger-ui-bundle.js", "docs/assets/swagger-ui.css", "openapi.json"} <= set(found)
    for link in found:
        assert not re.match(r"[a-z]+:|//", link)
        answer = await http.get(f"/{link}")
        assert answer.status_code == 200, link
        assert answer.content


async def test_the_page_may_load_nothing_from_elsewhere_and_run_no_inline_script(
    http: httpx2.AsyncClient,
) -> None:
    page = await http.get("/docs")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=", page.text)


@pytest.mark.parametrize("name", ["openapi.json", "swagger.json"])
async def test_documents_are_served_as_they_were_generated(http: httpx2.AsyncClient, name: str) -> None:
    answer = await http.get(f"/{name}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == (API / "spec" / name).read_bytes()


async def test_swagger_ui_is_of_the_version_that_reads_openapi_3_1(http: httpx2.AsyncClient) -> None:
    version = await http.get("/docs/assets/VERSION")
    assert int(version.text.strip().lstrip("v").split(".")[0]) >= 5


async def test_only_files_of_the_page_are_served(http: httpx2.AsyncClient) -> None:
    for path in ("/docs/assets/", "/docs/assets/../docs.py", "/docs/assets/%2e%2e/__init__.py", "/docs/x"):
        answer = await http.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["code"] == 5


async def test_the_page_can_only_be_read(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/docs")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
