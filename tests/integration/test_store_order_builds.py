"""Which jobs have an order snapshot: ended ones, as long as nothing of them changes."""

from typing import Any

import pytest
from sqlalchemy import func, insert, select

from shared import ids
from shared.clock import SECOND, now_us
from shared.models import Job
from shared.stages import Fetched, Finish
from shared.states import JobState, TaskState
from shared.store import (
    Store,
    jobs,
    order_builds,
    order_rows,
    order_search,
    order_writer,
    orders,
    retention,
    tasks,
)
from shared.store.order_writer import Build
from shared.store.orders import OrderState
from shared.store.step import Admission
from shared.store.tables import metadata, task_orders
from shared.store.task_lists import TaskFilter, Window
from tests.crawls import Crawl
from tests.sorted_tasks import ended_job, expected, is_ready, read, varied


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_builds, "MIN_TASKS", 1)
    monkeypatch.setattr(order_search, "_AT_ONCE", 3)
    monkeypatch.setattr(order_search, "_SELDOM", 2)
    monkeypatch.setattr(order_writer, "_PARTS_PER_WRITE", 2)
    monkeypatch.setattr(order_writer, "PART", 4)
    monkeypatch.setattr(order_rows, "PART", 4)
    monkeypatch.setattr(order_rows, "SORTED_AT_ONCE", 5)


def crawled(store: Store) -> tuple[Crawl, list[int]]:
    """A completed crawl of four pages, of which two failed with an order; the failed ones."""
    crawl = Crawl(store)
    works = [crawl.admit(d.task_id) for d in crawl.discover("/", "/a", "/b", "/c")]
    for work in works[:2]:
        crawl.complete(work)
    for work in works[2:]:
        crawl.fail(work)
    return crawl, [work.id for work in works[2:]]


def test_a_reopened_job_is_scanned_until_it_ends_again(store: Store) -> None:
    crawl, failed = crawled(store)
    assert order_builds.tend(store) == 1
    dispatch = tasks.reopen(store, crawl.organisation_id, failed[0], now_us())
    assert not is_ready(store, crawl.job)
    assert order_builds.tend(store) == 0
    assert read(store, crawl.now, TaskFilter((TaskState.FAILED,)), Window(9)) == ([ids.seq_of(failed[1])], 1)
    crawl.complete(crawl.admit(dispatch.task_id), response_time=7)
    assert order_builds.tend(store) == 1
    assert read(store, crawl.now, TaskFilter(), Window(9, sort="response_time"))[0][0] == ids.seq_of(failed[0])
    assert count(store, "task_orders") == 1


def test_a_kept_answer_of_a_search_goes_with_its_order(store: Store) -> None:
    crawl, failed = crawled(store)
    order_builds.tend(store)
    which = TaskFilter((TaskState.FAILED,), path="/b")
    assert read(store, crawl.now, which, Window(9))[1] == 1
    dispatch = tasks.reopen(store, crawl.organisation_id, failed[0], now_us())
    crawl.complete(crawl.admit(dispatch.task_id))
    order_builds.tend(store)
    assert read(store, crawl.now, which, Window(9)) == ([], 0)


def count(store: Store, name: str) -> int:
    with store.read() as conn:
        return conn.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()


def test_a_task_of_a_cancelled_job_that_runs_again_makes_its_order_stale(store: Store) -> None:
    crawl = Crawl(store)
    works = [crawl.admit(d.task_id) for d in crawl.discover("/", "/a")]
    crawl.fail(works[0])
    jobs.cancel(store, crawl.job.id, now_us())
    assert order_builds.tend(store) == 1
    crawl.run([Admission(works[0].id, requeued=True)])
    assert not is_ready(store, crawl.job)


def test_a_job_that_runs_has_no_order(store: Store) -> None:
    crawl = Crawl(store)
    crawl.discover("/", "/a")
    assert order_builds.tend(store) == 0


def test_a_failed_job_has_none_while_tasks_of_it_run(store: Store) -> None:
    crawl = Crawl(store)
    works = [crawl.admit(d.task_id) for d in crawl.discover("/", "/a")]
    crawl.record(Finish(works[0], TaskState.FAILED, Fetched(), error="gone", job_error="gone"))
    assert crawl.now.state is JobState.FAILED
    assert order_builds.tend(store) == 0
    crawl.complete(works[1])
    assert order_builds.tend(store) == 1


def test_a_small_job_has_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_builds, "MIN_TASKS", 5)
    crawled(store)
    assert order_builds.tend(store) == 0


def test_a_deleted_job_takes_its_order_with_it(store: Store) -> None:
    job = ended_job(store, varied())
    order_builds.tend(store)
    retention.delete_job(store, job.id)
    assert not is_ready(store, job)
    order_builds.tend(store)
    assert [count(store, name) for name in ("task_orders", "order_lists", "order_parts")] == [0, 0, 0]


def test_a_reopening_during_the_build_ends_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    crawl, failed = crawled(store)
    write = Build._write

    def reopen_first(build: Any, which: int, seqs: Any) -> None:
        monkeypatch.undo()
        tasks.reopen(store, crawl.organisation_id, failed[0], now_us())
        write(build, which, seqs)

    monkeypatch.setattr(Build, "_write", reopen_first)
    order_builds.tend(store)
    assert not is_ready(store, crawl.job)


def states(store: Store) -> list[int]:
    with store.read() as conn:
        return list(conn.execute(select(task_orders.c.state)).scalars())


def begun(store: Store, job: Job, touched_at: int) -> None:
    values = {"job_id": job.id, "state": OrderState.BUILDING, "touched_at": touched_at}
    store.write(lambda conn: conn.execute(insert(task_orders).values(values)))


def test_two_schedulers_build_an_order_once(store: Store) -> None:
    begun(store, ended_job(store, varied()), now_us())
    assert order_builds.tend(store) == 0


def test_a_build_whose_scheduler_died_is_done_again(store: Store) -> None:
    job = ended_job(store, varied())
    begun(store, job, now_us() - 3600 * SECOND)
    assert order_builds.tend(store) == 1
    assert states(store) == [OrderState.READY]


def test_a_job_with_too_many_cells_is_refused_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_writer, "MAX_CELLS", 2)
    rows = varied()
    job = ended_job(store, rows)
    order_builds.tend(store)
    assert states(store) == [OrderState.REFUSED]
    assert read(store, job, TaskFilter(), Window(99, sort="path"))[0] == expected(rows, TaskFilter(), "path", False)


def test_an_order_can_be_given_up(store: Store) -> None:
    job = ended_job(store, varied())
    order_builds.tend(store)
    store.write(lambda conn: orders.forget(conn, job.id))
    assert not is_ready(store, job)
    assert order_builds.tend(store) == 1
