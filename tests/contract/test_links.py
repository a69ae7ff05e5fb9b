"""What a link may lead to: nothing that a browser would run."""

from __future__ import annotations

import pytest
from tests.contract.requests import broken


@pytest.mark.parametrize("request_name", ["CreateLinkRequest", "UpdateLinkRequest"])
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://example.com",
        "data:text/html,x",
        "ftp://example.com",
        "//example.com",
        "example.com",
        " https://example.com",
        "https://example.com/a b",
        "https://example.com/\n",
        "https://example.com/\x00",
        "https://",
    ],
)
def test_a_link_leads_to_http_only(request_name: str, url: str) -> None:
    assert broken(f"{request_name}.url", url) == {
        "url": [
            (
                "must begin with http:// or https://, or be a path of this server, "
                "and hold no space or control character"
            )
        ]
    }


@pytest.mark.parametrize("url", ["http://a", "HTTPS://example.com/ä?q=1#x", "https://user@[::1]:8080/"])
def test_a_link_may_lead_to_any_http_address(url: str) -> None:
    assert broken("CreateLinkRequest.url", url) == {}


@pytest.mark.parametrize("name", ["", " ", "\t\n"])
def test_a_link_has_a_name_that_can_be_read(name: str) -> None:
    assert broken("CreateLinkRequest.name", name) == {"name": ["name and url are required"]}


@pytest.mark.parametrize(
    ("logo", "allowed"),
    [
        ("", True),
        ("grafana", True),
        ("/logos/grafana.png", True),
        ("logos/a:b.png", True),
        ("https://example.com/logo.png", True),
        ("javascript:alert(1)", False),
        ("\tjavascript:alert(1)", False),
        ("data:image/svg+xml,<svg/>", False),
        ("https://example.com/\x01", False),
    ],
)
def test_a_logo_that_is_an_address_is_an_http_one(logo: str, *, allowed: bool) -> None:
    assert list(broken("CreateLinkRequest.logo", logo)) == ([] if allowed else ["logo"])
