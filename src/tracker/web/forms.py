"""Forms: what a reader sent, what is wrong with it, and which page follows."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import parse_qsl, quote

from tracker.api.calls.endpoint import Limits
from tracker.api.calls.session_tokens import is_same_origin
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.services.access.sessions import csrf_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.services.context import Call

LIMITS: Final = Limits(body_bytes=512 * 1024)
NOTICE: Final = "tracker_notice"
"""The cookie that has the message of a change for the page that is shown next."""
SECRETS: Final = frozenset({"current", "new", "again", "token"})
"""Fields of the macro `secret`: no page repeats what was entered into them."""
_CHECKED: Final = frozenset({"impact", "active", "created", "updated", "deleted"})
"""Fields that are check boxes."""
_TYPE: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 200
_LONGEST_NOTICE: Final = 300
_FIELD: Final = re.compile(r"(?:.*\.)?([a-z_]+)(?:\[.*)?", re.DOTALL)
"""The last name of a path such as `attributes.start_date` or `attributes.labels["team"]`."""


class Done(NamedTuple):
    """What follows a change: the path of a page, and what that says once."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Form:
    """What a reader sent, and what is wrong with it: by field, and in `others` what no field has.

    A page may have several; `action` says which. `digest` is that of all that was sent, by which a form that
    is sent twice has no further effect. `labels` are those of the fields that a template has shown until now.
    """

    action: str
    sent: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    error: TrackerError | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, otherwise: str = "") -> str:
        """Return what was entered into a field, or what it begins with where nothing was sent."""
        return self.sent.get(name, "") if self.sent else otherwise

    def of(self, *actions: str) -> Self:
        """Return this form if it is that of one of these actions, otherwise an empty one of the first."""
        return self if self.action in actions else type(self)(actions[0])

    def id_of(self, name: str) -> str:
        """Return the id of a field, which no other form of the page has."""
        return f"{self.action}-{name}"

    def labelled(self, name: str, label: str) -> str:
        """Return the label of a field, and keep it for what is said of the field elsewhere."""
        self.labels[name] = label
        return label

    def failed(self, error: TrackerError) -> Self:
        """Return the form with what an error says, beside the fields that it names."""
        problems: dict[str, str] = {}
        others: list[str] = []
        for violation in error.violations:
            named = _FIELD.fullmatch(violation.field)
            if named is not None and named[1] in self.sent:
                problems.setdefault(named[1], violation.description)
            else:
                others.append(violation.sentence)
        if not error.violations:
            others.append(error.message)
        return replace(self, error=error, problems=problems, others=tuple(others))

    @staticmethod
    def new_key() -> str:
        """Return what makes a form differ from any other with the same entries."""
        return secrets.token_urlsafe(16)


NO_FORM: Final = Form("")


def read_form(body: bytes, call: Call) -> Form:
    """Return the form that a page of this server sends.

    Cookies, and addresses that may do everything, never suffice: the browser must say that a page of this
    server asks.

    Raises:
        TrackerError: PERMISSION_DENIED, it does not; INVALID_ARGUMENT, the body is not a form.
    """
    if not is_same_origin(call.headers):
        message = "a form is accepted from a page of this server alone, and the browser names none"
        raise TrackerError(Reason.CROSS_ORIGIN, message)
    sent = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != _TYPE:
        raise TrackerError(Reason.UNSUPPORTED_MEDIA_TYPE, f"expected {_TYPE}, got {sent or 'no type'}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:  # of UTF-8, too
        raise invalid(FieldViolation("", f"expected at most {_MOST_FIELDS} fields in UTF-8")) from None
    entries = {name: value.replace("\r\n", "\n") for name, value in pairs}
    return Form(entries.get("action", ""), entries, hashlib.sha256(body).hexdigest())


def require_same_session(form: Form, call: Call) -> None:
    """Check that a form comes from a page that this session, or none as now, was shown.

    Raises:
        TrackerError: PERMISSION_DENIED; it does not.
    """
    if not hmac.compare_digest(form.sent.get("csrf", "").encode(), csrf_of(call).encode()):
        message = "you logged in or out since this page was shown: check what you entered, and send it again"
        raise TrackerError(Reason.CROSS_ORIGIN, message)


def digest_of(entries: Mapping[str, str]) -> str:
    """Return what differs between the entries that a form begins with and those after a change."""
    return hashlib.sha256(repr(sorted(entries.items())).encode()).hexdigest()[:32]


def require_unchanged(form: Form, what: str, state: str, entries: Mapping[str, str]) -> None:
    """Check that a record still has the state that a form was shown with; `entries` are those of it now.

    Raises:
        TrackerError: INVALID_ARGUMENT, with what is stored now beside each field that differs.
    """
    if form.text("state") == state:
        return
    message = f"somebody else changed this {what} since you opened it: compare, and save again"
    wrong = [FieldViolation("", message)]
    for name, now in entries.items():
        if form.text(name).strip() != now.strip():
            shown = ("yes" if now else "no") if name in _CHECKED else now or "nothing"
            wrong.append(FieldViolation(name, f"stored now: {shown}"))
    raise invalid(*wrong)


def csrf_of(call: Call) -> str:
    """Return what the forms of a session have to prove that their page was shown to it; "" without one."""
    return csrf_token(call.session) if call.session else ""


def notice_cookie(message: str) -> tuple[str, str]:
    """Return the header by which the next page shows a message; "" takes it back."""
    lasts = 60 if message else 0
    value = quote(message[:_LONGEST_NOTICE], safe="")
    return ("set-cookie", f"{NOTICE}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict")
