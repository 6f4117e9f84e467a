"""A crawl's options and a domain's change settings, edited in the dashboard: what is typed is what the API has."""

import re
from typing import Any

import orjson
import pytest

from api.dashboard import change_settings, crawl_options
from api.schemas.changes import ChangeSettingsResult
from shared.models import JobOptions
from tests.api_kit import Api
from tests.unit.test_dashboard_signin import Browser, signed_in

KEY = "a-secret-key-of-the-tests-0123456789"
TYPED = {
    "max_pages": "500",
    "concurrency": "5",
    "max_depth": "3",
    "include": "/blog/*\nre:^/docs/",
    "exclude": "*.pdf",
    "use_sitemap": "no",
    "find_links": "yes",
    "allow_cross_subdomain_links": "no",
    "conditional_requests": "no",
    "respect_robots": "no",
    "query": "drop_these",
    "query_names": "utm_* gclid",
    "user_agent": "Own/1.0",
    "sitemap_url": "https://example.com/map.xml",
    "urls": "https://example.com/a\nhttps://example.com/b",
    "headers": "X-Preview: 1",
    "cookies": "session=abc=",
    "username": "ann",
    "password": "secret-password",
}
SHOWN = {
    "max_pages": 500,
    "concurrency": 5,
    "max_depth": 3,
    "include": ["/blog/*", "re:^/docs/"],
    "exclude": ["*.pdf"],
    "use_sitemap": False,
    "allow_cross_subdomain_links": False,
    "conditional_requests": False,
    "respect_robots": False,
    "query": {"drop": ["utm_*", "gclid"]},
    "user_agent": "Own/1.0",
    "sitemap_url": "https://example.com/map.xml",
    "url_count": 2,
    "headers": ["x-preview"],
    "cookies": ["session"],
    "auth": True,
}
WRONG = [
    ({"max_pages": "many"}, "max_pages", "whole number"),
    ({"concurrency": "101"}, "concurrency", "less than or equal to 100"),
    ({"max_depth": "-1"}, "max_depth", "whole number"),
    ({"include": "/fine\nre:("}, "include", "RE2"),
    ({"use_sitemap": "maybe"}, "use_sitemap", "must be a valid boolean"),
    ({"query": "explode"}, "query", "must be"),
    ({"query": "keep_these"}, "query_names", "is required"),
    ({"query_names": "page"}, "query", "kept or dropped"),
    ({"query": "drop_these", "query_names": "a=b"}, "query", "must be"),
    ({"user_agent": "two\u2028lines"}, "user_agent", "not allowed"),
    ({"sitemap_url": "map"}, "sitemap_url", "Not a valid URL"),
    ({"urls": "https://example.com/\nftp://example.com/"}, "urls", "number 2"),
    ({"headers": "no colon"}, "headers", "line 1 must be NAME:VALUE"),
    ({"headers": "A: 1\na: 2"}, "headers", "twice"),
    ({"headers": "Host: other.example"}, "headers", "must not hold host"),
    ({"headers": "X Y: 1"}, "headers", "not allowed"),
    ({"cookies": "a"}, "cookies", "line 1 must be NAME=VALUE"),
    ({"cookies": "a=b;c"}, "cookies", "a holds something"),
    ({"password": "secret-password"}, "username", "is required"),
    ({"headers": "Authorization: x", "username": "ann", "password": "secret-password"}, "auth", "already"),
]


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url, CRAWLYARD_SECRET_KEY=KEY)


@pytest.fixture
def browser(api: Api) -> Browser:
    return signed_in(api)


def scheduled(api: Api, **options: Any) -> str:
    body = {"domain": "example.com", "cron": "0 6 * * 1", "options": options}
    uid: str = api.post("/api/schedules", body, 201)["data"]["id"]
    return uid


