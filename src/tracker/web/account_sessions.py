"""The sessions of the reader, on the page of the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.pb import auth_pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from tracker.web.visit import Visit

_BROWSERS: Final = (
    *(("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox")),
    *(("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("Safari/", "Safari")),
)
"""What the names of browsers have in them; most pretend to be those that follow, too."""
_SYSTEMS: Final = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


@dataclass(frozen=True, slots=True)
class Session:
    """A session, as the list shows it."""

    id: str
    browser: str
    user_agent: str
    is_current: bool
    began: Markup
    used: Markup
    address: str
    expires: Markup


async def sessions_of(visit: Visit) -> Sequence[Session]:
    """Return the sessions of the reader, newest first."""
    found = await visit.ask(auth_pb.ListSessionsRequest(), auth_pb.ListSessionsResponse)
    times = visit.times
    return [
        Session(
            id=each.id,
            browser=browser_of(each.user_agent),
            user_agent=each.user_agent,
            is_current=each.current,
            began=times.tag(each.created_at, age=True),
            used=times.tag(each.last_used_at, age=True),
            address=each.last_used_from,
            expires=times.tag(each.expires_at),
        )
        for each in found.sessions
    ]


async def end_session(visit: Visit) -> str:
    """End the session that a form names; return the message that follows."""
    await visit.change(auth_pb.EndSessionRequest(id=visit.form.text("id")), auth_pb.EndSessionResponse)
    return "The session is over."


async def end_other_sessions(visit: Visit) -> str:
    """End all sessions of the reader but this one; return the message that follows."""
    await visit.change(auth_pb.EndOtherSessionsRequest(), auth_pb.EndOtherSessionsResponse)
    return "Your other sessions are over."


def browser_of(user_agent: str) -> str:
    """Return the name of a browser and its system, or what it says of itself where that is not known."""
    browser = next((name for word, name in _BROWSERS if word in user_agent), "")
    system = next((name for word, name in _SYSTEMS if word in user_agent), "")
    return " on ".join(filter(None, (browser, system))) or user_agent or "unknown"
