"""Whoever fires a run is killed at each of its steps: the run is there once all the same, and so is the next one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.cron import CronScheduler
from scheduler.loop import recover
from scheduler.reconcile import reconcile
from shared import schedules as cases
from shared import timetable
from shared.clock import SECOND
from shared.models import Due
from shared.queue import DEFAULT_QUEUE, TaskQueue
from shared.rqtypes import CrawlQueue
from shared.states import JobState, Overlap
from shared.store import Store, schedules
from tests.schedule_kit import Recurring
from tests.waiting import until

ROOT = Path(__file__).parents[2]


class Scene:
    """A schedule, and processes that die."""

    def __init__(self, store: Store, queue: TaskQueue, store_url: str, redis_url: str) -> None:
        self.store, self.queue, self._urls = store, queue, (store_url, redis_url)
        self.recurring = Recurring(store, queue)

    def due(self, seconds_ago: int = 0) -> int:
        """The next run is due, in SQL and in rq-scheduler's set."""
        moment = self.recurring.due(seconds_ago)
        timetable.write(self.queue, [Due(self.recurring.uid, moment, moment)])
        return moment

    def kill(self, point: str, action: str, *arguments: object) -> None:
        """A process does something and is killed at the point."""
        command = [sys.executable, "-m", "tests.killed", point, action, *self._urls, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == -signal.SIGKILL, done.stderr

    def work(self) -> None:
        """What a worker does with the default queue."""
        default = CrawlQueue(DEFAULT_QUEUE, connection=self.queue.redis)
        while job := default.dequeue_any([default], None, connection=self.queue.redis):
            cases.fire(self.store, self.queue, *job[0].args)

    def survive(self) -> None:
        """What is left of schedulers and workers goes on."""
        CronScheduler(self.queue).tick()
        self.work()
        cases.start_overdue(self.store, self.queue)
        cases.start_waiting(self.store, self.queue)
        reconcile(self.store, self.queue)

    def assert_once(self, due: int) -> None:
        """The run has happened once, its task is in the queue, and the next one is in the timetable."""
        recurring = self.recurring
        until(lambda: self.survive() or len(recurring.jobs) == 1, 10)  # type: ignore[func-returns-value]
        self.survive()
        assert len(recurring.jobs) == len(recurring.runs) == 1
        self.store.write(lambda conn: conn.exec_driver_sql("UPDATE tasks SET queued_at = 1"))
        recover(self.store, self.queue, [])
        assert self.queue.counts().waiting == 1
        (run,) = schedules.timetable(self.store)
        assert run.due > due
        assert timetable.read(self.queue) == {timetable.entry(run): run.fire_at // SECOND}


@pytest.fixture
def scene(store: Store, queue: TaskQueue, store_url: str, redis_url: str) -> Scene:
    return Scene(store, queue, store_url, redis_url)


@pytest.fixture
def one_scene(sqlite_store: Store, queue: TaskQueue, sqlite_url: str, redis_url: str) -> Scene:
    """On one database, for deaths between Redis' steps."""
    return Scene(sqlite_store, queue, sqlite_url, redis_url)


@pytest.mark.parametrize(
    "point",
    [
        "after:scheduler.cron.CronScheduler.acquire_lock",
        "before:scheduler.cron.CronScheduler.enqueue_job",
        "after:shared.queue.TaskQueue.enqueue_call",
        "before:scheduler.cron.CronScheduler.remove_lock",
    ],
)
def test_rq_scheduler_killed_while_it_fires(one_scene: Scene, point: str) -> None:
    due = one_scene.due()
    one_scene.kill(point, "tick")
    one_scene.assert_once(due)


@pytest.mark.parametrize(
    "point",
    [
        "after:shared.store.jobs.create",
        "after:shared.store.schedules.save",
        "before:shared.queue.TaskQueue.enqueue",
        "before:shared.timetable.write",
    ],
)
def test_a_worker_killed_while_it_starts_a_run(scene: Scene, point: str) -> None:
    due = scene.due(seconds_ago=2)
    scene.kill(point, "fire", scene.recurring.uid, due)
    scene.assert_once(due)


def test_a_scheduler_killed_while_it_starts_an_overdue_run(scene: Scene) -> None:
    due = scene.due(seconds_ago=2)
    scene.kill("after:shared.store.schedules.save", "overdue")
    scene.assert_once(due)


@pytest.mark.parametrize("point", ["after:shared.timetable.read", "after:shared.timetable.write"])
def test_reconciliation_killed_in_the_middle(one_scene: Scene, point: str) -> None:
    one_scene.queue.redis.flushall()
    one_scene.kill(point, "reconcile")
    one_scene.assert_once(one_scene.due(seconds_ago=2))


def test_killed_between_cancelling_the_last_run_and_starting_the_next(scene: Scene) -> None:
    recurring = scene.recurring
    recurring.change(overlap=Overlap.CANCEL)
    recurring.fire(seconds_ago=5)
    due = scene.due(seconds_ago=2)
    scene.kill("after:shared.store.jobs.cancel", "fire", recurring.uid, due)
    scene.survive()
    scene.survive()
    assert [job.state for job in recurring.jobs] == [JobState.CANCELLED, JobState.CREATED]


@pytest.mark.parametrize("point", ["before:shared.store.schedules.save", "before:shared.queue.TaskQueue.enqueue"])
def test_killed_while_a_waiting_run_is_started(one_scene: Scene, point: str) -> None:
    recurring = one_scene.recurring
    recurring.change(overlap=Overlap.QUEUE)
    recurring.fire(seconds_ago=4)
    recurring.fire(seconds_ago=2)
    recurring.end_last()
    one_scene.kill(point, "waiting")
    one_scene.survive()
    one_scene.survive()
    assert len(recurring.jobs) == 2
    assert len(recurring.active) == 1


def test_killed_between_changing_a_schedule_and_its_entry(one_scene: Scene) -> None:
    recurring = one_scene.recurring
    one_scene.due(seconds_ago=2)
    one_scene.kill("before:shared.timetable.write", "change", recurring.organisation_id, recurring.uid)
    stale = timetable.read(one_scene.queue)
    one_scene.survive()
    (run,) = schedules.timetable(one_scene.store)
    assert recurring.jobs == []
    assert timetable.read(one_scene.queue) == {timetable.entry(run): run.fire_at // SECOND}
    assert stale.keys().isdisjoint({timetable.entry(run)})


def test_killed_between_deleting_a_schedule_and_its_entry(one_scene: Scene) -> None:
    recurring = one_scene.recurring
    one_scene.due(seconds_ago=2)
    one_scene.kill("before:shared.timetable.write", "remove", recurring.organisation_id, recurring.uid)
    assert timetable.read(one_scene.queue) != {}
    one_scene.survive()
    assert recurring.jobs == []
    assert timetable.read(one_scene.queue) == {}
