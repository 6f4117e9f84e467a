"""The options of a crawl through HTTP: what is taken, what is refused, what is shown."""

import logging
from typing import Any

import pytest
from sqlalchemy import text

from shared import credentials, ids
from shared.models import JobOptions
from shared.store import job_options, jobs, tables
from tests.api_kit import Api

KEY = "a-secret-key-of-at-least-32-characters"
PASSWORD = "open sesame"
SCOPE = {
    "include": ["/blog/*", "re:^/\\d{4}/"],
    "exclude": ["*.pdf"],
    "max_depth": 3,
    "query": {"drop": ["utm_*", "gclid"]},
    "user_agent": "Probe/1",
}
SECRETS = {
    "headers": {"X-Preview": "stage-7"},
    "cookies": {"session": "c00kie"},
    "auth": {"username": "käthe", "password": PASSWORD},
}


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url, CRAWLYARD_SECRET_KEY=KEY)


def create(api: Api, expect: int = 201, /, **options: Any) -> Any:
    return api.post("/v1/jobs", {"domain": "example.com", **options}, expect)


def stored(api: Api, uid: str) -> JobOptions:
    found = ids.decode(uid)
    assert found is not None
    return jobs.get(api.store, found.body).options


def test_the_options_of_scope_are_shown_as_they_were_given(api: Api) -> None:
    job = create(api, **SCOPE)
    assert {name: job[name] for name in SCOPE} == SCOPE
    assert api.get(f"/v1/jobs/{job['id']}").items() >= SCOPE.items()


def test_they_may_stand_under_options(api: Api) -> None:
    job = create(api, options=SCOPE, max_depth=1)
    assert {name: job[name] for name in SCOPE} == SCOPE | {"max_depth": 1}


def test_defaults_leave_nothing_out(api: Api) -> None:
    job = create(api)
    names = "include exclude max_depth query user_agent headers cookies auth sitemap_url url_count".split()
    assert [job[name] for name in names] == [[], [], None, "keep", None, [], [], False, None, 0]


def test_a_job_is_listed_with_its_options(api: Api) -> None:
    create(api, **SCOPE)
    assert api.get("/v1/jobs")["jobs"][0].items() >= SCOPE.items()


@pytest.mark.parametrize("query", ["keep", "drop", {"keep": ["page"]}, {"drop": ["utm_*"]}])
def test_each_way_to_treat_queries(api: Api, query: Any) -> None:
    assert create(api, query=query)["query"] == query


def test_secrets_are_shown_by_name_only(api: Api) -> None:
    job = create(api, **SECRETS)
    assert (job["headers"], job["cookies"], job["auth"]) == (["x-preview"], ["session"], True)
    shown = str(job) + str(api.get(f"/v1/jobs/{job['id']}")) + str(api.get("/v1/jobs"))
    assert not [secret for secret in ("stage-7", "c00kie", PASSWORD, "käthe") if secret in shown]


