"""The pages of a server, in the order of the menu."""

from __future__ import annotations

from typing import Final

from tracker.web.account import Account
from tracker.web.calendar.feed import CalendarFeed
from tracker.web.calendar.page import Calendar
from tracker.web.catalog.page import Catalog, CatalogEntry
from tracker.web.delivery.page import DeliveryPage
from tracker.web.deployments.page import DeploymentCheck
from tracker.web.event_page import EventPage
from tracker.web.explorer.export import Export
from tracker.web.explorer.page import Explorer
from tracker.web.explorer.suggestions import Suggestions
from tracker.web.freezes.feed import FreezeFeed
from tracker.web.freezes.page import FreezesPage
from tracker.web.freezes.window import FreezeWindowPage
from tracker.web.insights.page import Insights
from tracker.web.intakes import IntakeMessagePage, IntakesPage
from tracker.web.locks.history import LockHistory
from tracker.web.locks.lock import LockPage
from tracker.web.locks.page import LocksPage
from tracker.web.matrix.export import MatrixFile
from tracker.web.matrix.page import MatrixPage
from tracker.web.now.page import Now
from tracker.web.record.edit import Edit
from tracker.web.record.page import Record
from tracker.web.states import StatesPage
from tracker.web.timeline.page import Timeline
from tracker.web.webhooks.page import WebhooksPage
from tracker.web.webhooks.webhook import WebhookPage

PAGES: Final = (
    *(Now(), Explorer(), EventPage(), Suggestions(), Export("csv"), Export("ndjson")),
    *(Timeline(), Calendar(), CalendarFeed()),
    *(Record(), Edit(), Account()),
    *(LocksPage(), LockHistory(), LockPage()),
    *(FreezesPage(), FreezeWindowPage(), FreezeFeed(), DeploymentCheck()),
    *(Catalog(), CatalogEntry(), MatrixPage(), MatrixFile(), Insights(), DeliveryPage()),
    *(IntakesPage(), IntakeMessagePage(), WebhooksPage(), WebhookPage(), StatesPage()),
)
NAVIGATION: Final = (
    (Now.path, "Now"),
    (Explorer.path, "Events"),
    (Timeline.path, "Timeline"),
    (Calendar.path, "Calendar"),
    (LocksPage.path, "Locks"),
    (FreezesPage.path, "Freezes"),
    (Catalog.path, "Catalog"),
    (Insights.path, "Insights"),
    (IntakesPage.path, "Integrations"),
)
"""The pages that the menu names."""
