"""The scheduler's steps between store and queue."""

import pytest

from scheduler.loop import Loop, Recovery, Step, move_due, recover, remember_delayed
from shared.clock import SECOND, now_us
from shared.errors import StoreUnavailable
from shared.queue import Counts, TaskQueue
from shared.states import TaskState
from shared.store import Store, sweep
from tests.crawls import Crawl
from tests.waiting import until


def test_a_due_task_is_in_its_queue(sqlite_store: Store, queue: TaskQueue) -> None:
    crawl = Crawl(sqlite_store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    crawl.delay(work, now_us() - 1)
    assert move_due(sqlite_store, queue) == 1
    assert queue.counts() == Counts(waiting=1)


def test_a_lost_enqueue_is_made_good(sqlite_store: Store, queue: TaskQueue) -> None:
    crawl = Crawl(sqlite_store)
    crawl.discover("/", "/a")
    sqlite_store.write(lambda conn: conn.exec_driver_sql("UPDATE tasks SET queued_at = 1"))
    assert recover(sqlite_store, queue, sweep.expired(sqlite_store, now_us())) == 2
    assert recover(sqlite_store, queue, sweep.expired(sqlite_store, now_us())) == 0
    assert queue.counts() == Counts(waiting=2)


def test_a_wiped_redis_is_filled_again(sqlite_store: Store, queue: TaskQueue) -> None:
    crawl = Crawl(sqlite_store)
    works = [crawl.admit(d.task_id) for d in crawl.discover("/", "/a")]
    crawl.delay(works[0], now_us() + 60 * SECOND)
    sqlite_store.write(lambda conn: conn.exec_driver_sql("UPDATE tasks SET claimed_until = 1 WHERE state = 6"))
    queue.redis.flushall()
    recover(sqlite_store, queue, sweep.expired(sqlite_store, now_us()))
    remember_delayed(sqlite_store, queue)
    assert queue.counts() == Counts(waiting=1, delayed=1)
    assert crawl.row(works[1].id).state == TaskState.QUEUED


def test_after_an_outage_workers_get_time_to_renew(
    sqlite_store: Store, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl = Crawl(sqlite_store)
    work = crawl.admit(crawl.discover("/")[0].task_id)
    sqlite_store.write(lambda conn: conn.exec_driver_sql("UPDATE tasks SET claimed_until = 1 WHERE state = 6"))
    moments = [now_us() + seconds * SECOND for seconds in (0, 2, 4, 6)]
    look = Recovery(sqlite_store, queue)
    states = []
    for moment in moments:
        monkeypatch.setattr("scheduler.loop.now_us", lambda moment=moment: moment)
        look()
        states.append(crawl.row(work.id).state)
    assert states == [TaskState.RUNNING] * 3 + [TaskState.QUEUED]


def test_a_step_that_fails_is_tried_again_and_ends_no_other() -> None:
    calls: list[str] = []

    def failing() -> None:
        calls.append("failing")
        raise StoreUnavailable

    def broken() -> None:
        calls.append("broken")
        raise ZeroDivisionError

    loop = Loop([Step("failing", 0.01, failing), Step("broken", 0.01, broken)])
    loop.start()
    until(lambda: calls.count("failing") > 2 and calls.count("broken") > 2)
    loop.stop()
