"""Jobs and tasks for tests, driven through the real store step."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from shared import ids
from shared.clock import SECOND, now_us
from shared.models import Job, JobOptions
from shared.stages import (
    Admission,
    Delay,
    Dispatch,
    Fetched,
    Finish,
    Found,
    Hands,
    NewLink,
    Outcome,
    Release,
    Verdict,
    Work,
)
from shared.states import SourceType, TaskState
from shared.store import Store, counters, jobs, keys, step
from shared.store.jobs import FirstTask
from shared.store.step import StepResult
from shared.store.tables import job_state, tasks

ORIGIN = "http://site.test"
LEASE = 10 * SECOND


class Crawl:
    """One job in a store, with short words for what a worker does to it."""

    def __init__(self, store: Store, options: JobOptions | None = None, origin: str | None = ORIGIN) -> None:
        self.store = store
        key, self.secret = keys.create(store, None, "test")
        self.organisation_id = key.organisation_id
        self.job, self.discovery = jobs.submit(
            store, key.organisation_id, "site.test", options or JobOptions(), FirstTask(), origin
        )

    def run(
        self,
        admissions: Iterable[int | Admission] = (),
        outcomes: Sequence[Outcome] = (),
        now: int | None = None,
        hands: int | Hands = 0,
        worker: str | None = None,
    ) -> StepResult:
        """One step of the store."""
        asked = [a if isinstance(a, Admission) else Admission(a) for a in admissions]
        able = Hands(hands) if isinstance(hands, int) else hands
        return step.run(self.store, asked, outcomes, now or now_us(), LEASE, hands=able, worker=worker)

    def admit(self, task_id: int, now: int | None = None) -> Work:
        """Starts a task that must be startable."""
        (work,) = self.run([task_id], now=now).works
        assert work is not None
        return work

    def record(self, outcome: Outcome) -> tuple[Verdict, list[Dispatch]]:
        """Records one outcome."""
        result = self.run(outcomes=[outcome])
        return result.verdicts[0], result.dispatches

    def discover(self, *paths: str) -> list[Dispatch]:
        """Runs the discovery to its end with these pages found; what it dispatched."""
        work = self.admit(self.discovery)
        found = Found(work, links(*paths), SourceType.SITEMAP, ORIGIN)
        first = self.run(outcomes=[found]).dispatches
        return first + self.run(outcomes=[Finish(work, TaskState.COMPLETED, found=len(paths))]).dispatches

    def complete(self, work: Work, *paths: str, **fetched: Any) -> tuple[Verdict, list[Dispatch]]:
        """Ends a page as completed, with links found on it."""
        values = {"status_code": 200, "response_time": 100, "bytes": 1000} | fetched
        return self.record(Finish(work, TaskState.COMPLETED, Fetched(**values), links=links(*paths), found=len(paths)))

    def fail(self, work: Work, reason: str = "HTTP 404", status_code: int = 404) -> tuple[Verdict, list[Dispatch]]:
        """Ends a page as failed."""
        fetched = Fetched(status_code=status_code, response_time=50, bytes=10)
        return self.record(Finish(work, TaskState.FAILED, fetched, error=reason))

    def delay(self, work: Work, at: int, spends_attempt: bool = True) -> Verdict:
        """Puts a task off."""
        return self.record(Delay(work, at, "HTTP 503", spends_attempt))[0]

    def release(self, work: Work) -> Verdict:
        """Puts a task back."""
        return self.record(Release(work))[0]

    def crawl_all(self, dispatches: Sequence[Dispatch]) -> int:
        """Completes everything that is dispatched, and what follows; how many pages that was."""
        done, todo = 0, list(dispatches)
        while todo:
            work = self.admit(todo.pop().task_id)
            todo += self.complete(work)[1]
            done += 1
        return done

    @property
    def state(self) -> Any:
        """The job's hot row."""
        with self.store.read() as conn:
            return conn.execute(select(job_state).where(job_state.c.job_id == self.job.id)).one()

    @property
    def now(self) -> Job:
        """The job as it is stored now."""
        return jobs.get(self.store, self.job.id)

    @property
    def counts(self) -> counters.Counts:
        """Its ended tasks, counted."""
        with self.store.read() as conn:
            return counters.read(conn, self.job.id)

    def rows(self, state: TaskState | None = None) -> list[Any]:
        """The page tasks, in the order of their ids."""
        query = select(tasks).where(tasks.c.job_id == self.job.id, tasks.c.id != self.discovery).order_by(tasks.c.id)
        with self.store.read() as conn:
            return [row for row in conn.execute(query) if state is None or row.state == state]

    def row(self, task_id: int) -> Any:
        """One task's row."""
        with self.store.read() as conn:
            return conn.execute(select(tasks).where(tasks.c.id == task_id)).one()


def links(*paths: str) -> tuple[NewLink, ...]:
    """Links to pages of the test site, keyed by their path."""
    from shared import urls

    return tuple(NewLink(urls.url_key(ORIGIN + path), ORIGIN, path) for path in paths)


def numbered(n: int, prefix: str = "/p") -> list[str]:
    """n paths."""
    return [f"{prefix}{i}" for i in range(n)]


def small(concurrency: int = 20, max_pages: int = 0) -> JobOptions:
    """Options of a job."""
    return replace(JobOptions(), concurrency=concurrency, max_pages=max_pages)


def rq_id(job: Job, task_id: int) -> str:
    """Id of a task's RQ job."""
    return ids.task_uuid(job.ms, task_id).hex
