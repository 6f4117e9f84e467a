"""Every page of the dashboard, walked: who may see it, whose things it shows, and that forms need their token."""

import re

import pytest

from api.dashboard.gate import Page
from api.dashboard.routes import PAGES
from shared.store import keys
from tests.api_kit import Api
from tests.owned import owned_by_acme
from tests.unit.test_dashboard_signin import Browser, signed_in, token_of

POSTS = [page for page in PAGES if page.method == "POST" and page.has_token]
OWNED = [page for page in PAGES if "<" in page.path and not page.path.startswith("/rq") and "<name>" not in page.path]
#: anybody may sign out
WRITES = [page for page in POSTS if page.name != "logout"]


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def ids_of(api: Api) -> dict[str, str]:
    """What `acme` owns, by the start of the path that names it."""
    own = owned_by_acme(api)
    return {
        "/jobs": own.job,
        "<task_id>": own.task,
        "/queues": own.task,
        "/schedules": own.schedule,
        "/webhooks": own.webhook,
        "<delivery_id>": own.delivery,
        "/domains": own.domain,
        "/pages": own.page,
        "/changes": own.change,
        "/keys": keys.of_organisation(api.store, 1)[0].id,
    }


def path_of(page: Page, owned: dict[str, str]) -> str:
    prefix = "/" + page.path.split("/")[1]
    return re.sub(r"<\w+>", lambda found: owned.get(found[0], owned.get(prefix, "crawl")), page.path)


def test_another_organisations_things_are_not_found(api: Api) -> None:
    owned, other = ids_of(api), signed_in(api, api.key("other"))
    token = token_of(other.get("/"))
    fields = {"csrf": token, "url": "https://example.com/x", "propertyId": "1", "serviceAccount": "{}"}
    for page in OWNED:
        path = path_of(page, owned)
        answer = other.client.open(path, method=page.method, data=fields if page.method == "POST" else None)
        assert answer.status_code == 404, f"{page.method} {path}: {answer.status_code}"


def test_ones_own_pages_are_there_and_keep_to_the_policy(api: Api) -> None:
    owned, browser = ids_of(api), signed_in(api)
    for page in (page for page in PAGES if page.method == "GET" and not page.path.startswith("/rq")):
        if page.name in ("events", "export"):
            continue
        html = browser.get(path_of(page, owned))
        assert "<h1" in html
        assert not re.search(r' style="|<style| on\w+="|<script(?! defer src)', html), page.path


def test_no_form_goes_without_its_token(api: Api) -> None:
    owned, browser = ids_of(api), signed_in(api)
    for page in POSTS:
        for csrf in ("", token_of(Browser(api).get("/login"))):
            answer = browser.client.post(path_of(page, owned), data={"csrf": csrf})
            assert (answer.status_code, "out of date" in answer.text) == (403, True), page.path


def test_a_key_that_only_reads_changes_nothing_and_is_offered_nothing(api: Api) -> None:
    owned, reader = ids_of(api), signed_in(api, api.key("acme", {"read"}))
    token = token_of(reader.get("/"))
    for page in PAGES:
        path = path_of(page, owned)
        if page in WRITES or page.scope == "admin":
            answer = reader.client.open(path, method=page.method, data={"csrf": token})
            assert answer.status_code == 403, f"{page.method} {path}"
        elif page.method == "GET" and page.name not in ("events", "export"):
            forms = re.findall(r'<form[^>]* method="post" action="([^"]*)"', reader.get(path))
            assert forms == ["/logout"], path


def test_a_writer_is_no_admin(api: Api) -> None:
    owned, writer = ids_of(api), signed_in(api, api.key("acme", {"read", "write"}))
    token = token_of(writer.get("/"))
    for page in (page for page in PAGES if page.scope == "admin"):
        assert writer.client.open(path_of(page, owned), method=page.method, data={"csrf": token}).status_code == 403
    assert 'href="/keys"' not in writer.get("/")


def test_what_was_deleted_is_a_readable_page(api: Api) -> None:
    owned, browser = ids_of(api), signed_in(api)
    for path in (f"/webhooks/{owned['/webhooks']}", f"/schedules/{owned['/schedules']}"):
        assert browser.post(f"{path}/delete", path).status_code == 303
        assert "<h1>Not found</h1>" in browser.get(path, 404)
