"""Runs one delivered job in a pool thread and says how it ended."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

from rq import Worker
from rq.callbacks import execute_stopped_callback
from rq.executions import Execution
from rq.job import _current_job
from rq.timeouts import BaseDeathPenalty
from rq.utils import import_attribute, now
from werkzeug.local import LocalProxy

from shared import logs, telemetry
from shared.errors import CrawlyardError
from shared.measures import BYTES, DELAYS, FETCH_SECONDS, TASK_SECONDS, TASKS, Measures
from shared.queue import ROUTES
from shared.rqtypes import CrawlJob, CrawlQueue
from shared.stages import Admission, Delay, Finish, Outcome, Recheck, Release, Verdict, Work
from shared.states import TaskState
from workers import leases, runtime
from workers import tasks as tasks_module
from workers.committer import LEASE
from workers.deliveries import Delivery, Restored
from workers.errors import Cancelled, LeaseLost, one_line
from workers.executions import Executions, ExecutionStopped, Halt, Running
from workers.promised import Promised
from workers.results import Dropped, Later, Released, TaskFailed
from workers.runtime import Runtime
from workers.teller import Teller
from workers.words import Ending

log = logging.getLogger(__name__)

_REFUSED = "Internal error: the outcome cannot be stored"


def _ids_of(running: Running) -> dict[str, str]:
    """What the logs name while it runs."""
    found = {"task_id": running.job_id}
    return found if running.work is None else found | {"job_id": running.work.job.uid}


def _summary(outcome: Outcome) -> str:
    """One line for the log."""
    if isinstance(outcome, Finish):
        return f"{outcome.state.name.lower()} {outcome.fetched.status_code or ''} {outcome.error or ''}".strip()
    return f"delayed: {outcome.reason}" if isinstance(outcome, Delay) else type(outcome).__name__.lower()


def _measure(measures: Measures, running: Running, outcome: Outcome) -> None:
    """Counts what became of a task, once it is recorded."""
    if isinstance(outcome, Delay):
        measures.count(DELAYS, ("retry" if outcome.spends_attempt else "snooze",))
    if not isinstance(outcome, Finish):
        return
    kind = ROUTES[outcome.work.kind].name
    measures.count(TASKS, (kind, outcome.state.name.lower()))
    measures.observe(TASK_SECONDS, time.monotonic() - running.started, (kind,))
    if outcome.fetched.response_time is not None:
        measures.observe(FETCH_SECONDS, outcome.fetched.response_time / 1000)
        measures.count(BYTES, n=outcome.fetched.bytes or 0)


def _refuse_stopped(running: Running) -> None:
    """An operator's stop may come between the claim and the moment when a thread can be interrupted."""
    if running.halt is Halt.STOPPED:
        raise ExecutionStopped


class UnsignalledDeathPenalty(BaseDeathPenalty):
    """RQ's timeout without SIGALRM, which threads cannot have: the watchdog interrupts instead."""

    def setup_death_penalty(self) -> None:
        """Nothing to set up."""

    def cancel_death_penalty(self) -> None:
        """Nothing to cancel."""


@lru_cache(256)
def _function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = import_attribute(name)
    return found