def form_in(html: str) -> dict[str, str]:
    """What the form that is edited would send as it stands."""
    html = html.partition("Change it")[2]
    sent = dict(re.findall(r'<input id="\w+" name="(\w+)"[^>]* value="([^"]*)"', html))
    sent |= {name: text.strip() for name, text in re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>([^<]*)<', html)}
    for name, inner in re.findall(r'<select id="\w+" name="(\w+)"[^>]*>(.*?)</select>', html, re.S):
        sent[name] = (re.findall(r'value="([^"]*)" selected', inner) or [""])[0]
    return sent | dict.fromkeys(re.findall(r'type="checkbox" name="(\w+)" value="1" checked', html), "1")


def save(browser: Browser, uid: str, **changed: str) -> Any:
    path = f"/schedules/{uid}"
    return browser.post(path, path, **form_in(browser.get(path)) | changed)


def options_of(api: Api, uid: str) -> Any:
    return api.get(f"/api/schedules/{uid}")["data"]["options"]


# -- a crawl's options --------------------------------------------------------


def test_a_crawl_is_started_with_every_option(api: Api, browser: Browser) -> None:
    made = browser.post("/", domain="example.com", **TYPED)
    shown = api.get("/v1" + made.headers["Location"])
    assert {name: shown[name] for name in SHOWN} == SHOWN
    assert shown["find_links"] is True


def test_a_schedule_is_created_with_every_option(api: Api, browser: Browser) -> None:
    form = {"domain": "example.com", "every": "monday", "at": "06:30", "timezone": "UTC", "overlap": "skip"}
    made = browser.post("/schedules", "/schedules", **form, missed="one", jitter="0", **TYPED)
    assert options_of(api, made.headers["Location"].rpartition("/")[2]) == SHOWN


def test_a_schedules_options_are_edited(api: Api, browser: Browser) -> None:
    uid = scheduled(api, max_pages=7, include=["/old/*"])
    assert save(browser, uid, **TYPED).status_code == 303
    assert options_of(api, uid) == SHOWN
    assert api.get(f"/api/schedules/{uid}")["data"]["cron"] == "0 6 * * 1"


def test_saving_what_is_shown_changes_nothing(api: Api, browser: Browser) -> None:
    uid = scheduled(api, **{name: value for name, value in SHOWN.items() if name in ("query", "max_depth", "include")})
    before = options_of(api, uid)
    assert save(browser, uid).status_code == 303
    assert options_of(api, uid) == before
    uid = scheduled(api)
    assert save(browser, uid).status_code == 303
    assert options_of(api, uid) == {}


def test_what_is_emptied_is_as_it_is_by_default(api: Api, browser: Browser) -> None:
    uid = scheduled(api, max_pages=7, include=["/old/*"], use_sitemap=False)
    assert save(browser, uid, max_pages="", include="", use_sitemap="").status_code == 303
    assert options_of(api, uid) == {}


def test_secrets_stay_unless_others_are_typed(api: Api, browser: Browser) -> None:
    uid = scheduled(api, headers={"X-Preview": "hidden-value"}, auth={"username": "ann", "password": "hidden-word"})
    html = browser.get(f"/schedules/{uid}")
    assert "header x-preview, user name and password" in html
    assert "hidden-" not in html
    assert save(browser, uid, max_pages="9").status_code == 303
    assert options_of(api, uid) == {"max_pages": 9, "headers": ["x-preview"], "auth": True}
    both = save(browser, uid, cookies="a=b")
    assert (both.status_code, "either keep what there is" in both.text) == (400, True)
    assert save(browser, uid, keep_secrets="", cookies="a=b").status_code == 303
    assert options_of(api, uid) == {"max_pages": 9, "cookies": ["a"]}


def test_a_list_too_long_to_show_is_kept(api: Api, browser: Browser) -> None:
    urls = [f"https://example.com/{'x' * 400}/{n}" for n in range(600)]
    uid = scheduled(api, urls=urls)
    assert "Keep the 600 listed pages" in browser.get(f"/schedules/{uid}")
    assert save(browser, uid, max_pages="9").status_code == 303
    assert options_of(api, uid) == {"max_pages": 9, "find_links": False, "url_count": 600}
    assert save(browser, uid, keep_urls="", urls="https://example.com/one").status_code == 303
    assert options_of(api, uid)["url_count"] == 1


def test_a_page_from_before_a_deploy_leaves_the_options_alone(api: Api, browser: Browser) -> None:
    uid = scheduled(api, max_pages=7)
    old = {"every": "day", "at": "05:00", "timezone": "UTC", "overlap": "skip", "missed": "one", "jitter": "0"}
    assert browser.post(f"/schedules/{uid}", **old).status_code == 303
    assert options_of(api, uid) == {"max_pages": 7}


@pytest.mark.parametrize(("typed", "field", "words"), WRONG, ids=lambda value: str(value)[:30])
def test_a_wrong_option_is_named_beside_its_field(
    api: Api, browser: Browser, typed: dict[str, str], field: str, words: str
) -> None:
    uid = scheduled(api)
    for answer in (browser.post("/", domain="example.com", **typed), save(browser, uid, **typed)):
        assert answer.status_code == 400
        said = re.findall(rf'id="{field}-error">([^<]*)<', answer.text)
        assert said, answer.text
        assert words in said[0]
        assert '<details class="more" open>' in answer.text or field == "max_pages"
        assert "secret-password" not in answer.text
    assert (api.get("/v1/jobs")["jobs"], options_of(api, uid)) == ([], {})


def test_robots_txt_is_left_aside_by_admins_alone(api: Api) -> None:
    writer = signed_in(api, api.key("acme", {"read", "write"}))
    assert 'name="respect_robots"' not in writer.get("/")
    answer = writer.post("/", domain="example.com", respect_robots="no")
    assert (answer.status_code, "takes a key with the scope admin" in answer.text) == (403, True)


def test_secrets_without_a_key_to_seal_them_are_refused_beside_the_field(store_url: str) -> None:
    browser = signed_in(Api(store_url))
    answer = browser.post("/", domain="example.com", headers="X-Preview: 1")
    assert (answer.status_code, "CRAWLYARD_SECRET_KEY" in answer.text) in [(409, True), (303, False)]


@pytest.mark.parametrize(
    "options",
    [
        JobOptions(),
        JobOptions(urls=("https://a.example/",), url_count=1, find_links=False),
        JobOptions(urls=("https://a.example/",), url_count=1, find_links=True),
        JobOptions(find_links=False, query="keep", query_names=("a", "b")),
        JobOptions(query="drop", max_depth=0, exclude=("/a", "/b")),
    ],
)
def test_a_form_says_what_it_was_made_of(options: JobOptions) -> None:
    given = crawl_options.given(crawl_options.form_of(options))
    assert given.get("find_links", not options.url_count) == options.find_links
    assert tuple(given.get("urls", ())) == options.urls
    assert given.get("max_depth") == options.max_depth
    assert tuple(given.get("exclude", ())) == options.exclude
    named = {options.query: list(options.query_names)} if options.query_names else options.query
    assert given.get("query", "keep") == named


# -- what counts as a change --------------------------------------------------


def domain_path(api: Api) -> str:
    api.crawl(["/"])
    return f"/domains/{api.get('/api/domains')['data'][0]['id']}"


def test_change_settings_are_edited(api: Api, browser: Browser) -> None:
    path = domain_path(api)
    typed = {"includeSelectors": "main\n\n .price ", "ignorePatterns": r"\d+ seats", "ignoreNumbers": "1"}
    assert browser.post(f"{path}/changes-settings", path, minChange="2.5 %", **typed).status_code == 303
    found = api.get(f"/api{path}/changes-settings")["data"]
    assert found["includeSelectors"] == ["main", ".price"]
    assert found["ignorePatterns"] == [r"\d+ seats"]
    assert (found["ignoreNumbers"], found["ignoreClocks"], found["minChange"]) == (True, False, 0.025)
    html = browser.get(path)
    assert "<code>main</code> <code>.price</code>" in html
    assert 'name="minChange" type="text" value="2.5"' in html


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"includeSelectors": "a b c"}, "includeSelectors", "must be made of"),
        ({"dropSelectors": "fine\n:has(x)"}, "dropSelectors", ":has(x)"),
        ({"ignorePatterns": "("}, "ignorePatterns", "missing )"),
        ({"ignorePatterns": "x*"}, "ignorePatterns", "matches the empty text"),
        ({"dropSelectors": "a\n" * 21}, "dropSelectors", "20"),
        ({"includeSelectors": "a\n" + "b" * 201}, "includeSelectors", "number 2"),
        ({"minChange": "101"}, "minChange", "0 to 100"),
        ({"minChange": "nan"}, "minChange", "0 to 100"),
        ({"minChange": "much"}, "minChange", "0 to 100"),
    ],
)
def test_a_wrong_change_setting_is_named_beside_its_field(
    api: Api, browser: Browser, typed: dict[str, str], field: str, words: str
) -> None:
    path = domain_path(api)
    before = api.get(f"/api{path}/changes-settings")
    answer = browser.post(f"{path}/changes-settings", path, **typed)
    (said,) = re.findall(rf'id="{field}-error">([^<]*)<', answer.text)
    assert (answer.status_code, words in said) == (400, True), said
    assert api.get(f"/api{path}/changes-settings") == before


