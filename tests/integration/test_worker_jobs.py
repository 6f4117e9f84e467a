"""The concurrent worker as an RQ worker: any RQ job, standard data left behind."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from rq import Callback, Queue, Retry, Worker
from rq.command import send_stop_job_command
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, ScheduledJobRegistry
from rq.results import Result

from shared.queue import TaskQueue
from shared.rqtypes import CrawlJob, CrawlQueue, OrjsonSerializer
from tests import jobfunctions as f
from tests.conftest import BOTH_SERVERS
from tests.waiting import until
from workers.worker import ConcurrentWorker

pytestmark = pytest.mark.parametrize("redis_server", BOTH_SERVERS, indirect=True)


@pytest.fixture
def default(queue: TaskQueue) -> CrawlQueue:
    f.CALLS.clear()
    f.LET_GO.clear()
    f.STARTED.clear()
    return CrawlQueue("default", connection=queue.redis)


@pytest.fixture
def worker(queue: TaskQueue, monkeypatch: pytest.MonkeyPatch) -> ConcurrentWorker:
    monkeypatch.setattr(ConcurrentWorker, "_install_signal_handlers", lambda self: None)
    return ConcurrentWorker(queue.redis, threads=8, grace=5, queues=("default",))


@pytest.fixture
def working(worker: ConcurrentWorker) -> Iterator[ConcurrentWorker]:
    """The worker at work in a thread."""
    thread = threading.Thread(target=worker.work)
    thread.start()
    until(lambda: worker.birth_date is not None)
    yield worker
    f.LET_GO.set()
    worker._stop_requested = True
    thread.join(15)
    assert not thread.is_alive()


def fetched(job: Job) -> CrawlJob:
    return CrawlJob.fetch(job.id, connection=job.connection)


def test_it_works(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    jobs = [default.enqueue(f.add, n, 1) for n in range(50)]
    worker.work(burst=True)
    assert [fetched(job).return_value() for job in jobs] == [n + 1 for n in range(50)]
    assert default.finished_job_registry.get_job_count(cleanup=False) == 50
    assert default.started_job_registry.get_job_count(cleanup=False) == 0


def test_stock_json_jobs_run_too(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    stock = Queue("default", connection=default.connection, serializer="json")
    job = stock.enqueue(f.add, 2, b=3)
    worker.work(burst=True)
    assert Job.fetch(job.id, connection=default.connection, serializer="json").return_value() == 5


def test_a_job_that_raises_is_failed_with_its_traceback(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    job = default.enqueue(f.fail, "very special")
    worker.work(burst=True)
    found = fetched(job)
    assert found.is_failed
    assert "RuntimeError: very special" in (found.exc_info or "")
    assert job.id in FailedJobRegistry(queue=default)


def test_the_worker_counts_what_ended_and_not_what_goes_on_later(
    default: CrawlQueue, worker: ConcurrentWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    bury = worker._bury
    monkeypatch.setattr(worker, "_bury", lambda: (told.update(worker.connection.hgetall(worker.key)), bury()))
    for function, argument in ((f.add, 1), (f.fail, "x"), (f.go_on_later, 60)):
        default.enqueue(function, argument, *([2] if function is f.add else []))
    worker.work(burst=True)
    assert default.scheduled_job_registry.get_job_count(cleanup=False) == 1
    assert (told[b"successful_job_count"], told[b"failed_job_count"]) == (b"1", b"1")


@pytest.mark.parametrize("function", ["no.such.module", "tests.jobfunctions.no_such", "len"])
def test_a_function_that_is_not_there_fails_its_job_only(
    default: CrawlQueue, worker: ConcurrentWorker, function: str
) -> None:
    bad, good = default.enqueue(function), default.enqueue(f.add, 1, 1)
    worker.work(burst=True)
    assert fetched(bad).is_failed
    assert fetched(good).is_finished


def test_a_pickled_job_is_never_unpickled(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    job = Queue("default", connection=default.connection).enqueue(f.note, "pickled")
    worker.work(burst=True)
    assert f.CALLS == []
    assert job.connection.hget(job.key, "status") == b"failed"


def test_a_result_that_json_cannot_hold_fails_no_neighbour(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    default.enqueue(f.unserializable)
    good = default.enqueue(f.add, 1, 1)
    worker.work(burst=True)
    assert fetched(good).is_finished
    assert default.started_job_registry.get_job_count(cleanup=False) == 0


def test_callbacks_are_called(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    default.enqueue(f.add, 1, 2, on_success=Callback(f.on_success))
    default.enqueue(f.fail, on_failure=Callback(f.on_failure))
    worker.work(burst=True)
    assert sorted(f.CALLS) == [("failure", "RuntimeError"), ("success", 3)]


def test_rqs_retries_are_carried_out(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    job = default.enqueue(f.fail, retry=Retry(max=2))
    worker.work(burst=True)
    assert fetched(job).is_failed
    assert fetched(job).retries_left == 0


def test_a_retry_with_an_interval_is_scheduled(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    job = default.enqueue(f.fail, retry=Retry(max=1, interval=60))
    worker.work(burst=True)
    assert job.id in ScheduledJobRegistry(queue=default)


def test_dependents_run_after_what_they_depend_on(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    first = default.enqueue(f.note, 1)
    second = default.enqueue(f.note, 2, depends_on=first)
    worker.work(burst=True)
    until(lambda: default.count == 1 or fetched(second).is_finished)
    ConcurrentWorker(default.connection, threads=1, queues=("default",)).work(burst=True)
    assert f.CALLS == [1, 2]


def test_a_result_ttl_of_zero_leaves_nothing(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    job = default.enqueue(f.add, 1, 1, result_ttl=0)
    worker.work(burst=True)
    assert not CrawlJob.exists(job.id, default.connection)


def test_the_current_job_is_known_to_its_function(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    job = default.enqueue(f.own_id)
    worker.work(burst=True)
    assert fetched(job).return_value() == job.id


def test_jobs_run_side_by_side(default: CrawlQueue, working: ConcurrentWorker) -> None:
    jobs = [default.enqueue(f.wait_until_let_go) for _ in range(8)]
    until(lambda: default.started_job_registry.get_job_count(cleanup=False) == 8)
    f.LET_GO.set()
    until(lambda: all(fetched(job).is_finished for job in jobs))


def test_short_jobs_wait_behind_no_slow_ones(default: CrawlQueue, working: ConcurrentWorker) -> None:
    short = [default.enqueue(f.add, n, 1) for n in range(100)]
    until(lambda: fetched(short[-1]).is_finished)
    slow, short = [], []
    for n in range(7):  # one thread is left
        slow.append(default.enqueue(f.wait_until_let_go))
        short += [default.enqueue(f.add, n, 1) for _ in range(5)]
    until(lambda: all(fetched(job).is_finished for job in short))
    assert all(fetched(job).is_started for job in slow)


def test_stock_readers_see_the_worker_and_its_jobs(default: CrawlQueue, working: ConcurrentWorker) -> None:
    job = default.enqueue(f.wait_until_let_go)
    f.STARTED.wait(5)
    (seen,) = Worker.all(connection=default.connection)
    until(lambda: seen.get_current_executions(refresh=True))
    assert [e.job_id for e in seen.get_current_executions()] == [job.id]
    f.LET_GO.set()
    until(lambda: fetched(job).is_finished)
    seen.refresh()
    assert seen.successful_job_count == 1


def test_an_overdue_job_is_interrupted(default: CrawlQueue, working: ConcurrentWorker) -> None:
    job = default.enqueue(f.spin, job_timeout=1)
    until(lambda: fetched(job).is_failed)
    assert "JobTimeoutException" in (fetched(job).exc_info or "")


def test_the_stop_command_stops_this_job_and_no_other(default: CrawlQueue, working: ConcurrentWorker) -> None:
    spinning, waiting = default.enqueue(f.spin), default.enqueue(f.wait_until_let_go)
    until(lambda: fetched(spinning).worker_name and fetched(waiting).worker_name)
    send_stop_job_command(default.connection, spinning.id, serializer=OrjsonSerializer)
    until(lambda: fetched(spinning).is_failed)
    f.LET_GO.set()
    until(lambda: fetched(waiting).is_finished)


def test_a_stopped_job_is_not_tried_again_and_its_callback_hears_of_it(
    default: CrawlQueue, working: ConcurrentWorker
) -> None:
    job = default.enqueue(f.spin, retry=Retry(3), on_failure=Callback(f.on_failure), on_stopped=Callback(f.on_stopped))
    assert f.STARTED.wait(10)
    send_stop_job_command(default.connection, job.id, serializer=OrjsonSerializer)
    until(lambda: job.id in FailedJobRegistry(queue=default))
    assert (fetched(job).get_status(), fetched(job).exc_info) == (JobStatus.STOPPED, "Stopped by an operator")
    assert f.CALLS == ["stopped"]


def test_a_job_that_is_stopped_before_a_thread_has_begun_it_is_not_run(
    default: CrawlQueue, worker: ConcurrentWorker
) -> None:
    job = default.enqueue(f.note, "stopped")
    (taken,) = worker._take(1)
    worker.running.add([taken.running])
    worker.running.stop(job_id=job.id)
    worker.teller.start()
    worker._perform(taken)
    worker.teller.stop()
    assert fetched(job).is_failed
    assert f.CALLS == []


def test_a_job_enqueued_by_stock_rq_starts_within_a_second_or_so(
    default: CrawlQueue, working: ConcurrentWorker
) -> None:
    job = Queue("default", connection=default.connection, serializer="json").enqueue(f.add, 1, 1)
    until(lambda: fetched(job).is_finished, seconds=3)


def test_results_carry_what_rq_records(default: CrawlQueue, worker: ConcurrentWorker) -> None:
    job = default.enqueue(f.add, 1, 1)
    worker.work(burst=True)
    result: Any = fetched(job).latest_result()
    assert (result.type, result.worker_name) == (Result.Type.SUCCESSFUL, worker.name)
    assert result.execution_id
    assert result.execution_started_at <= result.execution_ended_at
