"""People who log in at an identity provider."""

from __future__ import annotations

import base64
import copy
import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

import pytest
from tests.canaries import canary
from tests.identity_provider import running_provider
from tests.stores.samples import a_user

from tracker.assembly.oidc import Oidc
from tracker.domain.people import ADMINISTRATORS
from tracker.errors import SetupError
from tracker.pb import access_pb, auth_pb
from tracker.services.context import SystemClock
from tracker.stores.access import StoredAccess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from tests.identity_provider import IdentityProvider

    from tracker.app import App
    from tracker.config.settings import Settings

AUTH = "/api/v1alpha1/auth"
OWN = {"sec-fetch-site": "same-origin"}
SECRET = canary("client secret")
OPERATORS = "0" * 23 + "9"


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
def settings(settings: Settings, provider: IdentityProvider) -> Settings:
    return replace(
        settings,
        auth_anonymous_permissions=frozenset(),
        auth_public_url="https://tracker.example.com",
        auth_oidc_issuer=provider.url,
        auth_oidc_client_id="tracker",
        auth_oidc_client_secret=SECRET,
    )


@pytest.fixture(autouse=True)
async def operators(app: App) -> None:
    """Store a team whose members are those of a group."""
    team = auth_pb.Team(
        id=OPERATORS, name="operators", permissions=["event:write"], scope_all=True, oidc_groups=["ops"]
    )
    record = access_pb.Access(id=f"team:{OPERATORS}", team=team)
    await app.access.directory.modify(record.id, lambda _: StoredAccess(record, b""))


class Browser:
    def __init__(self, http: httpx2.AsyncClient, provider: IdentityProvider) -> None:
        self._http, self._provider = http, provider
        self.asked: dict[str, str] = {}

    async def begin(self, redirect: str = "/") -> str:
        """Follow the link to the provider; return the cookie of the login."""
        answer = await self._http.get(f"{AUTH}/oidc/login", params={"redirect": redirect})
        assert answer.status_code == 303
        self.asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        cookie: str = answer.headers["set-cookie"]
        assert f"; Path={AUTH}/oidc/callback; Max-Age=600; " in cookie
        assert cookie.endswith("; HttpOnly; SameSite=Lax; Secure")
        return cookie.partition(";")[0]

    async def come_back(self, cookie: str, **query: str) -> httpx2.Response:
        sent = {"code": "the code", "state": self.asked["state"]} | query
        headers = {"cookie": cookie, "sec-fetch-site": "cross-site"}
        answer = await self._http.get(f"{AUTH}/oidc/callback", params=sent, headers=headers)
        self._http.cookies.clear()
        return answer

    async def log_in(self, **claims: object) -> httpx2.Response:
        """Log in as somebody of whom the provider says this."""
        return await self.log_in_with(await self.begin(), **claims)

    async def log_in_with(self, cookie: str, **claims: object) -> httpx2.Response:
        """Come back as somebody of whom the provider says this."""
        own = {"sub": "7", "aud": "tracker", "exp": time.time() + 60, "preferred_username": "ada"}
        token = own | {"nonce": self.asked["nonce"], "groups": ["ops"]} | claims
        self._provider.answer_token = lambda _: {"id_token": self._provider.token(token)}
        return await self.come_back(cookie)

    async def me(self, answer: httpx2.Response) -> Any:
        headers = OWN | {"cookie": f"tracker_session={session_of(answer)}"}
        return (await self._http.get(f"{AUTH}/me", headers=headers)).json()


def session_of(answer: httpx2.Response) -> str:
    cookies = [cookie.partition(";")[0].partition("=") for cookie in answer.headers.get_list("set-cookie")]
    return next(value for name, _, value in cookies if name == "tracker_session")


@pytest.fixture
def browser(http: httpx2.AsyncClient, provider: IdentityProvider) -> Browser:
    return Browser(http, provider)


