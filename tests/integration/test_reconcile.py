"""rq-scheduler's set says what SQL says, whatever was lost or changed."""

import pytest

from scheduler.cron import CronScheduler
from scheduler.reconcile import reconcile
from shared import schedules as cases
from shared import timetable
from shared.clock import SECOND
from shared.models import Due
from shared.queue import DEFAULT_QUEUE, SCHEDULER_KEY, START_CRAWL, TaskQueue
from shared.rqtypes import CrawlJob, CrawlQueue
from shared.store import Store
from tests.schedule_kit import Recurring


@pytest.fixture
def recurring(sqlite_store: Store, queue: TaskQueue) -> Recurring:
    return Recurring(sqlite_store, queue)


def entries(recurring: Recurring) -> dict[str, int | None]:
    return timetable.read(recurring.queue)


def expected(recurring: Recurring) -> dict[str, int]:
    due = recurring.now.due
    return {timetable.entry(due): due.fire_at // SECOND} if due else {}


def test_a_new_schedule_is_in_the_set_and_its_job_is_json(recurring: Recurring) -> None:
    assert entries(recurring) == expected(recurring)
    (name,) = entries(recurring)
    job = CrawlJob.fetch(name, connection=recurring.queue.redis)
    assert (job.func_name, job.args) == (START_CRAWL, [recurring.uid, recurring.now.next_run_at])
    assert recurring.queue.counts().delayed == 1


def test_a_wiped_redis_is_filled_again(recurring: Recurring) -> None:
    recurring.queue.redis.flushall()
    assert reconcile(recurring.store, recurring.queue) == 1
    assert entries(recurring) == expected(recurring)
    assert reconcile(recurring.store, recurring.queue) == 0


def test_an_entry_without_its_job_is_made_again(recurring: Recurring) -> None:
    (name,) = entries(recurring)
    recurring.queue.redis.delete(f"rq:job:{name}")
    reconcile(recurring.store, recurring.queue)
    assert entries(recurring) == expected(recurring)


def test_a_wrong_moment_and_a_wrong_entry_are_put_right(recurring: Recurring) -> None:
    (name,) = entries(recurring)
    recurring.queue.redis.zadd(SCHEDULER_KEY, {name: 5})
    timetable.write(recurring.queue, [Due("0" * 32, 7 * SECOND, 7 * SECOND)])
    reconcile(recurring.store, recurring.queue)
    assert entries(recurring) == expected(recurring)


def test_what_others_put_into_the_set_stays(recurring: Recurring) -> None:
    recurring.queue.redis.zadd(SCHEDULER_KEY, {"somebody-elses": 5})
    reconcile(recurring.store, recurring.queue)
    assert recurring.queue.redis.zscore(SCHEDULER_KEY, "somebody-elses") == 5


def test_a_change_a_pause_and_a_deletion_are_in_the_set_at_once(recurring: Recurring) -> None:
    recurring.change(jitter=600)
    assert entries(recurring) == expected(recurring)
    recurring.change(is_paused=True)
    assert entries(recurring) == {}
    recurring.change(is_paused=False)
    assert entries(recurring) == expected(recurring) != {}
    cases.remove(recurring.store, recurring.queue, recurring.organisation_id, recurring.uid)
    assert entries(recurring) == {}


def test_two_schedulers_bring_a_run_into_its_queue_once(recurring: Recurring) -> None:
    due = recurring.due()
    schedulers = [CronScheduler(recurring.queue), CronScheduler(recurring.queue)]
    timetable.write(recurring.queue, [Due(recurring.uid, due, due)])
    for scheduler in schedulers:
        scheduler.tick()
        reconcile(recurring.store, recurring.queue)
    assert len(CrawlQueue(DEFAULT_QUEUE, connection=recurring.queue.redis)) == 1
