"""The queue on a real Redis, read back with RQ's own classes."""

import time

import pytest
from rq import Worker
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry, StartedJobRegistry

from shared import doing, ids
from shared.clock import SECOND, now_us
from shared.doing import Doing
from shared.queue import Counts, TaskQueue
from shared.rqtypes import CrawlJob, CrawlQueue
from shared.stages import Dispatch
from shared.states import TaskKind
from tests.conftest import BOTH_SERVERS
from workers.deliveries import FIELDS
from workers.executions import Executions, Running
from workers.heartbeat import Heartbeat
from workers.teller import Teller
from workers.words import Ending

pytestmark = pytest.mark.parametrize("redis_server", BOTH_SERVERS, indirect=True)

PAGE = Dispatch(ids.pack(1, 2), TaskKind.CRAWL_PAGE, 1_700_000_000_000)
OTHER = Dispatch(ids.pack(1, 3), TaskKind.CRAWL_PAGE, 1_700_000_000_000)
DISCOVERY = Dispatch(ids.pack(1, 1), TaskKind.DISCOVER_PAGES, 1_700_000_000_000)


def rq_queue(queue: TaskQueue, name: str = "crawl") -> CrawlQueue:
    return CrawlQueue(name, connection=queue.redis)


def take(queue: TaskQueue, k: int = 1, lease: int = 10) -> list[Running]:
    from shared.queue import script

    args = ["rq", "w1", "2026-01-01T00:00:00.000000Z", time.time(), lease, k, *(f"e{i}{time.time()}" for i in range(k))]
    args += FIELDS
    reply = script(queue.redis, "dequeue")(keys=["discover", "crawl"], args=args)
    return [Running(r[0].decode(), r[1].decode(), r[2].decode()) for r in reply]


def renew(queue: TaskQueue, *running: Running) -> None:
    worker = Worker([rq_queue(queue)], name="w1", connection=queue.redis)
    Heartbeat(Executions())._tell(worker, list(running))


def told(queue: TaskQueue) -> Doing:
    with queue.redis.pipeline() as pipe:
        doing.ask(pipe, "w1")
        return doing.read(pipe.execute())


def finish(queue: TaskQueue, *endings: Ending) -> None:
    Teller(queue, "w1", lambda *_: None).tell(endings)


def test_it_works(queue: TaskQueue) -> None:
    assert queue.enqueue([PAGE, DISCOVERY]) == 2
    job = CrawlJob.fetch(PAGE.rq_id, connection=queue.redis)
    assert (job.func_name, job.args, job.origin) == ("workers.tasks.crawl_page", [PAGE.rq_id], "crawl")
    assert rq_queue(queue).job_ids == [PAGE.rq_id]
    assert queue.counts() == Counts(waiting=2)


