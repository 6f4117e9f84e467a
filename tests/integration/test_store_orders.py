"""Order snapshots: the same lists as a sort of the rows, at any depth, and only while they are true."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import StoreUnavailable
from shared.states import TaskState
from shared.store import (
    Store,
    bounds,
    exports,
    order_builds,
    order_rows,
    order_search,
    order_writer,
    task_lists,
)
from shared.store.driver_errors import SchemaNotCurrent
from shared.store.task_lists import TaskFilter, Window
from tests.sorted_tasks import FILTERS, MISS, ROW, WAYS, ended_job, expected, is_ready, read, varied


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_builds, "MIN_TASKS", 1)
    monkeypatch.setattr(task_lists, "_DEEP", 4)
    monkeypatch.setattr(task_lists, "_STRIDE", 3)
    monkeypatch.setattr(order_search, "_AT_ONCE", 3)
    monkeypatch.setattr(order_search, "_SELDOM", 2)
    monkeypatch.setattr(order_search, "_CUT", 6)
    monkeypatch.setattr(order_writer, "_PARTS_PER_WRITE", 2)
    monkeypatch.setattr(order_writer, "PART", 4)
    monkeypatch.setattr(order_rows, "PART", 4)
    monkeypatch.setattr(order_rows, "SORTED_AT_ONCE", 5)


several = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@several
@given(st.lists(ROW, min_size=1, max_size=30), st.data())
def test_it_works(store: Store, rows: list[dict[str, Any]], data: st.DataObject) -> None:
    job = ended_job(store, rows)
    assert order_builds.tend(store) == 1
    assert is_ready(store, job)
    for sort, descending in WAYS:
        which = data.draw(st.sampled_from(FILTERS))
        limit, offset = data.draw(st.integers(1, 12)), data.draw(st.integers(0, len(rows) + 1))
        whole = expected(rows, which, sort, descending)
        window = Window(limit, offset, sort, descending)
        assert read(store, job, which, window) == (whole[offset : offset + limit], len(whole)), (which, window)


@several
@given(st.lists(ROW, max_size=15), st.data())
def test_a_scan_gives_the_same(store: Store, rows: list[dict[str, Any]], data: st.DataObject) -> None:
    job = ended_job(store, rows)
    for sort, descending in WAYS:
        which = data.draw(st.sampled_from(FILTERS))
        whole = expected(rows, which, sort, descending)
        assert read(store, job, which, Window(10, 2, sort, descending)) == (whole[2:12], len(whole))


@pytest.mark.parametrize("which", [TaskFilter(), TaskFilter((TaskState.COMPLETED,)), TaskFilter(cache=MISS)], ids=str)
def test_pages_neither_overlap_nor_skip(store: Store, which: TaskFilter) -> None:
    rows = varied()
    job = ended_job(store, rows)
    order_builds.tend(store)
    for sort, descending in WAYS:
        pages = [read(store, job, which, Window(3, at, sort, descending))[0] for at in range(0, len(rows), 3)]
        assert list(itertools.chain(*pages)) == expected(rows, which, sort, descending)


def test_no_filter_makes_a_read_sort_the_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = varied(9)
    job = ended_job(store, rows)
    order_builds.tend(store)
    monkeypatch.setattr(task_lists, "_sorted", lambda *_: pytest.fail("scanned"))
    for which in FILTERS:
        whole = expected(rows, which, "response_time", False)
        assert read(store, job, which, Window(50, 0, "response_time")) == (whole, len(whole))


def test_a_scan_that_takes_too_long_is_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ended_job(store, varied(4000))
    monkeypatch.setattr(task_lists, "_SCAN_SECONDS", 0.0)
    monkeypatch.setattr(bounds, "_ASK_EVERY", 10)
    with store.read() as other:
        if not store.is_sqlite:  # a fast machine scans these rows in PostgreSQL's shortest bound, a millisecond
            other.exec_driver_sql("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="takes too long"):
            read(store, job, TaskFilter(path="x"), Window(9, sort="path"))
    monkeypatch.undo()
    assert read(store, job, TaskFilter(), Window(9, sort="path"))[1] == 4000


def test_what_the_driver_says_during_a_search_is_an_error_of_the_store(store: Store) -> None:
    job = ended_job(store, varied())
    order_builds.tend(store)
    store.write(lambda conn: conn.exec_driver_sql("DROP TABLE order_parts"))
    with pytest.raises(SchemaNotCurrent):
        read(store, job, TaskFilter(path="1"), Window(9))


@pytest.mark.parametrize("views", [None, 0])
def test_an_export_knows_whether_there_are_page_views(store: Store, views: int | None) -> None:
    job = ended_job(store, [{**row, "pv7": None, "pv28": views} for row in varied(9)])
    assert exports.has_page_views(store, job) is (views is not None)
    order_builds.tend(store)
    assert exports.has_page_views(store, job) is (views is not None)