async def test_a_login_asks_the_provider_with_pkce_and_creates_the_user(
    browser: Browser, provider: IdentityProvider
) -> None:
    answer = await browser.log_in(name="Ada", email="ada@example.com")
    asked = browser.asked
    assert (asked["response_type"], asked["client_id"]) == ("code", "tracker")
    assert asked["redirect_uri"] == f"https://tracker.example.com{AUTH}/oidc/callback"
    assert (asked["scope"], asked["code_challenge_method"]) == ("openid profile email", "S256")
    form = dict(parse_qsl(provider.body.decode()))
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert (form["code"], form["grant_type"]) == ("the code", "authorization_code")
    basic = base64.b64encode(f"tracker:{quote_plus(SECRET)}".encode()).decode()
    assert provider.headers["authorization"] == f"Basic {basic}"
    me = await browser.me(answer)
    assert (me["kind"], me["username"], me["displayName"], me["source"]) == ("user", "ada", "Ada", "oidc")
    assert (me["permissions"], me["teams"]) == (["event:write"], [{"id": OPERATORS, "name": "operators"}])


async def test_the_browser_goes_on_from_a_page_of_this_server(browser: Browser) -> None:
    for given, target in (
        ("/docs?a=b&c=d", "/docs?a=b&amp;c=d"),
        ("https://other.example/", "/"),
        ("//other.example/", "/"),
        ("/\\other.example", "/"),
        ("/a\r\nset-cookie: x=y", "/"),
    ):
        cookie = await browser.begin(given)
        answer = await browser.log_in_with(cookie)
        assert f'content="0; url={target}"' in answer.text


async def test_groups_decide_who_is_in_a_team(browser: Browser, app: App) -> None:
    assert (await browser.me(await browser.log_in()))["permissions"] == ["event:write"]
    assert (await browser.me(await browser.log_in(groups=["Ops", "other"])))["permissions"] == []
    assert (await browser.me(await browser.log_in(groups=None)))["permissions"] == []
    await browser.log_in()
    refused = await browser.log_in(groups=None)  # would keep what a group gave
    assert refused.headers["location"] == "/login?error=oidc_failed"
    (user,) = app.access.directory.users.values()
    assert user.team_ids == [OPERATORS]


async def test_a_user_is_known_by_the_subject_alone(browser: Browser) -> None:
    first = await browser.me(await browser.log_in(sub="1"))
    again = await browser.me(await browser.log_in(sub="1", preferred_username="eve", email="new@example.com"))
    other = await browser.me(await browser.log_in(sub="2"))
    assert again["userId"] == first["userId"] != other["userId"]
    assert [first["username"], again["username"], other["username"]] == ["ada", "ada", "ada-2"]


async def test_a_name_that_another_server_has_just_given_gets_a_number(browser: Browser, app: App) -> None:
    directory: Any = app.access.directory
    for there in (a_user("ada", "1"), a_user("Ada-2", "2")):
        await directory._store.modify(there.record.id, lambda _, there=there: there)  # noqa: SLF001 - as another one does
    assert (await browser.me(await browser.log_in()))["username"] == "ada-3"


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"nonce": "another"}, "oidc_failed"),
        ({"nonce": None}, "oidc_failed"),
        ({"aud": "another"}, "oidc_failed"),
        ({"aud": ["tracker", "another"]}, "oidc_failed"),
        ({"azp": "another"}, "oidc_failed"),
        ({"exp": 1}, "oidc_failed"),
        ({"iss": "https://another.example"}, "oidc_failed"),
    ],
    ids=str,
)
async def test_a_token_for_another_login_is_refused(
    browser: Browser, claims: dict[str, Any], word: str
) -> None:
    answer = await browser.log_in(**claims)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?error={word}")
    assert "tracker_session=" not in str(answer.headers)