def test_no_table_holds_them_in_clear(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        create(api, **SECRETS)
        create(api, **SECRETS, options={"use_sitemap": False})
    with api.store.read() as conn:
        # tuples, since the repr of a row cuts long values
        dump = str([tuple(row) for table in tables.metadata.sorted_tables for row in conn.execute(table.select())])
    assert "x-preview" in dump
    assert not [secret for secret in ("stage-7", "c00kie", PASSWORD, "käthe") if secret in dump + caplog.text]


def test_what_is_stored_opens_to_the_headers_to_send(api: Api) -> None:
    token = stored(api, create(api, **SECRETS)["id"]).sealed
    assert token is not None
    assert credentials.opened(api.settings, token) == {
        "x-preview": "stage-7",
        "cookie": "session=c00kie",
        "authorization": "Basic a8OkdGhlOm9wZW4gc2VzYW1l",
    }


def test_a_list_of_urls_is_the_whole_job(api: Api) -> None:
    urls = ["https://example.com/a", "https://EXAMPLE.com/a#top", "https://example.com/b"]
    job = create(api, urls=urls)
    assert (job["url_count"], job["find_links"], job["source_type"]) == (2, False, "manual")
    found = ids.decode(job["id"])
    assert found is not None
    assert job_options.seeds(api.store, found.body) == ["https://example.com/a", "https://example.com/b"]


def test_links_of_listed_urls_are_followed_on_request(api: Api) -> None:
    job = create(api, urls=["https://example.com/a"], find_links=True, source_type="api")
    assert (job["find_links"], job["source_type"]) == (True, "api")


@pytest.mark.parametrize(
    ("domain", "sitemap"),
    [
        ("https://example.com/sitemap.xml", "/sitemap.xml"),
        ("example.com/maps/pages.xml.gz?v=2", "/maps/pages.xml.gz?v=2"),
        ("https://example.com/sitemap_1.txt", "/sitemap_1.txt"),
        ("https://example.com/robots.txt", None),
        ("https://example.com/docs/", None),
        ("https://example.com/sitemap.xml/about", None),
    ],
)
def test_a_domain_given_as_a_sitemap_starts_there(api: Api, domain: str, sitemap: str | None) -> None:
    job = create(api, domain=domain)
    assert (job["domain"], job["sitemap_url"]) == ("example.com", sitemap)


def test_a_sitemap_may_be_named(api: Api) -> None:
    assert create(api, sitemap_url="https://cdn.test/s")["sitemap_url"] == "https://cdn.test/s"


def test_a_domains_crawl_takes_the_same_options(api: Api) -> None:
    domain = api.post("/api/domains", {"domain": "example.com"}, 201)["data"]
    api.post(f"/api/domains/{domain['id']}/crawl", SCOPE | SECRETS, 202)
    job = api.get("/v1/jobs")["jobs"][0]
    assert job.items() >= SCOPE.items()
    assert (job["headers"], job["auth"]) == (["x-preview"], True)


def test_a_schedule_takes_the_same_options_and_keeps_its_secrets_sealed(api: Api) -> None:
    body = {"domain": "example.com", "cron": "0 0 * * *", "options": SCOPE | SECRETS}
    shown = api.post("/api/schedules", body, 201)["data"]["options"]
    assert shown == SCOPE | {"headers": ["x-preview"], "cookies": ["session"], "auth": True}
    with api.store.read() as conn:
        kept = str([tuple(row) for row in conn.execute(text("SELECT * FROM schedules"))])
    assert "sealed" in kept
    assert not [secret for secret in ("stage-7", "c00kie", PASSWORD, "käthe") if secret in kept]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"include": ["blog/*"]}, "include"),
        ({"include": "/blog/*"}, "include"),
        ({"include": [""]}, "include.0"),
        ({"include": ["/a", 7]}, "include.1"),
        ({"exclude": ["re:("]}, "exclude"),
        ({"exclude": ["re:(?=a)"]}, "exclude"),
        ({"exclude": ["/" + "a" * 500]}, "exclude.0"),
        ({"exclude": ["/a"] * 101}, "exclude"),
        ({"max_depth": -1}, "max_depth"),
        ({"max_depth": 1001}, "max_depth"),
        ({"max_depth": "3"}, "max_depth"),
        ({"query": "sort"}, "query"),
        ({"query": {"keep": []}}, "query"),
        ({"query": {"keep": ["a=b"]}}, "query"),
        ({"query": {"keep": ["a"], "drop": ["b"]}}, "query"),
        ({"user_agent": ""}, "user_agent"),
        ({"user_agent": "a\r\nX: 1"}, "user_agent"),
        ({"headers": {"Host": "evil.test"}}, "headers"),
        ({"headers": {"Content-Length": "1"}}, "headers"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "headers"),
        ({"headers": {"Connection": "close"}}, "headers"),
        ({"headers": {"Cookie": "a=b"}}, "headers"),
        ({"headers": {"a b": "1"}}, "headers.a b"),
        ({"headers": {"x": "1\r\nHost: evil.test"}}, "headers.x"),
        ({"headers": {"x": "1\n"}}, "headers.x"),
        ({"headers": {f"x-{n}": "1" for n in range(21)}}, "headers"),
        ({"cookies": {"a": "1; b=2"}}, "cookies.a"),
        ({"cookies": {"a=b": "1"}}, "cookies.a=b"),
        ({"auth": {"username": "a:b", "password": "c"}}, "auth.username"),
        ({"auth": {"username": "a"}}, "auth.password"),
        ({"auth": {"username": "a", "password": "c"}, "headers": {"Authorization": "Bearer t"}}, "auth"),
        ({"sitemap_url": "/sitemap.xml"}, "sitemap_url"),
        ({"urls": ["ftp://example.com/"]}, "urls.0"),
        ({"urls": ["https://example.com/"] * 10_001}, "urls"),
    ],
)
def test_each_wrong_field_is_named(api: Api, options: dict[str, Any], field: str) -> None:
    answer = create(api, 400, **options)
    assert answer["code"] == "VALIDATION_ERROR"
    assert [detail["field"].removesuffix(".[key]") for detail in answer["details"]] == [field]


def test_an_error_never_repeats_a_secret(api: Api) -> None:
    wrong = {"auth": {"username": "a", "password": PASSWORD + "\n"}, "cookies": {"a": PASSWORD}}
    assert PASSWORD not in str(create(api, 400, **wrong))


def test_one_detail_a_wrong_field(api: Api) -> None:
    details = create(api, 400, max_depth=-1, include=["x"], query="?")["details"]
    assert sorted(detail["field"] for detail in details) == ["include", "max_depth", "query"]


def test_without_a_place_for_the_key_a_secret_is_a_conflict(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared import vault

    def no_key(*_: object) -> str:
        raise vault.NoSecretKey

    monkeypatch.setattr(vault, "seal", no_key)
    answer = create(Api(sqlite_url), 409, auth={"username": "a", "password": "b"})
    assert "CRAWLYARD_SECRET_KEY" in answer["error"]
