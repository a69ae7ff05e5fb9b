"""The page of the reader: its rights, sessions, password and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import auth_pb
from tracker.permissions import Permission
from tracker.time_text import DAY, MICROS
from tracker.web.account_sessions import end_other_sessions, end_session, sessions_of
from tracker.web.forms import NO_FORM, Done
from tracker.web.site import View
from tracker.web.visit import part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from tracker.web.visit import Visit

PATH: Final = "/account"
_LASTS: Final = (("7", "a week"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"))


@dataclass(frozen=True, slots=True)
class Token:
    """An API key, as the list shows it."""

    id: str
    name: str
    prefix: str
    may: str
    narrowed: str
    is_own: bool
    created: Markup
    expires: Markup
    used: Markup


class Account:
    """Shows who looks, changes the password, ends sessions, and makes tokens.

    Tokens of readers who may manage access stand for themselves, unless they are made as their own.
    """

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the page."""
        return await _view(visit)

    async def submit(self, visit: Visit) -> Done | View:
        """Make the change that a form asks for; a token that it makes is shown once."""
        form = visit.form
        if form.action == "password":
            return Done(PATH, await _change_password(visit))
        if form.action == "end":
            return Done(PATH, await end_session(visit))
        if form.action == "end-others":
            return Done(PATH, await end_other_sessions(visit))
        if visit.call.principal.is_anonymous:
            visit.require(Permission.ACCESS_MANAGE)
        if form.action == "revoke":
            await visit.change(auth_pb.RevokeApiKeyRequest(id=form.text("id")), auth_pb.RevokeApiKeyResponse)
            return Done(PATH, "The token is revoked.")
        if form.action == "rotate":
            request = auth_pb.RotateApiKeyRequest(id=form.text("id"))
            rotated = await visit.change(request, auth_pb.RotateApiKeyResponse)
            visit.form = NO_FORM
            return await _view(visit, rotated)
        permissions = [each.value for each in Permission if form.text(each)]
        if not permissions:
            raise invalid(FieldViolation("", "choose what the token may do"))
        days = form.text("days")
        if days not in dict(_LASTS):
            raise invalid(FieldViolation("days", "expected how long it lasts"))
        made = await visit.change(
            auth_pb.CreateApiKeyRequest(
                name=form.text("name"),
                permissions=permissions,
                services=_words(form.text("services")),
                environments=_words(form.text("environments")),
                teams=_words(form.text("teams")),
                expires_at=timestamp(visit.clock.now - visit.clock.now % MICROS + int(days) * DAY),
                own=bool(form.text("own")) or not visit.may(Permission.ACCESS_MANAGE),
            ),
            auth_pb.CreateApiKeyResponse,
        )
        visit.form = NO_FORM
        return await _view(visit, made)


async def _change_password(visit: Visit) -> str:
    current, new, again = (visit.form.text(name) for name in ("current", "new", "again"))
    if new != again:
        raise invalid(FieldViolation("again", "the two new passwords differ"))
    await visit.change_password(current, new)
    return "Your password is changed. Your other sessions are over."


async def _view(
    visit: Visit, made: auth_pb.CreateApiKeyResponse | auth_pb.RotateApiKeyResponse | None = None
) -> View:
    me = await visit.ask(auth_pb.MeRequest(), auth_pb.MeResponse)
    scopes = (
        ("services", me.scope_services),
        ("environments", me.scope_environments),
        ("teams", me.scope_teams),
    )
    return View(
        "account.html",
        me=me,
        scopes=() if me.scope_all else [(name, ", ".join(values)) for name, values in scopes if values],
        made=made,
        replaced=isinstance(made, auth_pb.RotateApiKeyResponse),
        sessions=await part(sessions_of(visit)),
        tokens=await part(_tokens(visit)),
        choices=[each.value for each in Permission if visit.may(each)],
        manages=visit.may(Permission.ACCESS_MANAGE),
        may_own=not visit.call.principal.is_anonymous,
        lasts=_LASTS,
    )


async def _tokens(visit: Visit) -> Sequence[Token]:
    found = await visit.ask(auth_pb.ListApiKeysRequest(), auth_pb.ListApiKeysResponse)
    made = [key for key in found.api_keys if visit.call.principal.id in (key.created_by, key.holder)]
    return [_token(key, visit) for key in made]


def _token(key: auth_pb.ApiKey, visit: Visit) -> Token:
    narrowed = (*key.services, *key.environments, *key.teams)
    times = visit.times
    return Token(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        may=", ".join(key.permissions) or ("as its team" if key.team_id else "everything"),
        narrowed=", ".join(narrowed),
        is_own=bool(key.holder),
        created=times.tag(key.created_at),
        expires=times.tag(key.expires_at, age=True),
        used=times.tag(key.last_used_at, age=True),
    )


def _words(text: str) -> list[str]:
    return [word for each in text.split(",") if (word := each.strip())]
