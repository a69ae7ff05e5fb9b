"""Pages as a reader without scripts has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

OWN = {"sec-fetch-site": "same-origin"}
"""What a browser says when a page of the server asks."""

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    parts: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        return " ".join("".join(p if isinstance(p, str) else f" {p.text} " for p in self.parts).split())

    def all(self, name: str, /, **attributes: str) -> list[Element]:
        """Return the elements of a name in it that have these attributes; `class_` is one of several."""
        found = [self] if self.name == name and self._has(attributes) else []
        for part in self.parts:
            if isinstance(part, Element):
                found += part.all(name, **attributes)
        return found

    def one(self, name: str, /, **attributes: str) -> Element:
        (found,) = self.all(name, **attributes)
        return found

    def _has(self, wanted: dict[str, str]) -> bool:
        own = self.attributes
        return all(
            value in own.get("class", "").split() if key == "class_" else own.get(key) == value
            for key, value in wanted.items()
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].parts.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].parts.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)


def parsed(text: str) -> Element:
    reader = _Reader()
    reader.feed(text)
    assert reader._open == [reader.root]  # noqa: SLF001 - every element is closed
    return reader.root


async def page(http: httpx2.AsyncClient, path: str, status: int = 200, /, **headers: str) -> Element:
    answer = await http.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return parsed(answer.text)


async def record(http: httpx2.AsyncClient, title: str, **attributes: Any) -> str:
    """Record an event, and return its id."""
    given = {"type": "deployment", "service": "cart", "status": "success", **attributes}
    links = given.pop("links", {})
    body = {"title": title, "attributes": given, "links": links}
    answer = await http.post("/api/v1alpha1/event", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event"]["metadata"]["id"])


async def describe(http: httpx2.AsyncClient, name: str, **fields: Any) -> None:
    """Store an entry of the catalog."""
    body = {"name": name, "type": "project", "owner": "core", "version": "1", **fields}
    answer = await http.put("/api/v1alpha1/catalog", json=body)
    assert answer.status_code == 200, answer.text


async def send(
    http: httpx2.AsyncClient,
    shown: Element,
    action: str,
    answered: int = 303,
    headers: Mapping[str, str] = OWN,
    /,
    **entries: str,
) -> Element:
    """Send the form of a page that has a button of this action; return the page that follows."""
    (form,) = [f for f in shown.all("form") if f.all("button", name="action", value=action)]
    sent = {**_entries(form), **entries, "action": action}
    answer = await http.post(form.attributes["action"], data=sent, headers=headers)
    assert answer.status_code == answered, answer.text
    if answered != 303:
        return parsed(answer.text)
    held = dict(each.split("=", 1) for each in headers.get("cookie", "").split("; ") if each)
    cookies = "; ".join(f"{name}={value}" for name, value in {**held, **answer.cookies}.items())
    http.cookies.clear()
    return await page(http, answer.headers["location"], **{**headers, "cookie": cookies})


def _entries(form: Element) -> dict[str, str]:
    """Return what a browser sends for a form that nobody has filled in."""
    entries = {
        each.attributes["name"]: each.attributes.get("value", "")
        for each in form.all("input")
        if each.attributes.get("type") != "checkbox" or "checked" in each.attributes
    }
    entries |= {each.attributes["name"]: each.text for each in form.all("textarea")}
    for each in form.all("select"):
        options = each.all("option")
        chosen = next((o for o in options if "selected" in o.attributes), options[0])
        entries[each.attributes["name"]] = chosen.attributes["value"]
    return entries
