"""Tasks that a worker starts itself, as a real Redis has them."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rq import Worker

from shared import ids
from shared.errors import QueueUnavailable
from shared.models import JobOptions
from shared.queue import PAUSED_KEY, Counts, TaskQueue, connect
from shared.rqtypes import CrawlJob, CrawlQueue
from shared.stages import Dispatch, Release, Verdict, Work
from shared.store import Store
from tests.crawls import Crawl
from tests.waiting import until
from workers import teller
from workers.deliveries import Delivery
from workers.executions import Executions, Running
from workers.heartbeat import Heartbeat
from workers.pool import Pool
from workers.successors import Successors
from workers.teller import Teller
from workers.words import Ending, Queued


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
        self.ran: list[Running] = []
        self.has_run = threading.Event()
        self.pool = Pool[Delivery](4, self._run)
        self.teller = Teller(self.queue, "w1", lambda *_: None)
        self.successors = Successors(self.executions, self.committer, self.queue)  # type: ignore[arg-type]
        self.successors.begin(["crawl"], self.pool, self.teller)
        crawl = Crawl(store, JobOptions(concurrency=4))
        works = crawl.run([d.task_id for d in crawl.discover("/", "/a")]).works
        self.works = [w for w in works if w is not None]

    def _run(self, delivery: Delivery) -> None:
        self.ran.append(delivery.running)
        self.has_run.set()

    def start(self, works: list[Work]) -> None:
        self.successors.look(True)
        assert self.successors.reserve(len(works)) == len(works)
        self.successors.start(works)

    def told(self) -> None:
        """Redis hears all that there is to say."""
        self.teller.start()
        self.teller.stop()

    def job(self, work: Work) -> CrawlJob:
        return CrawlJob.fetch(ids.task_uuid(work.job.ms, work.id).hex, connection=self.queue.redis)


@pytest.fixture
def rig(redis_url: str, store: Store) -> Iterator[Rig]:
    made = Rig(redis_url, store)
    yield made
    made.pool.close()
    if made.teller.is_alive():
        made.teller.stop()


def test_it_works(rig: Rig) -> None:
    rig.start(rig.works[:1])
    assert rig.has_run.wait(5)
    rig.told()
    job = rig.job(rig.works[0])
    assert (job.get_status(), job.worker_name, [r.job_id for r in rig.ran]) == ("started", "w1", [job.id])
    assert rig.queue.counts().active == 1
    assert [work.id for work in rig.executions.works()] == [rig.works[0].id]


def test_a_task_runs_before_redis_is_told(rig: Rig) -> None:
    rig.start(rig.works[:1])
    assert rig.has_run.wait(5)
    assert rig.queue.redis.keys("rq:*") == []


def test_one_that_has_ended_before_its_start_was_told_leaves_what_any_other_leaves(rig: Rig) -> None:
    rig.start(rig.works)
    until(lambda: len(rig.ran) == 2)
    rig.teller.put([Ending(running, "ok", value=1) for running in rig.ran])
    rig.told()
    assert rig.queue.counts() == Counts(completed=2)
    assert [rig.job(work).get_status() for work in rig.works] == ["finished", "finished"]


def test_redis_that_has_forgotten_a_script_hears_of_start_and_end_in_their_order(rig: Rig) -> None:
    rig.queue.redis.script_flush()
    rig.queue.redis.script_load(rig.teller._finish.script)
    rig.queue.redis.hset("rq:worker:w1", "birth", "")
    rig.start(rig.works[:1])
    assert rig.has_run.wait(5)
    rig.teller.put([Ending(rig.ran[0], "ok", value=1)])
    rig.told()
    assert rig.queue.counts() == Counts(completed=1)
    # the end was told twice, since its start could not be at first: it counts once
    assert rig.queue.redis.hget("rq:worker:w1", "successful_job_count") == b"1"


def test_one_that_was_renewed_before_redis_knows_of_it_leaves_nothing_else(rig: Rig) -> None:
    rig.start(rig.works[:1])
    assert rig.has_run.wait(5)
    worker = Worker([CrawlQueue("crawl", connection=rig.queue.redis)], name="w1", connection=rig.queue.redis)
    Heartbeat(rig.executions)._tell(worker, rig.executions.all())
    assert rig.queue.redis.keys("rq:*") == []
    rig.teller.put([Ending(rig.ran[0], "drop")])
    rig.told()
    assert (rig.queue.counts(), rig.queue.redis.keys("rq:job:*")) == (Counts(), [])


@pytest.mark.parametrize("held", ["paused", "suspended"])
def test_after_a_pause_what_was_started_runs_to_its_end_and_no_more_is(rig: Rig, held: str) -> None:
    rig.queue.redis.sadd(PAUSED_KEY, "crawl") if held == "paused" else rig.queue.redis.set("rq:suspended", 1)
    rig.start(rig.works)
    until(lambda: len(rig.ran) == 2)
    rig.told()
    assert (rig.queue.counts().active, rig.committer.released) == (2, [])
    rig.successors.look(True)
    assert rig.successors.reserve(2) == 0
    rig.queue.redis.delete(PAUSED_KEY, "rq:suspended")
    rig.successors.look(True)
    assert rig.successors.reserve(2) == 2


def test_a_job_that_another_has_in_redis_is_left_to_him(rig: Rig) -> None:
    dispatch = Dispatch(rig.works[0].id, rig.works[0].kind, rig.works[0].job.ms)
    rig.queue.enqueue([dispatch])
    rig.start(rig.works[:1])
    assert rig.has_run.wait(5)
    rig.teller.put([Ending(rig.ran[0], "ok", value=1)])
    rig.told()
    assert rig.queue.counts() == Counts(waiting=1)


def test_a_stopped_worker_puts_them_back(rig: Rig) -> None:
    rig.successors.look(True)
    rig.successors.reserve(1)
    rig.pool.close()
    rig.successors.start(rig.works[:1])
    rig.told()
    assert (rig.committer.released, rig.job(rig.works[0]).get_status()) == (rig.works[:1], "queued")
    assert (rig.queue.counts(), rig.ran, rig.executions.any()) == (Counts(waiting=1), [], False)


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


def test_while_redis_is_away_no_more_are_started_and_it_is_told_of_all_when_it_is_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_back, together = threading.Event(), rig.queue.together

    def away(calls: Any) -> Any:
        if not is_back.is_set():
            raise QueueUnavailable("Redis is away")
        return together(calls)

    monkeypatch.setattr(rig.queue, "together", away)
    rig.start(rig.works)
    until(lambda: len(rig.ran) == 2)
    rig.teller.put([Ending(rig.ran[0], "ok", value=1)])
    rig.teller.start()
    until(lambda: rig.successors.reserve(1) == 0)
    is_back.set()
    until(lambda: rig.queue.counts() == Counts(active=1, completed=1))


def test_what_is_to_be_queued_does_not_wait_for_company(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teller, "_LINGER", 60.0)
    rig.teller.start()
    began = time.monotonic()
    rig.start(rig.works[:1])
    rig.teller.put([Queued(Dispatch(rig.works[1].id, rig.works[1].kind, rig.works[1].job.ms))])
    until(lambda: rig.queue.counts() == Counts(waiting=1, active=1))
    assert time.monotonic() - began < 30


def test_a_teller_that_has_ended_says_so(rig: Rig) -> None:
    rig.told()
    assert not rig.teller.put([Queued(Dispatch(rig.works[0].id, rig.works[0].kind, rig.works[0].job.ms))])
