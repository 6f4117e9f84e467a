"""`/api/changes`, what counts as a change, and two crawls side by side."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import func, select

from api.examples.webhooks import EVENTS
from shared.clock import now_us
from shared.states import TaskState
from shared.store import change_lists, change_retention, domain_admin, domains
from shared.store.change_lists import ChangeFilter
from shared.store.change_tables import change_settings, changes, snapshot_texts, snapshots
from tests.api_kit import Api

DAY = change_retention.DAY
LATER = now_us() + 400 * DAY


@pytest.fixture
def api(sqlite_url: str) -> Iterator[Api]:
    made = Api(sqlite_url)
    yield made
    made.store.close()


def crawl(api: Api, *texts: str) -> str:
    """A crawl of a page for each text, to its end."""
    uid = api.crawl([f"/{n}" for n in range(len(texts))])
    for n, text in enumerate(texts):
        api.see(uid, 2 + n, text)
    return uid


def domain_of(api: Api) -> Any:
    (found,) = api.get("/api/domains")["data"]
    return found["id"]


def count(api: Api, table: Any) -> int:
    with api.store.read() as conn:
        n: int = conn.execute(select(func.count()).select_from(table)).scalar_one()
    return n


def test_it_works(api: Api) -> None:
    crawl(api, "old")
    uid = crawl(api, "new")
    (change,) = api.get("/api/changes")["data"]
    assert (change["type"], change["types"], change["similarity"]) == ("content", ["content"], 0.5)
    assert (change["url"], change["crawlId"]) == ("https://example.com/0", uid)
    detail = api.get(f"/api/changes/{change['id']}")["data"]
    assert (detail["diff"], detail["diffTruncated"]) == ("-a\n+b", False)
    assert api.get(f"/api/jobs/{change['jobId']}")["data"]["returnValue"]["changed"] is True


def test_changes_are_filtered_and_paged(api: Api) -> None:
    crawl(api, "a", "b", "c")
    crawl(api, "A", "B", "c2", "fresh")
    found = api.get("/api/changes")
    assert [c["type"] for c in found["data"]] == ["new", "content", "content", "content"]
    page = found["data"][1]["pageId"]
    wanted = {"type": "new", "pageId": page, "domainId": domain_of(api), "since": "2020-01-01"}
    totals = {name: api.get("/api/changes", **{name: value})["meta"]["total"] for name, value in wanted.items()}
    assert totals == {"type": 1, "pageId": 1, "domainId": 4, "since": 4}
    assert api.get("/api/changes", since="2999-01-01T00:00:00Z")["meta"]["total"] == 0
    pages = [api.get("/api/changes", limit=1, page=n)["data"][0]["id"] for n in (1, 2, 3, 4)]
    assert pages == [c["id"] for c in found["data"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [("since", "yesterday"), ("since", "2024-02-31"), ("type", "other"), ("pageId", "x"), ("limit", "0"), ("x", "1")],
)
def test_a_wrong_filter_is_named(api: Api, name: str, value: str) -> None:
    answer = api.get("/api/changes", 400, **{name: value})
    assert answer["details"][0]["field"] == name


@pytest.mark.parametrize("uid", ["x", "0190a0a0-0000-75e4-8000-000000000001", "0190a0a0-0000-71a0-8000-000000000001"])
def test_an_unknown_change_is_not_found(api: Api, uid: str) -> None:
    crawl(api, "old")
    crawl(api, "new")
    assert api.get(f"/api/changes/{uid}", 404)["code"] == "NOT_FOUND"


def test_a_look_of_a_moment_that_has_passed_changes_nothing(api: Api) -> None:
    crawl(api, "old")
    jobs = [api.crawl(["/0"]) for _ in range(2)]
    works = [api.start(uid, 2) for uid in jobs]
    for work, text in zip(works, ("new", "old"), strict=True):
        api.record(api.look(work, text))
    assert api.get("/api/changes")["meta"]["total"] == 1
    crawl(api, "new")
    assert api.get("/api/changes")["meta"]["total"] == 1


def test_webhooks_are_told(api: Api) -> None:
    hook = api.post("/api/webhooks", {"url": "https://192.31.196.7/", "events": ["page.changed"]}, 201)["data"]["id"]
    crawl(api, "old")
    assert api.get(f"/api/webhooks/{hook}/deliveries")["data"] == []
    crawl(api, "new")
    (delivery,) = api.get(f"/api/webhooks/{hook}/deliveries")["data"]
    assert "page.changed" in delivery.values()


def test_a_webhook_is_told_what_the_document_says(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("shared.store.changes.emit_many", lambda _conn, _organisation, _type, data: told.extend(data))
    crawl(api, "old")
    crawl(api, "new")
    assert [set(data) for data in told] == [set(EVENTS["page.changed"])]


# -- what counts as a change ------------------------------------------------------


def settings_of(api: Api, body: Any = None, expect: int = 200) -> Any:
    path = f"/api/domains/{domain_of(api)}/changes-settings"
    answer = api.call("PUT", path, json=body) if body is not None else api.call("GET", path)
    assert answer.status_code == expect, answer.text
    return answer.json


def test_settings_have_defaults_and_are_replaced(api: Api) -> None:
    api.submit()
    before = settings_of(api)["data"]
    assert (before["ignoreClocks"], before["ignoreNumbers"], before["dropSelectors"]) == (True, False, [])
    settings_of(api, {"dropSelectors": [".ad"], "ignoreNumbers": True})
    after = settings_of(api)["data"]
    assert (after["ignoreNumbers"], after["dropSelectors"], after["problems"]) == (True, [".ad"], [])
    settings_of(api, {})
    assert settings_of(api)["data"] == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"dropSelectors": ["p:has(a)"]}, "dropSelectors"),
        ({"includeSelectors": ["a b c"]}, "includeSelectors"),
        ({"includeSelectors": ["p["]}, "includeSelectors"),
        ({"ignorePatterns": ["("]}, "ignorePatterns"),
        ({"ignorePatterns": ["x"] * 21}, "ignorePatterns"),
        ({"ignorePatterns": ["x" * 201]}, "ignorePatterns.0"),
        ({"minChange": 1.5}, "minChange"),
        ({"ignoreClocks": "yes"}, "ignoreClocks"),
        ({"other": 1}, "other"),
    ],
)
def test_wrong_settings_are_named(api: Api, body: Any, field: str) -> None:
    api.submit()
    assert settings_of(api, body, 400)["details"][0]["field"] == field


# -- comparing crawls -------------------------------------------------------------


def test_two_crawls_side_by_side(api: Api) -> None:
    before = api.crawl(["/same", "/text", "/breaks", "/mends", "/slow", "/bit", "/gone"])
    for seq in (2, 4, 8):
        api.finish(before, seq)
    api.see(before, 3, "a")
    api.fail(before, 5)
    api.finish(before, 6, response_time=400)
    api.finish(before, 7, response_time=100)
    after = api.crawl(["/same", "/text", "/breaks", "/mends", "/slow", "/bit", "/new"])
    for seq in (2, 5, 8):
        api.finish(after, seq)
    api.see(after, 3, "b")
    api.fail(after, 4)
    api.finish(after, 6, response_time=600)
    api.finish(after, 7, response_time=299)
    answer = api.get(f"/v1/jobs/{after}/compare")
    assert {p["url"].rpartition("/")[2]: p["kinds"] for p in answer["pages"]} == {
        "text": ["changed"],
        "breaks": ["newly_broken"],
        "mends": ["fixed"],
        "slow": ["slower"],
        "new": ["added"],
        "gone": ["removed"],
    }
    assert answer["summary"]["unchanged"] == 2
    broken = api.get(f"/v1/jobs/{after}/compare", kind="newly_broken")["pages"][0]
    assert (broken["before"]["status_code"], broken["after"]["status_code"]) == (200, 404)
    parts = [api.get(f"/v1/jobs/{after}/compare", limit=1, offset=n)["pages"][0]["url"] for n in range(6)]
    assert parts == [p["url"] for p in answer["pages"]]
    reverse = api.get(f"/v1/jobs/{before}/compare", **{"with": after})["summary"]
    assert (reverse["added"], reverse["removed"], reverse["fixed"], reverse["newly_broken"]) == (1, 1, 1, 1)


def test_what_cannot_be_compared_is_said(api: Api) -> None:
    uid, other = api.crawl(["/"]), api.crawl(["/"], domain="https://example.org")
    assert api.get(f"/v1/jobs/{uid}/compare", 409)["code"] == "CONFLICT"
    for wrong in (other, uid):
        assert api.get(f"/v1/jobs/{uid}/compare", 400, **{"with": wrong})["details"][0]["field"] == "with"
    assert api.get(f"/v1/jobs/{uid}/compare", 404, **{"with": "0" * 32})["code"] == "NOT_FOUND"


# -- what is kept -----------------------------------------------------------------


def test_equal_texts_are_stored_once(api: Api) -> None:
    crawl(api, "same", "same", "other")
    assert (count(api, snapshots), count(api, snapshot_texts)) == (3, 2)


def test_so_many_snapshots_of_a_page_are_kept(api: Api) -> None:
    for n in range(14):
        crawl(api, f"text {n}")
    assert (count(api, snapshots), count(api, changes)) == (10, 13)


def test_what_is_old_goes_but_the_newest_snapshot(api: Api) -> None:
    for n in range(3):
        crawl(api, f"text {n}")
    assert change_retention.apply(api.store, LATER, 0, 0) == 0
    assert change_retention.apply(api.store, LATER, 90, 365) == 4
    assert change_retention.delete_texts(api.store, now_us()) == 0
    assert change_retention.delete_texts(api.store, LATER) == 2
    assert (count(api, snapshots), count(api, snapshot_texts), count(api, changes)) == (1, 1, 0)
    crawl(api, "text 2")
    assert count(api, changes) == 0


def test_texts_are_looked_at_a_few_a_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_retention, "_CHUNK", 2)
    for n in range(7):
        crawl(api, f"text {n}")
    assert change_retention.apply(api.store, LATER, 90, 0) == 6
    assert change_retention.delete_texts(api.store, LATER) == 6
    assert (count(api, snapshots), count(api, snapshot_texts)) == (1, 1)


@pytest.mark.parametrize(("limit", "offset", "counts"), [(5, 0, 0), (3, 0, 1), (2, 2, 0), (2, 4, 1), (3, 3, 1)])
def test_changes_are_counted_only_where_the_page_does_not_tell(
    api: Api, monkeypatch: pytest.MonkeyPatch, limit: int, offset: int, counts: int
) -> None:
    for n in range(4):
        crawl(api, f"text {n}")
    asked = mock.Mock(wraps=change_lists._count)
    monkeypatch.setattr(change_lists, "_count", asked)
    found, total = change_lists.page(api.store, ChangeFilter(1), limit, offset)
    assert (len(found), total, asked.call_count) == (max(0, min(limit, 3 - offset)), 3, counts)


def test_a_domain_takes_its_history_with_it(api: Api) -> None:
    crawl(api, "a")
    crawl(api, "b")
    settings_of(api, {"ignoreNumbers": True})
    domain_admin.remove(api.store, domains.get(api.store, domain_of(api), 1))
    assert [count(api, t) for t in (snapshots, snapshot_texts, changes, change_settings)] == [0] * 4


def test_a_failed_page_without_news_has_no_change(api: Api) -> None:
    crawl(api, "a")
    uid = api.crawl(["/0"])
    api.finish(uid, 2, TaskState.FAILED, status_code=503, error="HTTP 503")
    assert api.get("/api/changes")["meta"]["total"] == 0
