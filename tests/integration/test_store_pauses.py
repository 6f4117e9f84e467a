"""Pausing a job in the record: nothing of it is started, nothing of it is lost."""

import pytest

from scheduler.loop import recover
from shared.clock import SECOND, now_us
from shared.errors import Conflict, NotFound
from shared.states import JobState, TaskState
from shared.store import Store, jobs, pauses, sweep, tasks
from tests.crawls import LEASE, Crawl, numbered, small


@pytest.fixture
def crawl(store: Store) -> Crawl:
    return Crawl(store, small(concurrency=2))


def pause(crawl: Crawl) -> list[int]:
    return [d.task_id for d in pauses.pause_job(crawl.store, crawl.job.id, now_us())]


def resume(crawl: Crawl) -> list[int]:
    """What goes on, once the sweep has looked."""
    claimed = pauses.resume_job(crawl.store, crawl.job.id, now_us())
    return [d.task_id for d in claimed + sweep.due(crawl.store, now_us() + 2 * LEASE)]


def test_what_waits_is_delayed_and_goes_on_later(crawl: Crawl) -> None:
    waiting = [d.task_id for d in crawl.discover(*numbered(5))]
    assert pause(crawl) == waiting
    assert [row.state for row in crawl.rows()] == [TaskState.DELAYED] * 2 + [TaskState.PENDING] * 3
    assert crawl.now.state is JobState.RUNNING
    assert resume(crawl) == waiting


def test_nothing_of_a_paused_job_is_admitted(crawl: Crawl) -> None:
    waiting = [d.task_id for d in crawl.discover("/", "/a")]
    pause(crawl)
    assert crawl.run(waiting).works == [None, None]


def test_nothing_of_a_paused_job_falls_due(crawl: Crawl) -> None:
    crawl.discover("/", "/a")
    pause(crawl)
    assert not sweep.has_due(crawl.store, now_us() + SECOND)
    assert sweep.due(crawl.store, now_us() + SECOND) == []


def test_a_page_that_ends_in_a_pause_is_recorded_and_claims_nothing(crawl: Crawl) -> None:
    work = crawl.admit(crawl.discover(*numbered(5))[0].task_id)
    pause(crawl)
    verdict, following = crawl.complete(work, "/found")
    assert (verdict.recorded, verdict.added, following) == (True, 1, [])


def test_a_page_that_is_put_back_in_a_pause_stays_out_of_the_queue(crawl: Crawl) -> None:
    work = crawl.admit(crawl.discover("/")[0].task_id)
    pause(crawl)
    assert crawl.release(work).put_back
    assert (crawl.row(work.id).state, crawl.row(work.id).attempts) == (TaskState.DELAYED, 0)


def test_what_a_worker_held_that_died_in_a_pause_waits_too(crawl: Crawl) -> None:
    work = crawl.admit(crawl.discover("/")[0].task_id)
    pause(crawl)
    assert sweep.expired(crawl.store, now_us() + LEASE + SECOND) == []
    assert crawl.row(work.id).state == TaskState.DELAYED
    assert resume(crawl) == [work.id]


def test_the_last_page_completes_a_paused_job(crawl: Crawl) -> None:
    work = crawl.admit(crawl.discover("/")[0].task_id)
    pause(crawl)
    crawl.complete(work)
    assert (crawl.now.state, crawl.now.paused_at) == (JobState.COMPLETED, None)


def test_a_discovery_waits_as_pages_do(crawl: Crawl) -> None:
    assert pause(crawl) == [crawl.discovery]
    assert crawl.row(crawl.discovery).state == TaskState.DELAYED
    assert resume(crawl) == [crawl.discovery]


def test_a_failed_page_that_is_tried_again_waits(crawl: Crawl) -> None:
    first, _ = (d.task_id for d in crawl.discover("/", "/a"))
    crawl.fail(crawl.admit(first))
    pause(crawl)
    tasks.reopen(crawl.store, crawl.organisation_id, first, now_us())
    assert crawl.row(first).state == TaskState.DELAYED


def test_a_delayed_page_of_a_paused_job_cannot_be_promoted(crawl: Crawl) -> None:
    first = crawl.discover("/")[0].task_id
    pause(crawl)
    with pytest.raises(Conflict, match="paused"):
        tasks.promote(crawl.store, crawl.organisation_id, first, now_us())


def test_the_counts_are_exact_after_it_all(crawl: Crawl) -> None:
    dispatches = crawl.discover(*numbered(9))
    crawl.complete(crawl.admit(dispatches[0].task_id))
    pause(crawl)
    todo = resume(crawl)
    while todo:
        todo += [d.task_id for d in crawl.complete(crawl.admit(todo.pop()))[1]]
    assert crawl.now.state is JobState.COMPLETED
    assert crawl.counts.ended(TaskState.COMPLETED) == 9
    assert (crawl.state.n_open, crawl.state.n_inflight) == (0, 0)


def test_pausing_and_resuming_again_changes_nothing(crawl: Crawl) -> None:
    crawl.discover(*numbered(5))
    pause(crawl)
    before = crawl.now
    assert pause(crawl) == []
    assert crawl.now == before
    assert len(resume(crawl)) == 2
    assert resume(crawl) == []


def test_a_paused_job_can_be_cancelled(crawl: Crawl) -> None:
    crawl.discover(*numbered(5))
    pause(crawl)
    jobs.cancel(crawl.store, crawl.job.id, now_us())
    assert {row.state for row in crawl.rows()} == {TaskState.CANCELLED}
    assert crawl.now.paused_at is None


@pytest.mark.parametrize("verb", [pauses.pause_job, pauses.resume_job])
def test_an_ended_or_unknown_job_can_be_neither_paused_nor_resumed(crawl: Crawl, verb: object) -> None:
    crawl.discover()
    with pytest.raises(Conflict, match="completed"):
        verb(crawl.store, crawl.job.id, now_us())  # type: ignore[operator]
    with pytest.raises(NotFound):
        verb(crawl.store, 4711, now_us())  # type: ignore[operator]


def test_the_sweep_enqueues_nothing_of_a_paused_job(crawl: Crawl, redis_url: str) -> None:
    from shared.queue import TaskQueue, connect

    crawl.discover("/", "/a")
    pause(crawl)
    assert recover(crawl.store, TaskQueue(connect(redis_url)), []) == 0