async def test_whoever_comes_back_must_have_begun_the_login(
    browser: Browser, http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    cookie = await browser.begin()
    other = await browser.begin()
    for sent, query, word in (
        (cookie, {}, "oidc_state"),
        ("", {}, "oidc_state"),
        (other, {"state": ""}, "oidc_state"),
        (other, {"error": "access_denied"}, "oidc_denied"),
        (other, {}, "oidc_failed"),
    ):
        answer = await browser.come_back(sent, **query)
        assert answer.headers["location"] == f"/login?error={word}"
    provider.down = True
    assert (await browser.come_back(other)).headers["location"] == "/login?error=oidc_unavailable"
    assert "can&#x27;t be reached" in (await http.get("/login?error=oidc_unavailable")).text


async def test_a_disabled_user_is_refused_and_has_no_session(browser: Browser, app: App) -> None:
    answer = await browser.log_in()
    (user,) = app.access.directory.users.values()

    def disable(stored: StoredAccess | None) -> StoredAccess:
        assert stored is not None
        record = copy.deepcopy(stored.record)
        assert record.user is not None
        record.user.disabled = True
        return StoredAccess(record, b"")

    await app.access.directory.modify(f"user:{user.id}", disable)
    assert (await browser.me(answer))["kind"] == "anonymous"
    assert (await browser.log_in()).status_code == 403


async def test_the_ways_to_log_in_are_public(http: httpx2.AsyncClient) -> None:
    config = (await http.get(f"{AUTH}/config")).json()
    assert (config["oidcEnabled"], config["oidcButtonLabel"]) == (True, "Single Sign-On")
    assert f'href="{AUTH}/oidc/login"' in (await http.get("/login")).text


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"auth_oidc_client_secret": None}, "needs AUTH_OIDC_CLIENT_ID and AUTH_OIDC_CLIENT_SECRET"),
        ({"auth_oidc_issuer": "http://id.example.com"}, "AUTH_OIDC_ISSUER: expected an address with https"),
        ({"auth_public_url": ""}, "needs AUTH_PUBLIC_URL"),
        ({"auth_public_url": "https://tracker.example.com/path"}, "without a path"),
    ],
    ids=str,
)
def test_a_provider_that_is_half_set_up_stops_the_start(
    settings: Settings, app: App, wrong: dict[str, Any], problem: str
) -> None:
    settings = replace(settings, **wrong)
    access: Any = app.access
    with pytest.raises(SetupError, match=problem):
        Oidc(settings, SystemClock(int)).let_people_in(settings, access._for_people, access._cookies)  # noqa: SLF001 - as a start does


class TestWithoutTeamSync:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, auth_oidc_team_sync=False)

    async def test_groups_put_nobody_into_a_team_nor_out_of_one(self, browser: Browser, app: App) -> None:
        me = await browser.me(await browser.log_in(groups=["ops"]))
        assert (me["teams"], me["permissions"]) == ([], [])
        await give_teams(app, me["userId"], OPERATORS)
        for groups in (["ops"], [], ["others"], None):
            again = await browser.me(await browser.log_in(groups=groups, name="Ada L."))
            assert (again["permissions"], again["displayName"]) == (["event:write"], "Ada L.")


class TestWithoutProvisioning:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, auth_oidc_user_provisioning=False)

    async def test_only_users_that_are_known_log_in(
        self, browser: Browser, app: App, provider: IdentityProvider
    ) -> None:
        refused = await browser.log_in()
        assert (refused.status_code, "tracker_session" in str(refused.headers)) == (403, False)
        assert not app.access.directory.users
        user_id = hashlib.sha256(f"{provider.url}\n7".encode()).hexdigest()[:24]
        there = a_user("ada", user_id)
        await app.access.directory.modify(there.record.id, lambda _: there)
        assert (await browser.me(await browser.log_in()))["userId"] == user_id
        assert (await browser.log_in(sub="8")).status_code == 403


async def give_teams(app: App, user_id: str, *teams: str) -> None:
    def change(stored: StoredAccess | None) -> StoredAccess:
        assert stored is not None
        record = copy.deepcopy(stored.record)
        assert record.user is not None
        record.user.team_ids = [*teams]
        return StoredAccess(record, stored.secret_hash)

    await app.access.directory.modify(f"user:{user_id}", change)


async def test_the_last_administrator_stays_one_whatever_the_groups_say(browser: Browser, app: App) -> None:
    team = auth_pb.Team(id=ADMINISTRATORS, name="Administrators", builtin=True, oidc_groups=["admins"])
    record = access_pb.Access(id=f"team:{ADMINISTRATORS}", team=team)
    await app.access.directory.modify(record.id, lambda _: StoredAccess(record, b""))
    assert (await browser.me(await browser.log_in(groups=["admins"])))["isAdmin"]
    last = await browser.me(await browser.log_in(groups=["ops"]))
    assert (last["isAdmin"], len(last["teams"])) == (True, 2)
    other = await browser.me(await browser.log_in(sub="8", groups=["admins"]))
    assert other["isAdmin"]
    assert not (await browser.me(await browser.log_in(groups=["ops"])))["isAdmin"]
    assert (await browser.me(await browser.log_in(sub="8", groups=[])))["isAdmin"]
