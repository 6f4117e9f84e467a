"""A crawl like the one before: the start page's form with its options."""

import html as markup
import re

import pytest

from tests.api_kit import HOME, Api
from tests.unit.test_dashboard_signin import Browser, signed_in


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url, **HOME)


@pytest.fixture
def browser(api: Api) -> Browser:
    return signed_in(api)


def values(page: str) -> dict[str, str]:
    """What stands in the form's fields."""
    fields = re.findall(r'<input[^>]*name="([a-z_]+)"[^>]*value="([^"]*)"', page)
    areas = re.findall(r'<textarea[^>]*name="([a-z_]+)"[^>]*>\n?([^<]*)', page)
    return {name: markup.unescape(value) for name, value in [*fields, *areas]}


def test_a_domain_leads_to_a_crawl_like_its_last_one(api: Api, browser: Browser) -> None:
    uid = api.submit(max_pages=70, include=["/blog/*"], headers={"X-Preview": "secret-1"})
    domain = api.get("/api/domains")["data"][0]["id"]
    api.post(f"/api/domains/{domain}/discover", expect=202)
    assert f'href="/?like={uid}"' in browser.get(f"/domains/{domain}")
    page = browser.get(f"/?like={uid}")
    form = values(page)
    assert (form["domain"], form["max_pages"], form["include"]) == ("https://example.com", "70", "/blog/*")
    assert "Not copied:" in page
    assert "secret-1" not in page


def test_a_crawl_of_others_is_nothing_to_start_from(api: Api) -> None:
    uid = api.submit()
    stranger = signed_in(api, api.key("other"))
    assert uid not in stranger.get(f"/?like={uid}", 404)
    assert "like" in signed_in(api).get("/?like=nonsense", 400)