def test_a_worker_says_at_each_look_what_it_runs(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (run,) = take(queue)
    executions, worker = Executions(), Worker([rq_queue(queue)], name="w1", connection=queue.redis)
    heartbeat = Heartbeat(executions)
    executions.add([run])
    heartbeat._look(worker)
    assert told(queue).runs == ((PAGE.rq_id, run.begun),)
    executions.leave(run)
    heartbeat._look(worker)
    assert (told(queue).n, told(queue).runs) == (0, ())


def test_enqueueing_again_changes_nothing(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    assert queue.enqueue([PAGE]) == 0
    assert rq_queue(queue).job_ids == [PAGE.rq_id]


def test_a_running_task_is_not_enqueued(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    take(queue)
    assert queue.enqueue([PAGE]) == 0


def test_a_task_whose_worker_died_is_enqueued_and_leaves_no_marks(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    take(queue, lease=-1)
    assert queue.enqueue([PAGE]) == 1
    assert queue.counts() == Counts(waiting=1)


def test_front_goes_first(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    queue.enqueue([Dispatch(OTHER.task_id, OTHER.kind, OTHER.job_ms, at_front=True)])
    assert rq_queue(queue).job_ids == [OTHER.rq_id, PAGE.rq_id]


def test_taking_marks_a_job_started_as_rq_does(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    job = CrawlJob.fetch(PAGE.rq_id, connection=queue.redis)
    registry = StartedJobRegistry(queue=rq_queue(queue))
    assert (job.get_status().value, job.worker_name) == ("started", "w1")
    assert registry.get_job_and_execution_ids(cleanup=False) == [(PAGE.rq_id, running.execution_id)]
    assert queue.redis.ttl(job.key) == -1


def test_an_execution_that_lasts_is_told_as_rq_does(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    renew(queue, running)
    job = CrawlJob.fetch(PAGE.rq_id, connection=queue.redis)
    assert [(e.id, e.worker_name) for e in job.get_executions()] == [(running.execution_id, "w1")]
    finish(queue, Ending(running, "ok", value=1))
    assert job.get_executions() == []
    assert queue.redis.keys("rq:execution*") + queue.redis.keys("*:executions") == []


def test_an_execution_that_is_over_is_told_no_more(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    finish(queue, Ending(running, "ok", value=1))
    renew(queue, running)
    assert queue.redis.keys("rq:execution*") + queue.redis.keys("*:executions") == []


def test_a_renewed_lease_is_longer(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue, lease=-1)
    renew(queue, running)
    assert queue.reap(time.time()) == 0
    assert queue.enqueue([PAGE]) == 0


def test_a_job_kept_for_a_while_does_not_expire_when_it_runs_again(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    finish(queue, Ending(running, "fail", error="HTTP 500", ttl=60))
    rq_queue(queue).failed_job_registry.requeue(PAGE.rq_id)
    take(queue)
    assert queue.redis.ttl(f"rq:job:{PAGE.rq_id}") == -1


def test_a_job_that_may_wait_for_so_long_does_not_expire_while_it_runs(queue: TaskQueue) -> None:
    job = rq_queue(queue).enqueue("workers.tasks.crawl_page", PAGE.rq_id, ttl=60)
    assert queue.redis.ttl(job.key) > 0
    take(queue)
    assert queue.redis.ttl(job.key) == -1


def test_discovery_is_taken_before_pages(queue: TaskQueue) -> None:
    queue.enqueue([PAGE, DISCOVERY])
    assert [r.queue for r in take(queue, 2)] == ["discover", "crawl"]


def test_a_success_leaves_what_rq_leaves(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    finish(queue, Ending(running, "ok", value={"statusCode": 200}, ttl=60))
    job = CrawlJob.fetch(PAGE.rq_id, connection=queue.redis)
    assert (job.is_finished, job.return_value()) == (True, {"statusCode": 200})
    assert PAGE.rq_id in FinishedJobRegistry(queue=rq_queue(queue))
    assert queue.counts() == Counts(completed=1)
    assert 0 < queue.redis.ttl(job.key) <= 60


def test_a_failure_leaves_what_rq_leaves(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    finish(queue, Ending(running, "fail", error="HTTP 404", ttl=60))
    job = CrawlJob.fetch(PAGE.rq_id, connection=queue.redis)
    latest = job.latest_result()
    assert job.is_failed
    assert latest is not None
    assert latest.exc_string == "HTTP 404"
    assert PAGE.rq_id in FailedJobRegistry(queue=rq_queue(queue))


def test_a_delayed_task_is_scheduled_as_rq_does(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    finish(queue, Ending(running, "delay", due=int(time.time()) + 60))
    assert PAGE.rq_id in ScheduledJobRegistry(queue=rq_queue(queue))
    assert queue.counts() == Counts(delayed=1)
    assert queue.enqueue([PAGE]) == 0
    assert queue.enqueue([PAGE], due=True) == 1
    assert queue.counts() == Counts(waiting=1)


def test_who_lost_its_lease_cannot_end_what_another_runs(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (lost,) = take(queue, lease=-1)
    queue.enqueue([PAGE])
    take(queue)
    finish(queue, Ending(lost, "fail", error="late"))
    assert queue.counts() == Counts(active=1)


def test_an_ending_after_flushall_leaves_nothing(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    queue.redis.flushall()
    finish(queue, Ending(running, "ok", value=1))
    assert queue.redis.keys("*") == []


def test_a_released_task_is_first_in_its_queue(queue: TaskQueue) -> None:
    queue.enqueue([PAGE, OTHER])
    (running,) = take(queue)
    finish(queue, Ending(running, "release"))
    assert rq_queue(queue).job_ids == [PAGE.rq_id, OTHER.rq_id]


def test_scheduling_registers_once(queue: TaskQueue) -> None:
    queue.schedule([PAGE], now_us() + 60 * SECOND)
    queue.schedule([PAGE], now_us() + 60 * SECOND)
    assert queue.counts() == Counts(delayed=1)


def test_removing_leaves_nothing(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    queue.schedule([OTHER], now_us() + 60 * SECOND)
    queue.remove([PAGE, OTHER])
    assert queue.counts() == Counts()
    assert queue.redis.keys("rq:job:*") == []


def test_a_suspended_worker_takes_nothing(queue: TaskQueue) -> None:
    from rq.suspension import resume, suspend

    queue.enqueue([PAGE])
    suspend(queue.redis)
    assert take(queue) == []
    resume(queue.redis)
    assert len(take(queue)) == 1


def test_a_paused_queue_is_passed_over(queue: TaskQueue) -> None:
    queue.enqueue([PAGE, DISCOVERY])
    queue.redis.sadd("crawlyard:paused", "discover")
    assert [r.queue for r in take(queue, 2)] == ["crawl"]


def test_no_job_is_pickled(queue: TaskQueue) -> None:
    import zlib

    queue.enqueue([PAGE])
    data = queue.redis.hget(f"rq:job:{PAGE.rq_id}", "data")
    assert data is not None
    assert zlib.decompress(data).startswith(b'["workers.tasks.crawl_page"')


def test_a_dead_execution_of_an_ended_task_leaves_no_trace(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    take(queue)
    assert queue.reap(time.time()) == 0
    assert queue.reap(time.time() + 11) == 1
    assert queue.counts() == Counts()
    assert queue.redis.keys("rq:job:*") == []


def test_an_execution_of_somebody_else_is_not_reaped_with_the_dead_one(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    take(queue, lease=-1)
    queue.enqueue([PAGE])
    (alive,) = take(queue, lease=100)
    renew(queue, alive)
    queue.reap(time.time() + 5)
    job = CrawlJob.fetch(PAGE.rq_id, connection=queue.redis)
    assert [e.id for e in job.get_executions()] == [alive.execution_id]


def test_expired_results_are_no_longer_counted(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    finish(queue, Ending(running, "ok", value=1, ttl=60))
    queue.redis.zadd("rq:finished:crawl", {PAGE.rq_id: 1})
    queue.clean()
    assert queue.counts() == Counts()


def test_an_ending_that_redis_refuses_holds_up_no_other(queue: TaskQueue) -> None:
    queue.enqueue([PAGE, OTHER])
    bad, good = take(queue, 2)
    queue.redis.set(f"rq:results:{bad.job_id}", "not a stream")
    teller = Teller(queue, "w1", lambda *_: None)
    teller.start()
    teller.put([Ending(running, "ok", value=1) for running in (bad, good)])
    teller.stop()
    assert CrawlJob.fetch(good.job_id, connection=queue.redis).is_finished


def test_a_job_that_a_dying_stock_worker_popped_is_enqueued_again(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    queue.redis.lpop("rq:queue:crawl")
    assert queue.enqueue([PAGE]) == 1
    assert queue.counts() == Counts(waiting=1)


def test_a_stale_word_of_a_delay_does_not_touch_a_job_that_goes_on(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    (running,) = take(queue)
    queue.schedule([PAGE], now_us() + 60 * SECOND)
    assert queue.counts() == Counts(active=1)
    finish(queue, Ending(running, "ok", value=1))
    queue.schedule([PAGE], now_us() + 60 * SECOND)
    assert queue.counts() == Counts(completed=1)


def test_a_task_that_the_record_calls_queued_is_no_delay_in_redis(queue: TaskQueue) -> None:
    queue.schedule([PAGE], now_us() + 60 * SECOND)
    assert queue.enqueue([PAGE], due=True) == 1
    assert queue.counts() == Counts(waiting=1)


def test_a_delay_that_is_long_over_is_reaped(queue: TaskQueue) -> None:
    queue.schedule([PAGE], now_us() - 120 * SECOND)
    queue.reap(time.time())
    assert queue.counts() == Counts()
    assert queue.redis.keys("rq:job:*") == []


def test_what_the_store_took_back_is_enqueued_whatever_redis_says(queue: TaskQueue) -> None:
    queue.enqueue([PAGE])
    take(queue, lease=100)
    assert queue.enqueue([PAGE]) == 0
    assert queue.enqueue([PAGE], taken_back=True) == 1
