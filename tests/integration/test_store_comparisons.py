"""Comparisons of crawls: the same from rows and from orders, kept while they are true, quick at 100,000 pages."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from shared import ids
from shared.clock import now_us
from shared.models import Job
from shared.states import TaskState
from shared.store import Store, comparisons, differences, order_builds, order_rows, order_writer, orders
from shared.store.change_tables import changes
from shared.store.differences import Kind
from shared.store.tables import tasks
from tests.sorted_tasks import ended_job

STATES = [TaskState.COMPLETED, TaskState.FAILED, TaskState.SKIPPED, TaskState.PENDING]
PAGE = st.tuples(st.sampled_from(STATES), st.sampled_from([None, 100, 299, 300, 301, 1000, 1200, 1500]))
#: by URL hash: state and response time
SITE = st.dictionaries(st.integers(0, 12), PAGE, min_size=1)


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_builds, "MIN_TASKS", 1)
    monkeypatch.setattr(order_writer, "PART", 4)
    monkeypatch.setattr(order_rows, "PART", 4)


def job_of(store: Store, site: dict[int, Any]) -> Job:
    empty = dict.fromkeys(("status_code", "cache_status", "second_response_time"))
    rows = [
        {**empty, "path": f"/{url_hash}", "url_hash": url_hash, "state": state, "response_time": time}
        for url_hash, (state, time) in site.items()
    ]
    return ended_job(store, rows)


def note_change(store: Store, job: Job, url_hash: int) -> None:
    values = dict.fromkeys(("types", "truncated"), 0) | {"before": "{}", "after": "{}", "created_at": now_us()}
    keys = {"organisation_id": job.organisation_id, "domain_id": job.domain.id, "job_ms": job.ms}
    own = {"task_id": ids.pack(job.id, 2), "url_hash": url_hash}
    store.write(lambda conn: conn.execute(insert(changes).values(**values, **keys, **own)))


def compared(store: Store, before: Job, after: Job, kind: Kind | None = None) -> tuple[dict[str, Kind], int]:
    found = comparisons.compare(store, before, after, kind, 100, 0)
    assert found.total == len(found.pages)
    assert all(found.counts[k] == sum(k in page.kinds for page in found.pages) for k in Kind if kind is None)
    return {page.url.rpartition("/")[2]: page.kinds for page in found.pages}, found.unchanged


def expected(was: Any, now: Any, changed: set[int]) -> tuple[dict[str, Kind], int]:
    """As the API's description says it, page by page."""
    crawled = (TaskState.COMPLETED, TaskState.FAILED)
    found = {}
    for page in was.keys() | now.keys():
        (was_state, was_time), (now_state, now_time) = was.get(page, (None, None)), now.get(page, (None, None))
        kinds = Kind(0)
        if now_state is None and was_state in crawled:
            kinds = Kind.REMOVED
        elif now_state in crawled and was_state not in crawled:
            kinds = Kind.ADDED
        elif now_state not in crawled:
            if (now_state, was_state in crawled, page in changed) != (TaskState.SKIPPED, True, True):
                continue
            kinds = Kind.CHANGED
        else:
            kinds |= Kind.CHANGED if page in changed else Kind(0)
            kinds |= Kind.NEWLY_BROKEN if (was_state, now_state) == crawled else Kind(0)
            kinds |= Kind.FIXED if (now_state, was_state) == crawled else Kind(0)
            timed = was_time is not None and now_time is not None and was_state == now_state == TaskState.COMPLETED
            is_slower = timed and now_time >= 1.5 * was_time and now_time - was_time >= 200
            kinds |= Kind.SLOWER if is_slower else Kind(0)
        found[str(page)] = kinds
    return {page: kinds for page, kinds in found.items() if kinds}, sum(not kinds for kinds in found.values())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SITE, SITE, st.sets(st.integers(0, 12)), st.sampled_from([3, 100]))
def test_it_works_from_rows_and_from_orders(store: Store, was: Any, now: Any, changed: set[int], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(differences, "_AT_ONCE", at_once)
        before, after = job_of(store, was), job_of(store, now)
        for url_hash in changed:
            note_change(store, after, url_hash)
        wanted = expected(was, now, changed)
        assert compared(store, before, after) == wanted
        order_builds.tend(store)
        assert compared(store, before, after) == wanted == compared(store, before, after)


def test_pages_come_as_the_later_crawl_found_them_and_removed_ones_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "_AT_ONCE", 2)
    done = (TaskState.COMPLETED, 1)
    before, after = job_of(store, dict.fromkeys((8, 1, 5), done)), job_of(store, dict.fromkeys((9, 2, 7, 4), done))
    pages = comparisons.compare(store, before, after, None, 100, 0).pages
    assert [page.url.rpartition("/")[2] for page in pages] == ["9", "2", "7", "4", "8", "1", "5"]
    middle = comparisons.compare(store, before, after, Kind.REMOVED, 1, 1)
    assert ([page.url.rpartition("/")[2] for page in middle.pages], middle.total) == (["1"], 3)


def test_a_kept_comparison_is_not_read_again_and_sees_what_changes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = {1: (TaskState.COMPLETED, 1), 2: (TaskState.COMPLETED, 1)}
    before, after = job_of(store, done), job_of(store, done)
    order_builds.tend(store)
    assert compared(store, before, after) == ({}, 2)
    note_change(store, after, 2)
    assert compared(store, before, after) == ({"2": Kind.CHANGED}, 1)
    with monkeypatch.context() as patch:
        patch.setattr(comparisons, "_looks", None)
        assert compared(store, before, after) == ({"2": Kind.CHANGED}, 1)

    def breaks(conn: Any) -> None:
        orders.forget(conn, after.id)
        conn.execute(update(tasks).where(tasks.c.id == ids.pack(after.id, 2)).values(state=TaskState.FAILED))

    store.write(breaks)
    assert compared(store, before, after)[0] == {"1": Kind.NEWLY_BROKEN, "2": Kind.CHANGED}


@pytest.mark.parametrize(("seconds", "is_kept"), [(60.0, True), (0.0, False)])
def test_a_large_comparison_with_a_crawl_that_still_changes_is_kept_for_seconds(
    store: Store, monkeypatch: pytest.MonkeyPatch, seconds: float, is_kept: bool
) -> None:
    monkeypatch.setattr(comparisons, "_LARGE", 1)
    monkeypatch.setattr(comparisons, "_FRESH", seconds)
    before, after = (job_of(store, {1: (TaskState.COMPLETED, 1)}) for _ in range(2))
    assert compared(store, before, after) == ({}, 1)
    note_change(store, after, 1)
    assert compared(store, before, after) == (({}, 1) if is_kept else ({"1": Kind.CHANGED}, 0))