class Performer:
    """Runs deliveries. Tasks are recorded by the committer, then end in Redis; other jobs end as RQ ends them."""

    def __init__(
        self,
        worker: Worker,
        executions: Executions,
        teller: Teller,
        failed_ttl: int,
        promised: Promised | None = None,
    ) -> None:
        self._worker, self._executions, self._teller, self._promised = worker, executions, teller, promised
        self._failed_ttl = failed_ttl
        self._stopping = threading.Lock()

    def admit(self, deliveries: Sequence[Delivery], unless: Callable[[], bool] = lambda: False) -> list[Delivery]:
        """Asks the store, in one go, which tasks among these are to be run; what is left to perform."""
        tasks = [(d, a) for d in deliveries if d.is_task and (a := self._admission(d)) is not None]
        if not tasks:
            return [d for d in deliveries if not d.is_task]
        works = runtime.current().committer.admit([a for _, a in tasks], unless)
        for (delivery, _), work in zip(tasks, works, strict=True):
            if work is not None:
                delivery.running.held_until = leases.held_until(work.held_since, LEASE)
            delivery.running.work = work
            if work is None:
                self._end(Ending(delivery.running, "drop"))
        return [d for d in deliveries if not d.is_task or d.running.work is not None]

    def _admission(self, delivery: Delivery) -> Admission | None:
        """The request for one delivery; what is no task's id fails alone, not with its neighbours."""
        try:
            return tasks_module.admission(delivery.running.job_id, delivery.requeued)
        except TaskFailed as error:
            self._end(Ending(delivery.running, "fail", error=error.message, ttl=self._failed_ttl))
            return None

    def perform(self, delivery: Delivery) -> None:
        """Runs a delivery, and what follows it in its place. A task may still wait for its commit when this returns."""
        with self._entered(delivery.running) as running:
            following = self._perform(delivery, running)
        while following is not None and following.work is not None:
            with self._entered(following) as running:
                following = self._perform_task(running, following.work)

    @contextmanager
    def _entered(self, running: Running) -> Iterator[Running]:
        self._executions.enter(running)
        ids = _ids_of(running)
        logs.bind(**ids)
        try:
            with telemetry.span(f"job in {running.queue}", **ids):
                yield running
        finally:
            self._executions.exit(running)

    def _perform(self, delivery: Delivery, running: Running) -> Running | None:
        if running.work is not None:
            return self._perform_task(running, running.work)
        if delivery.is_special:
            self._perform_by_rq(delivery)
        else:
            self._end(self._run(delivery))
        return None

    def _perform_task(self, running: Running, work: Work) -> Running | None:
        """Runs a task; what this thread is to run next."""
        outcome = self._outcome(running, work)
        if outcome is None:
            self._when_started(running, lambda: self._end(Ending(running, "drop")))
            return None
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s", work.url, _summary(outcome))
        running.deadline = float("inf")  # its timeout must not meet what follows it
        if running.is_promised or self._promised is None:
            self._when_started(running, lambda: self._record(running, outcome, None))
            return None
        following = self._promised.follow(running, outcome)
        self._record(running, outcome, following)
        return following

    def _await_start(self, running: Running) -> None:
        if self._promised is not None:
            self._promised.await_start(running)

    def _when_started(self, running: Running, then: Callable[[], None]) -> None:
        if self._promised is not None:
            self._promised.when_started(running, then)
        else:
            then()

    def _record(self, running: Running, outcome: Outcome, following: Running | None) -> None:
        ctx = runtime.current()
        ctx.committer.record_then(
            outcome,
            lambda result: self._recorded(ctx, running, outcome, result),
            following.work if following is not None else None,
        )

    def _outcome(self, running: Running, work: Work) -> Outcome | None:
        """What became of a task; None: nothing, its job is over."""
        ctx, function = runtime.current(), ROUTES[work.kind].function
        try:
            with leases.guarding(running.is_held, lambda: self._await_start(running)):
                outcome = tasks_module.STEPS[function](ctx, work, running.halted)
            if running.halt is Halt.STOPPED:
                # stopped between its last look and its end: the operator's word counts
                raise Cancelled
            return outcome
        except Cancelled as stop:
            # without its lease it goes back; where it is another's already, the store takes no word of ours
            is_lost = isinstance(stop, LeaseLost) and running.halt is None
            return Release(work) if is_lost else tasks_module.halted(running.halt, work)
        except Exception as error:  # boundary: a fault of ours fails this task and no other
            log.exception("task %s broke", running.job_id)
            reason = one_line(f"Internal error: {type(error).__name__}: {error}")
            return Finish(work, TaskState.FAILED, error=reason)

    def _recorded(self, ctx: Runtime, running: Running, outcome: Outcome, result: Verdict | BaseException) -> None:
        """In the committing thread: the record is durable (or is not), Redis may know."""
        if isinstance(result, BaseException):
            self._not_recorded(ctx, running, outcome, result)
            return
        if result.recorded:
            _measure(ctx.measures, running, outcome)
        ended = outcome.first if isinstance(outcome, Recheck) else outcome
        if isinstance(ended, Finish) and result.recorded:
            ctx.seen.note(ended, result)
        self._end(self._ending_of(running, lambda: tasks_module.told(outcome, result), {}))

    def _not_recorded(self, ctx: Runtime, running: Running, outcome: Outcome, error: BaseException) -> None:
        """An outcome that the store refuses fails its task; in an outage the sweep runs the task again."""
        fallback = isinstance(outcome, Finish) and outcome.error is not None and outcome.error.startswith(_REFUSED)
        if fallback or isinstance(error, CrawlyardError):
            self._executions.leave(running)
            return
        told = Finish(outcome.work, TaskState.FAILED, error=f"{_REFUSED}: {type(error).__name__}")
        ctx.committer.record_then(told, lambda result: self._recorded(ctx, running, told, result))

    def _end(self, ending: Ending) -> None:
        self._teller.put([ending])  # before it leaves: a worker that is idle may stop its teller
        self._executions.leave(ending.running)

    def _run(self, delivery: Delivery) -> Ending:
        return self._ending_of(delivery.running, lambda: self._call(delivery), delivery.fields)

    def _ending_of(self, running: Running, call: Callable[[], Any], fields: dict[bytes, bytes]) -> Ending:
        try:
            return self._ending(running, call(), fields)
        except TaskFailed as error:
            return Ending(running, "fail", error=error.message, ttl=self._failed_ttl)
        except ExecutionStopped:
            return Ending(running, "fail", error="Stopped by an operator", ttl=self._failed_ttl)
        except Exception as error:  # boundary: whatever a job raises is its failure
            log.warning("job %s failed: %s", running.job_id, one_line(f"{type(error).__name__}: {error}"))
            ttl = int(fields.get(b"failure_ttl") or self._failed_ttl)
            return Ending(running, "fail", error=traceback.format_exc(limit=-20), ttl=ttl)

    def _call(self, delivery: Delivery) -> Any:
        _refuse_stopped(delivery.running)
        name, args, kwargs = delivery.call()
        # few jobs ask who they are, and to restore one costs as much as all the rest
        token = _current_job.set(cast(CrawlJob, LocalProxy(Restored(self._worker.connection, delivery))))
        try:
            return _function(name)(*args, **kwargs)
        finally:
            _current_job.reset(token)

    def _ending(self, running: Running, value: Any, fields: dict[bytes, bytes]) -> Ending:
        if isinstance(value, Later):
            return Ending(running, "delay", due=value.due)
        if isinstance(value, Released):
            return Ending(running, "release")
        if isinstance(value, Dropped):
            return Ending(running, "drop")
        ttl = int(fields.get(b"result_ttl") or self._worker.default_result_ttl)
        return Ending(running, "ok", value=value, ttl=ttl)

    def _perform_by_rq(self, delivery: Delivery) -> None:
        """Callbacks, retries, repeats, groups: RQ's own methods carry them out."""
        running = delivery.running
        queue = CrawlQueue(running.queue, connection=self._worker.connection)
        execution = Execution(running.execution_id, running.job_id, self._worker.connection, self._worker.name)
        try:
            job = Restored(self._worker.connection, delivery)()
            job.started_at = now()
            self._perform_job(running, job, queue, execution)
        finally:
            self._executions.leave(running)

    def _perform_job(self, running: Running, job: CrawlJob, queue: CrawlQueue, execution: Execution) -> None:
        try:
            _refuse_stopped(running)
            self._worker.perform_job(job, queue, execution)
        except ExecutionStopped:
            self._end_stopped(job, queue, execution)

    def _end_stopped(self, job: CrawlJob, queue: CrawlQueue, execution: Execution) -> None:
        """As RQ ends a job whose process it has killed: not tried again, its callback told."""
        try:
            execute_stopped_callback(job, UnsignalledDeathPenalty)
        except Exception:  # boundary: a job's own code
            log.exception("stopped callback of job %s", job.id)
        with self._stopping:  # RQ remembers one stopped job a worker
            self._worker._stopped_job_id = job.id
            self._worker.handle_job_failure(job, queue, exc_string="Stopped by an operator", execution=execution)
