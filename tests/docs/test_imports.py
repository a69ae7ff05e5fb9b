"""The page about imports says what becomes of each field of each product, as the code does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import section

from tracker.intakes.archives.alerta import ALERTA
from tracker.intakes.archives.datadog import DATADOG
from tracker.intakes.archives.grafana import GRAFANA
from tracker.intakes.archives.newrelic import NEWRELIC

if TYPE_CHECKING:
    from tracker.intakes.archives.records import Product


@pytest.mark.parametrize(
    ("heading", "product"),
    [("Datadog", DATADOG), ("Grafana", GRAFANA), ("New Relic", NEWRELIC), ("Alerta", ALERTA)],
)
def test_the_page_says_what_becomes_of_each_field(heading: str, product: Product) -> None:
    rows = re.findall(r"^\| `(.*)` \| (.*) \|$", section("docs/import.md", f"## {heading}"), re.MULTILINE)
    assert rows == [(name, becomes) for name, becomes in product.becomes.items() if becomes]
