"""Signing in to the dashboard: sessions, their end, and what a form must bring along."""

import re
from typing import Any

import pytest

from shared.clock import SECOND, now_us
from shared.store import keys
from tests.api_kit import Api


class Browser:
    """A browser on the dashboard: it keeps cookies and sends a form's CSRF token back."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.client = api.app.test_client()

    def get(self, path: str, expect: int = 200, **options: Any) -> str:
        answer = self.client.get(path, **options)
        assert answer.status_code == expect, answer.text
        text: str = answer.text
        return text

    def post(self, path: str, page: str = "/", **fields: Any) -> Any:
        """Sends a form with the token of the page that it stands on."""
        return self.client.post(path, data={"csrf": token_of(self.get(page)), **fields})

    def sign_in(self, secret: str, **fields: str) -> Any:
        return self.post("/login", "/login", key=secret, **fields)


def token_of(html: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', html)
    assert found, html
    return found[1]


def signed_in(api: Api, secret: str | None = None) -> Browser:
    browser = Browser(api)
    assert browser.sign_in(secret or api.secret).status_code == 303
    return browser


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def test_it_works(api: Api) -> None:
    browser = Browser(api)
    answer = browser.sign_in(api.secret)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "Start a crawl" in browser.get("/")


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(api: Api) -> None:
    cookie = Browser(api).sign_in(api.secret).headers.getlist("Set-Cookie")[0]
    assert cookie.startswith("crawlyard_session=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_behind_https_the_cookie_is_never_sent_in_clear(api: Api) -> None:
    browser = Browser(api)
    fields = {"csrf": token_of(browser.get("/login")), "key": api.secret}
    answer = browser.client.post("/login", data=fields, headers={"X-Forwarded-Proto": "https"})
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_neither_the_key_nor_the_cookie_is_kept_in_redis(api: Api) -> None:
    browser = signed_in(api)
    cookie = browser.client.get_cookie("crawlyard_session")
    redis: Any = api.queue.redis
    (name,) = redis.keys("crawlyard:session:*")
    assert cookie is not None
    for secret in (cookie.value, api.secret):
        assert secret.encode() not in name + redis.get(name)
    assert redis.ttl(name) > 0


@pytest.mark.parametrize("path", ["/", "/queues", "/jobs/x?status=failed&sort=-path", "/jobs/x/tasks/y"])
def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(api: Api, path: str) -> None:
    browser = Browser(api)
    answer = browser.client.get(path)
    assert answer.status_code == 303
    form = browser.get(answer.headers["Location"])
    back = re.search(r'name="next" value="([^"]*)"', form)
    assert back
    assert back[1].replace("&amp;", "&") == path


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", "/\tx", ""]
)
def test_only_a_path_of_this_site_is_gone_to_after_signing_in(api: Api, to: str) -> None:
    assert Browser(api).sign_in(api.secret, next=to).headers["Location"] == "/"


def test_a_wrong_key_is_told(api: Api) -> None:
    browser = Browser(api)
    for wrong in ("", "cy_nonsense", "x" * 1000):
        answer = browser.sign_in(wrong)
        assert answer.status_code == 401
        assert "not valid" in answer.text
    assert browser.client.get("/").status_code == 303


def test_a_pasted_header_value_is_taken_for_its_key(api: Api) -> None:
    assert Browser(api).sign_in(f" Bearer {api.secret}\n").status_code == 303


def test_a_key_that_may_not_read_does_not_sign_in(api: Api) -> None:
    answer = Browser(api).sign_in(api.key("acme", {"write"}))
    assert answer.status_code == 403
    assert "scope" in answer.text


def test_signing_in_needs_the_token_of_the_form(api: Api) -> None:
    browser = Browser(api)
    for given in ({}, {"csrf": "0" * 64}, {"csrf": token_of(Browser(api).get("/login"))}):
        assert browser.client.post("/login", data={"key": api.secret, **given}).status_code == 403
    assert browser.client.get("/").status_code == 303


def test_too_many_attempts_are_refused(api: Api) -> None:
    browser = Browser(api)
    assert [browser.sign_in("wrong").status_code for _ in range(21)] == [401] * 20 + [429]


def test_signing_out_ends_the_session_itself(api: Api) -> None:
    browser = signed_in(api)
    cookie = browser.client.get_cookie("crawlyard_session")
    assert browser.post("/logout").headers["Location"] == "/login"
    assert cookie is not None
    browser.client.set_cookie("crawlyard_session", cookie.value)
    assert browser.client.get("/").status_code == 303


def test_a_revoked_key_is_signed_out_at_once(api: Api) -> None:
    key, secret = keys.create(api.store, "acme", "leaver")
    browser = signed_in(api, secret)
    assert keys.revoke(api.store, key.id)
    answer = browser.client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2F&ended=1")
    assert "session has ended" in browser.get(answer.headers["Location"])


def test_a_key_that_expires_is_signed_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = signed_in(api, api.key("acme", expires_at=now_us() + 60 * SECOND))
    browser.get("/")
    monkeypatch.setattr("api.dashboard.sessions.now_us", lambda: now_us() + 61 * SECOND)
    assert browser.client.get("/").status_code == 303


@pytest.mark.parametrize("cookie", ["", "nonsense", "x" * 4000, "\u00e9"])
def test_a_wrong_session_is_nobodys(api: Api, cookie: str) -> None:
    browser = Browser(api)
    browser.client.set_cookie("crawlyard_session", cookie)
    assert browser.client.get("/").status_code == 303
    browser.get("/login")


def test_a_session_is_known_to_every_process(api: Api, sqlite_url: str) -> None:
    cookie = signed_in(api).client.get_cookie("crawlyard_session")
    other = Browser(Api(sqlite_url, api.queue))
    assert cookie is not None
    other.client.set_cookie("crawlyard_session", cookie.value)
    assert "Start a crawl" in other.get("/")


def test_a_lost_redis_costs_a_sign_in(api: Api) -> None:
    browser = signed_in(api)
    api.queue.redis.flushall()
    assert browser.client.get("/").status_code == 303


def test_a_link_from_another_site_finds_the_session(api: Api) -> None:
    """The browser leaves a SameSite=Strict cookie out then, until our own page leads on."""
    answer = Browser(api).client.get("/jobs/x?a=%22", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0; url=/jobs/x?a=%22"' in answer.text


@pytest.mark.parametrize("path", ["/", "/logout", "/queues/crawl/pause", "/jobs/x/cancel", "/jobs/x/tasks/y/retry"])
def test_a_form_without_its_token_is_refused(api: Api, path: str) -> None:
    browser = signed_in(api)
    for fields in ({}, {"csrf": token_of(Browser(api).get("/login"))}):
        answer = browser.client.post(path, data={"domain": "example.com", **fields})
        assert answer.status_code == 403
        assert "out of date" in answer.text
    assert "No crawl yet" in browser.get("/")


def test_the_session_is_worth_nothing_to_the_api(api: Api) -> None:
    assert signed_in(api).client.get("/v1/jobs").status_code == 401
