"""Tasks that a worker starts itself, as a real Redis has them."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from shared import ids
from shared.errors import QueueUnavailable
from shared.models import JobOptions
from shared.queue import PAUSED_KEY, TaskQueue, connect
from shared.rqtypes import CrawlJob, CrawlQueue
from shared.stages import Release, Verdict, Work
from shared.store import Store
from tests.crawls import Crawl
from workers.deliveries import Delivery
from workers.executions import Executions
from workers.pool import Pool
from workers.successors import Successors


class FakeCommitter:
    """Records every release."""

    def __init__(self) -> None:
        self.released: list[Work] = []

    def hand_to(self, taker: Any) -> None:
        self.taker = taker

    def record_then(self, outcome: Release, done: Callable[[Verdict], None]) -> None:
        self.released.append(outcome.work)
        done(Verdict(True))


class Rig:
    """Successors of a worker with four threads, which note what they run."""

    def __init__(self, redis_url: str, store: Store) -> None:
        self.queue, self.executions, self.committer = TaskQueue(connect(redis_url)), Executions(), FakeCommitter()
        self.ran: list[str] = []
        self.has_run = threading.Event()
        self.pool = Pool[Delivery](4, self._run)
        self.successors = Successors(self.executions, self.committer, self.queue)  # type: ignore[arg-type]
        self.successors.begin("w1", ["crawl"], self.pool)
        crawl = Crawl(store, JobOptions(concurrency=4))
        works = crawl.run([d.task_id for d in crawl.discover("/", "/a")]).works
        self.works = [w for w in works if w is not None]

    def _run(self, delivery: Delivery) -> None:
        self.ran.append(delivery.running.job_id)
        self.has_run.set()

    def start(self, works: list[Work]) -> None:
        self.successors.look(True)
        assert self.successors.reserve(len(works)) == len(works)
        self.successors.start(works)

    def job(self, work: Work) -> CrawlJob:
        return CrawlJob.fetch(ids.task_uuid(work.job.ms, work.id).hex, connection=self.queue.redis)


@pytest.fixture
def rig(redis_url: str, store: Store) -> Rig:
    return Rig(redis_url, store)


def test_it_works(rig: Rig) -> None:
    rig.start(rig.works[:1])
    assert rig.has_run.wait(5)
    job = rig.job(rig.works[0])
    assert (job.get_status(), job.worker_name, rig.ran) == ("started", "w1", [job.id])
    assert rig.queue.counts().active == 1
    assert [work.id for work in rig.executions.works()] == [rig.works[0].id]


def test_a_paused_queue_gets_its_tasks_back(rig: Rig) -> None:
    rig.queue.redis.sadd(PAUSED_KEY, "crawl")
    rig.start(rig.works)
    waiting = CrawlQueue("crawl", connection=rig.queue.redis).job_ids
    assert (rig.committer.released, rig.ran, rig.executions.any()) == (rig.works, [], False)
    assert waiting == [rig.job(work).id for work in rig.works]


def test_a_stopped_worker_puts_them_back(rig: Rig) -> None:
    rig.successors.look(True)
    rig.successors.reserve(1)
    rig.pool.close()
    rig.successors.start(rig.works[:1])
    assert (rig.committer.released, rig.job(rig.works[0]).get_status()) == (rig.works[:1], "queued")


def test_while_others_wait_no_thread_is_taken(rig: Rig) -> None:
    rig.queue.redis.rpush("rq:queue:crawl", "somebody")
    rig.successors.look(False)
    assert rig.successors.reserve(2) == 0
    rig.queue.redis.delete("rq:queue:crawl")
    rig.successors.look(False)
    assert rig.successors.reserve(2) == 2


def test_no_more_threads_are_promised_than_end(rig: Rig) -> None:
    rig.successors.look(True)
    assert [rig.pool.reserve(20, 0), rig.successors.reserve(3), rig.successors.reserve(2)] == [4, 3, 0]


def test_a_worker_that_is_told_to_stop_takes_none(rig: Rig) -> None:
    rig.successors.end()
    rig.successors.look(True)
    assert rig.successors.reserve(2) == 0


def test_while_redis_is_away_they_are_put_back_for_the_sweep(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def away(*_: Any, **__: Any) -> Any:
        calls.append("asked")
        raise QueueUnavailable("Redis is away")

    monkeypatch.setattr(rig.queue, "start", away)
    monkeypatch.setattr(rig.queue, "enqueue", away)
    rig.start(rig.works)
    assert (calls, rig.committer.released, rig.ran) == (["asked"], rig.works, [])
    assert rig.successors.reserve(1) == 0
