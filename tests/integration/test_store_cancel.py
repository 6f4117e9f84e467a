"""Cancelling a job in the record."""

import pytest

from shared.clock import now_us
from shared.errors import Conflict, NotFound
from shared.states import JobState, TaskState
from shared.store import Store, jobs
from tests.crawls import Crawl, numbered, small


def test_it_works(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=2))
    crawl.discover(*numbered(5))
    held = jobs.cancel(store, crawl.job.id, now_us())
    assert crawl.now.state is JobState.CANCELLED
    assert len(held) == 2
    assert {row.state for row in crawl.rows()} == {TaskState.CANCELLED}


def test_nothing_of_a_cancelled_job_is_admitted(store: Store) -> None:
    crawl = Crawl(store)
    dispatches = crawl.discover("/", "/a")
    jobs.cancel(store, crawl.job.id, now_us())
    assert crawl.run([d.task_id for d in dispatches]).works == [None, None]


def test_a_page_that_comes_in_after_the_cancel_changes_nothing(store: Store) -> None:
    crawl = Crawl(store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    jobs.cancel(store, crawl.job.id, now_us())
    verdict, following = crawl.complete(work, "/a")
    assert (verdict.recorded, following) == (False, [])
    assert [row.state for row in crawl.rows()] == [TaskState.CANCELLED]


def test_counts_stay_true(store: Store) -> None:
    crawl = Crawl(store, small(concurrency=2))
    dispatches = crawl.discover(*numbered(6))
    crawl.complete(crawl.admit(dispatches[0].task_id))
    jobs.cancel(store, crawl.job.id, now_us())
    assert crawl.counts.ended(TaskState.COMPLETED) == 1
    assert crawl.counts.ended(TaskState.CANCELLED) == 5
    assert (crawl.state.n_open, crawl.state.n_inflight) == (0, 0)


def test_cancelling_again_changes_nothing(store: Store) -> None:
    crawl = Crawl(store)
    jobs.cancel(store, crawl.job.id, now_us())
    before = crawl.now
    assert jobs.cancel(store, crawl.job.id, now_us()) == []
    assert crawl.now == before


def test_a_completed_job_cannot_be_cancelled(store: Store) -> None:
    crawl = Crawl(store)
    crawl.discover()
    with pytest.raises(Conflict, match="completed"):
        jobs.cancel(store, crawl.job.id, now_us())


def test_an_unknown_job_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        jobs.cancel(store, 4711, now_us())
