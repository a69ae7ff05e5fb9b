"""Readers of pages, each in a browser window without cookies, and what went wrong in front of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tracker.api.wires import address as spelled

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, WebError

    from tracker.app import App

PATIENCE = 60_000
"""Milliseconds within which a page has done what it was asked, on the slowest machine."""
ZONE = "Europe/Paris"
_REFUSED = "Failed to load resource: the server responded with a status of 4"


class Readers:
    """Opens pages, and notes dialogs, errors, breaches of the policy and requests to other origins."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._origins: set[str] = set()
        self.troubles: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for context in self._contexts:
            await context.close()

    async def visit(self, app: App, path: str, *, width: int = 1280, **options: Any) -> Page:
        """Return a page, opened by a reader of his own; `options` are those of the window."""
        context = await self.reader(app, width=width, **options)
        page = await context.new_page()
        await page.goto(path)
        return page

    async def reader(self, app: App, *, width: int = 1280, **options: Any) -> BrowserContext:
        """Return a window, whose pages are those of a server."""
        origin = f"http://{spelled(*app.http_address)}"
        self._origins.add(origin)
        options = {"timezone_id": ZONE, "viewport": {"width": width, "height": 900}, **options}
        context = await self._browser.new_context(base_url=origin, **options)
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE)
        # As after the first visit, by which a script makes known the zone of the browser.
        await context.add_cookies([{"name": "zone", "value": "Europe%2FParis", "url": origin}])
        context.on("console", self._said)
        context.on("weberror", self._failed)
        context.on("request", self._asked)
        context.on("page", lambda page: page.on("dialog", self._stopped))
        return context

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_REFUSED):
            self.troubles.append(message.text)

    def _failed(self, error: WebError) -> None:
        self.troubles.append(str(error.error))

    def _asked(self, request: Request) -> None:
        if not any(request.url.startswith(f"{origin}/") for origin in self._origins):
            self.troubles.append(f"a request to {request.url}")

    async def _stopped(self, dialog: Dialog) -> None:
        self.troubles.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()
