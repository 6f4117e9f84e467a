"""`/v1/jobs/{id}/export` as seeds/v1-tasks.txt and API.md have it."""

import csv
import io
from typing import Any

import orjson
import pytest

import api.export
from shared.packing import packed
from shared.states import CacheStatus
from shared.store import holders
from tests.api_kit import Api, link

COLUMNS = {
    "job": (
        "id job_id path url content_type status cache_status status_code response_time second_cache_status"
        " second_response_time retry_count error source_type source_url created_at started_at completed_at"
    ).split(),
    "broken-links": "source_url url status status_code error created_at source_type".split(),
    "broken-links-by-page": "source_url url status status_code error created_at source_type".split(),
    "slow-pages": "url content_type cache_status response_time second_response_time created_at".split(),
}


@pytest.fixture
def kit(sqlite_url: str) -> Api:
    return Api(sqlite_url)


def crawled(kit: Api) -> str:
    """A fine page with a broken link on it, and a slow one."""
    uid = kit.crawl(["/", "/slow"])
    kit.finish(uid, 2, links=(link("/gone"),))
    kit.finish(uid, 3, response_time=3001, cache_status=CacheStatus.MISS)
    kit.fail(uid, 4)
    return uid


def export(kit: Api, uid: str, **params: Any) -> Any:
    answer = kit.call("GET", f"/v1/jobs/{uid}/export", query_string=params)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("job", ["/", "/slow", "/gone"]),
        ("broken-links", ["/gone"]),
        ("broken-links-by-page", ["/gone"]),
        ("slow-pages", ["/slow"]),
    ],
)
def test_each_type_exports_its_tasks_and_columns(kit: Api, kind: str, paths: list[str]) -> None:
    answer = export(kit, crawled(kit), type=kind).json
    assert set(answer) == {"export_type", "export_time", "total_tasks", "columns", "tasks"}
    assert (answer["export_type"], answer["total_tasks"]) == (kind, len(paths))
    assert [column["key"] for column in answer["columns"]] == COLUMNS[kind]
    assert [task["url"] for task in answer["tasks"]] == [f"https://example.com{path}" for path in paths]
    assert all(list(task) == COLUMNS[kind] for task in answer["tasks"])


def test_the_default_type_is_job(kit: Api) -> None:
    assert export(kit, crawled(kit)).json["export_type"] == "job"


def test_a_broken_link_says_where_it_was_found(kit: Api) -> None:
    answer = export(kit, crawled(kit), type="broken-links").json
    assert [column["label"] for column in answer["columns"][:2]] == ["Found on", "Broken link"]
    assert answer["tasks"][0]["source_url"] == "https://example.com/"
    assert answer["tasks"][0]["status_code"] == 404


def test_a_broken_link_is_exported_for_each_page_that_holds_it(kit: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = kit.crawl(["/gone", "/a", "/b", "/lost"])
    for seq in (3, 4):
        kit.finish(uid, seq, targets=packed("q", [link("/gone").url_hash]))
    kit.fail(uid, 2)
    kit.fail(uid, 5)
    holders.tend(kit.store)
    rows = export(kit, uid, type="broken-links-by-page").json["tasks"]
    shown = [(row["source_url"], row["url"].rpartition("/")[2]) for row in rows]
    assert shown == [("https://example.com/a", "gone"), ("https://example.com/b", "gone"), (None, "lost")]
    monkeypatch.setattr(api.export, "MOST", 2)
    assert export(kit, uid, type="broken-links-by-page").json["total_tasks"] == 2
    assert export(kit, uid, type="broken-links").json["total_tasks"] == 2


def _set(kit: Api, path: str, **values: Any) -> None:
    from sqlalchemy import update

    from shared.store.tables import tasks

    kit.store.write(lambda conn: conn.execute(update(tasks).where(tasks.c.path == path).values(values)))


def test_a_fast_second_answer_makes_a_page_fast(kit: Api) -> None:
    uid = crawled(kit)
    _set(kit, "/slow", second_response_time=20)
    assert export(kit, uid, type="slow-pages").json["total_tasks"] == 0


def test_page_view_columns_follow_where_any_row_has_data(kit: Api) -> None:
    uid = crawled(kit)
    _set(kit, "/slow", pv28=0)
    answer = export(kit, uid).json
    views = ["page_views_7d", "page_views_28d", "page_views_180d"]
    assert [column["key"] for column in answer["columns"]][-3:] == views
    assert [task["page_views_28d"] for task in answer["tasks"]] == [None, 0, None]


def test_csv_has_the_same_rows(kit: Api) -> None:
    uid = crawled(kit)
    answer = export(kit, uid, format="csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.content_type == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert list(rows[0]) == COLUMNS["job"]
    assert [row["path"] for row in rows] == ["/", "/slow", "/gone"]


def test_json_lines_have_the_same_rows(kit: Api) -> None:
    uid = crawled(kit)
    answer = export(kit, uid, format="jsonl")
    rows = [orjson.loads(line) for line in answer.data.splitlines()]
    assert rows == export(kit, uid).json["tasks"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_cannot_become_a_formula(kit: Api, start: str) -> None:
    uid = crawled(kit)
    _set(kit, "/slow", content_type=f"{start}cmd|' /C calc'!A0")
    rows = list(csv.DictReader(io.StringIO(export(kit, uid, format="csv").text, newline="")))
    assert rows[1]["content_type"] == f"'{start}cmd|' /C calc'!A0"


def test_json_is_bounded_and_the_streams_are_not(kit: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = crawled(kit)
    monkeypatch.setattr(api.export, "MOST", 2)
    assert export(kit, uid).json["total_tasks"] == 2
    assert len(export(kit, uid, format="jsonl").data.splitlines()) == 3


def test_an_export_goes_on_over_the_size_of_one_read(kit: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.store.exports._CHUNK", 2)
    uid = kit.crawl([f"/{n}" for n in range(5)])
    assert export(kit, uid).json["total_tasks"] == 5


def test_an_empty_export_still_has_its_columns(kit: Api) -> None:
    assert export(kit, kit.submit(), format="csv").text.strip() == ",".join(COLUMNS["job"])


@pytest.mark.parametrize("params", [{"type": "all"}, {"format": "xml"}, {"limit": 5}])
def test_a_wrong_parameter_is_named(kit: Api, params: dict[str, Any]) -> None:
    answer = kit.get(f"/v1/jobs/{kit.submit()}/export", 400, **params)
    assert [detail["field"] for detail in answer["details"]] == list(params)