def test_a_form_of_change_settings_says_what_it_was_made_of() -> None:
    settings = ChangeSettingsResult(
        domain_id="x",
        include_selectors=["main", ".a"],
        drop_selectors=[],
        ignore_patterns=["a|b"],
        ignore_clocks=False,
        ignore_tokens=True,
        ignore_dates=True,
        ignore_numbers=False,
        min_change=0.07,
        problems=[],
    )
    given = change_settings.given(change_settings.form_of(settings))
    shown = orjson.loads(settings.model_dump_json(by_alias=True))
    assert given == {name: shown[name] for name in given}


# -- the comparison's partner -------------------------------------------------


def test_the_comparison_is_with_the_chosen_crawl(api: Api, browser: Browser) -> None:
    crawls = []
    for _ in range(3):
        crawls.append(api.crawl(["/"]))
        api.finish(crawls[-1], 2)
    html = browser.get(f"/jobs/{crawls[2]}/compare")
    assert re.findall(r'<option value="([^"]+)"', html) == [crawls[1], crawls[0]]
    assert f'Compared with the crawl <a href="/jobs/{crawls[1]}"' in html
    html = browser.get(f"/jobs/{crawls[2]}/compare?with={crawls[0]}&kind=added")
    assert f'<option value="{crawls[0]}" selected>' in html
    assert f'Compared with the crawl <a href="/jobs/{crawls[0]}"' in html
    assert '<input type="hidden" name="kind" value="added">' in html
    assert browser.client.get(f"/jobs/{crawls[2]}/compare?with=").status_code == 303
    assert "<select" not in browser.get(f"/jobs/{crawls[0]}/compare")
