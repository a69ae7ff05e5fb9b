"""What other products send, on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.web.html import page, send

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio


async def test_messages_that_recorded_nothing_are_shown_and_replayed(http: httpx2.AsyncClient) -> None:
    assert "Nothing was sent yet" in (await page(http, "/intakes")).text
    github = next(each for each in (await page(http, "/intakes")).all("details") if "GitHub" in each.text)
    assert "/api/v1alpha1/integrations/github/webhook?access_token=trk_…" in github.one("pre").text
    path = "/api/v1alpha1/integrations/flux/webhook"
    about = {"kind": "Bucket", "name": "<b>cart</b>"}
    assert (await http.post(path, json={"involvedObject": about})).status_code == 202
    shown = await page(http, "/intakes?sender=flux")
    assert "flux" in shown.one("table", id="senders").text
    row = shown.one("table", id="messages").one("tbody").one("tr")
    assert all(text in row.text for text in ("flux", "ignored", "unsupported kind"))
    message = await page(http, row.all("a")[0].attributes["href"])
    assert '"name":"<b>cart</b>"' in message.all("pre")[0].text
    replayed = await send(http, shown, "replay")
    assert "The message is ignored: unsupported kind." in replayed.text
