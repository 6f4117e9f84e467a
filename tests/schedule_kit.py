"""Recurring crawls for tests: made, moved in time, counted."""

from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update

from shared import recurrence
from shared import schedules as cases
from shared.clock import SECOND, now_us
from shared.models import Job, Schedule
from shared.queue import TaskQueue
from shared.recurrence import HOUR, Recurrence
from shared.states import ACTIVE_JOB, JobState, RunStatus
from shared.store import Store, domains, jobs, keys, schedules
from shared.store.schedule_tables import schedule_runs
from shared.store.schedule_tables import schedules as table
from shared.store.tables import jobs as jobs_table

HOURLY = Recurrence(None, "UTC", 1)


class Recurring:
    """One schedule in a store; hourly, first due in an hour, unless said otherwise."""

    def __init__(self, store: Store, queue: TaskQueue, rule: Recurrence = HOURLY, **wishes: Any) -> None:
        self.store, self.queue = store, queue
        key, _ = keys.create(store, None, "test")
        self.organisation_id = key.organisation_id
        domain = store.write(lambda conn: domains.ensure(conn, key.organisation_id, "site.test", now_us()))
        made = replace(cases.new(domain, rule, wishes.pop("options", "{}")), **wishes)
        self.uid = cases.create(store, queue, made).uid

    @property
    def now(self) -> Schedule:
        """As it is stored."""
        return schedules.get(self.store, self.uid, self.organisation_id)

    def change(self, **wishes: Any) -> None:
        """Changes it as its owner would."""
        cases.change(self.store, self.queue, self.organisation_id, self.uid, lambda s: replace(s, **wishes))

    def due(self, seconds_ago: float = 0) -> int:
        """Moves the next run into the past, in SQL alone; when it is due now."""
        moment = (now_us() // SECOND - int(seconds_ago)) * SECOND
        values = {"next_run_at": moment, "fire_at": moment}
        self.store.write(lambda conn: conn.execute(update(table).where(table.c.uid == self.uid).values(values)))
        return moment

    def fire(self, seconds_ago: float = 0) -> str | None:
        """Lets the next run be due, and starts it."""
        return cases.fire(self.store, self.queue, self.uid, self.due(seconds_ago))

    def end_last(self, state: JobState = JobState.COMPLETED) -> None:
        """The last job is over."""
        last = self.now.last_job
        assert last is not None
        ended = update(jobs_table).where(jobs_table.c.id == last.id).values(state=state, completed_at=now_us())
        self.store.write(lambda conn: conn.execute(ended))

    @property
    def jobs(self) -> list[Job]:
        """All jobs of the organisation, oldest first."""
        return jobs.page(self.store, jobs.JobFilter(self.organisation_id), 100, 0)[0][::-1]

    @property
    def active(self) -> list[Job]:
        """Those that have not ended."""
        return [job for job in self.jobs if job.state in ACTIVE_JOB]

    @property
    def runs(self) -> list[tuple[RunStatus, int]]:
        """Status and missed runs of each recorded run, in the order of their due times."""
        query = select(schedule_runs.c.status, schedule_runs.c.missed).order_by(schedule_runs.c.due_at)
        with self.store.read() as conn:
            return [(RunStatus(row.status), row.missed) for row in conn.execute(query)]

    @property
    def statuses(self) -> list[RunStatus]:
        """What became of each run."""
        return [status for status, _ in self.runs]


def add_run(recurring: Recurring, due: int) -> None:
    """Records a run as if it had been there."""
    values = {"schedule_id": recurring.now.id, "due_at": due, "status": 1, "missed": 0, "created_at": due}
    recurring.store.write(lambda conn: conn.execute(insert(schedule_runs).values(values)))


def next_hour(recurring: Recurring, due: int) -> bool:
    """Whether the run after the one of `due` is the next."""
    return recurring.now.next_run_at == recurrence.following(HOURLY, due, due) == due + HOUR
