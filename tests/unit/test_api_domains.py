"""`/api/domains` and `/api/pages`."""

from typing import Any

import pytest

from shared.states import TaskKind
from tests.api_kit import Api, link


@pytest.fixture
def api(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def domain_of(api: Api) -> str:
    uid: str = api.get("/api/domains")["data"][0]["id"]
    return uid


def test_a_new_domain_is_discovered_at_once(api: Api) -> None:
    answer = api.post("/api/domains", {"domain": "https://Example.com/x"}, 201)
    assert answer["data"].keys() == {"id", "number", "domain", "createdAt"}
    assert answer["data"]["domain"] == "example.com"
    assert (answer["job"]["name"], answer["job"]["domainId"]) == ("discover.pages", answer["data"]["id"])
    assert [d.kind for d in api.queue.enqueued] == [TaskKind.DISCOVER_PAGES]


def test_a_discovery_records_pages_and_crawls_none(api: Api) -> None:
    job = api.post("/api/domains", {"domain": "https://example.com"}, 201)["job"]["id"]
    api.discover(job, [link("/"), link("/a")])
    answer = api.get(f"/api/domains/{domain_of(api)}/pages")
    assert {page["url"] for page in answer["data"]} == {"https://example.com/", "https://example.com/a"}
    assert answer["meta"] == {"total": 2, "page": 1, "pageSize": 20}
    assert api.get("/api/jobs", name="crawl.page")["meta"]["total"] == 0


def test_a_domain_is_added_once(api: Api) -> None:
    api.post("/api/domains", {"domain": "example.com"}, 201)
    assert api.post("/api/domains", {"domain": "EXAMPLE.com"}, 409)["code"] == "CONFLICT"


def test_domains_are_listed_newest_first(api: Api) -> None:
    for host in ("a.com", "b.com", "c.com"):
        api.post("/api/domains", {"domain": host}, 201)
    pages = [api.get("/api/domains", limit=2, page=n) for n in (1, 2)]
    assert [domain["domain"] for page in pages for domain in page["data"]] == ["c.com", "b.com", "a.com"]
    assert pages[1]["meta"] == {"total": 3, "page": 2, "pageSize": 2}


def test_a_domain_has_one_id_and_its_number_is_the_other_familys(api: Api) -> None:
    job = api.get(f"/v1/jobs/{api.submit()}")
    uid = domain_of(api)
    for spelling in (uid, uid.replace("-", "")):
        shown = api.get(f"/api/domains/{spelling}")["data"]
        assert (shown["id"], shown["number"]) == (uid, job["domain_id"])


def test_a_page_is_added_to_a_domain_and_crawled(api: Api) -> None:
    api.submit()
    page = api.post(f"/api/domains/{domain_of(api)}/pages", {"url": "https://example.com/a?b#c"}, 201)["data"]
    assert (page["url"], page["path"], page["crawledAt"]) == ("https://example.com/a?b", "/a?b", None)
    job = api.post(f"/api/pages/{page['id']}/crawl", expect=202)["data"]
    assert (job["name"], job["url"], job["pageId"]) == ("crawl.page", page["url"], page["id"])
    assert job["domainId"] == page["domainId"]


def test_a_page_of_a_subdomain_is_crawled_in_its_own_domain(api: Api) -> None:
    uid = api.submit()
    api.discover(uid, [link("/", "https://blog.example.com")])
    domain = domain_of(api)
    page = api.get(f"/api/domains/{domain}/pages")["data"][0]["id"]
    job = api.post(f"/api/pages/{page}/crawl", expect=202)["data"]
    assert (job["pageId"], job["domainId"], job["url"]) == (page, domain, "https://blog.example.com/")


def test_a_page_of_elsewhere_is_refused(api: Api) -> None:
    api.submit()
    answer = api.post(f"/api/domains/{domain_of(api)}/pages", {"url": "https://other.org/"}, 409)
    assert (answer["code"], answer["error"]) == ("CONFLICT", "The URL is not on example.com")


@pytest.mark.parametrize("url", ["x", "", "ftp://example.com/", "https://u:p@example.com/", "https://example.com:0/"])
def test_what_is_no_url_is_no_page(api: Api, url: str) -> None:
    api.submit()
    answer = api.post(f"/api/domains/{domain_of(api)}/pages", {"url": url}, 400)
    assert [detail["field"] for detail in answer["details"]] == ["url"]


@pytest.mark.parametrize(("verb", "mode"), [("discover", "discover"), ("crawl", "create_job")])
def test_a_domain_is_discovered_or_crawled_by_request(api: Api, verb: str, mode: str) -> None:
    api.submit()
    job = api.post(f"/api/domains/{domain_of(api)}/{verb}", expect=202)["data"]
    assert (job["name"], job["state"]) == ("discover.pages", "waiting")
    assert api.get("/v1/jobs")["jobs"][0]["source_detail"] == mode


def test_a_crawl_takes_options(api: Api) -> None:
    api.submit()
    api.post(f"/api/domains/{domain_of(api)}/crawl", {"max_pages": 7}, 202)
    assert api.get("/v1/jobs")["jobs"][0]["max_pages"] == 7


def test_a_deleted_domain_takes_everything_with_it(api: Api) -> None:
    uid = api.crawl()
    domain = domain_of(api)
    page = api.get(f"/api/domains/{domain}/pages")["data"][0]["id"]
    api.post(f"/v1/jobs/{uid}/cancel")
    assert api.call("DELETE", f"/api/domains/{domain}").status_code == 200
    for path in (f"/api/domains/{domain}", f"/v1/jobs/{uid}", f"/v1/tasks/{page}"):
        api.get(path, 404)
    assert api.get("/api/domains")["meta"]["total"] == api.get("/api/jobs")["meta"]["total"] == 0


def test_a_domain_with_an_active_crawl_is_not_deleted(api: Api) -> None:
    uid = api.submit()
    assert api.call("DELETE", f"/api/domains/{domain_of(api)}").status_code == 409
    assert api.get(f"/v1/jobs/{uid}")["status"] == "created"


@pytest.mark.parametrize("body", [{}, {"domain": ""}, {"domain": "a b"}, {"domain": "a.com", "x": 1}])
def test_a_wrong_domain_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.post("/api/domains", body, 400)["code"] == "VALIDATION_ERROR"
