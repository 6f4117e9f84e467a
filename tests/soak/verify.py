"""The count at the end of a crawl: what the record, the queue and the site say of each page must agree."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from shared import ids
from shared.models import Job
from shared.queue import ALL_QUEUES, connect
from shared.states import FINAL, IN_FLIGHT, JobState, TaskKind, TaskState
from shared.store import Store, counters, jobs
from shared.store.tables import job_state, tasks
from tests.soak import sitelog
from tests.soak.faults import Event
from tests.soak.site import is_flaky, is_missing, path_of


@dataclass(slots=True)
class Crawl:
    """One crawl and what it was to do."""

    job: Job
    pages: int
    log: Path
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What was found."""

    violations: list[str] = field(default_factory=list)
    #: worth knowing, and allowed
    notes: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def expect(self, ok: bool, what: str) -> None:
        """Notes a violation."""
        if not ok:
            self.violations.append(what)


def verify(store: Store, redis_url: str, crawl: Crawl) -> Report:
    """All checks of one crawl."""
    report = Report()
    job = jobs.get(store, crawl.job.id)
    with store.read() as conn:
        rows = list(conn.execute(select(tasks).where(tasks.c.job_id == job.id)))
        state = conn.execute(select(job_state).where(job_state.c.job_id == job.id)).one()
        counted = counters.read(conn, job.id)
        groups = select(tasks.c.state, func.count()).where(
            tasks.c.job_id == job.id, tasks.c.kind == TaskKind.CRAWL_PAGE
        )
        recount = {TaskState(s): n for s, n in conn.execute(groups.group_by(tasks.c.state)).tuples()}
    report.expect(job.state is JobState.COMPLETED, f"job {job.id} is {job.state.name}: {job.error}")
    report.expect(state.n_open == state.n_inflight == 0, f"open {state.n_open}, in flight {state.n_inflight}")
    for s in FINAL:
        report.expect(counted.ended(s) == recount.get(s, 0), f"{s.name}: {counted.ended(s)}, {recount.get(s, 0)} rows")
    pages = [row for row in rows if row.kind == TaskKind.CRAWL_PAGE]
    visits = sitelog.read(crawl.log)
    _check_pages(report, crawl, pages)
    _check_poison(report, crawl, pages, visits)
    _check_fetches(report, crawl, job, visits)
    _check_redis(report, redis_url, job, rows)
    report.numbers |= {"pages": len(pages), "visits": len(visits), "crashes": sum(row.crashes for row in rows)}
    return report


def _check_pages(report: Report, crawl: Crawl, pages: list[Any]) -> None:
    site = {path_of(i): i for i in range(crawl.pages)}
    paths = Counter(row.path for row in pages)
    twice = [path for path, n in paths.items() if n > 1]
    report.expect(not twice, f"rows twice: {twice[:5]}")
    report.expect(not paths.keys() - site.keys(), f"unknown: {sorted(paths.keys() - site.keys())[:5]}")
    limit = crawl.job.options.max_pages
    if limit:
        report.expect(len(pages) == min(limit, crawl.pages), f"max_pages {limit}, {len(pages)} rows")
    else:
        lost = sorted(site.keys() - paths.keys())
        report.expect(not lost, f"{len(lost)} pages without a row: {lost[:5]}")
    for row in pages:
        wanted = TaskState.FAILED if is_missing(site.get(row.path, 0), crawl.pages) else TaskState.COMPLETED
        if row.state != wanted and "died under it" not in (row.error or ""):
            report.violations.append(f"{row.path} is {TaskState(row.state).name}: {row.error}")
        report.expect(row.attempts <= row.max_attempts, f"{row.path}: {row.attempts} attempts")
        expected = 2 if is_flaky(site.get(row.path, 0)) else 1
        if row.attempts != expected and row.state not in IN_FLIGHT:
            report.notes.append(f"{row.path}: {row.attempts} attempts, not {expected}")


def _check_poison(report: Report, crawl: Crawl, pages: list[Any], visits: list[sitelog.Visit]) -> None:
    for row in pages:
        if "died under it" in (row.error or ""):
            kills = sitelog.in_flight_at(visits, row.path, crawl.events)
            told = f"{row.path} is poison after {row.crashes} crashes, in flight at {kills} faults"
            (report.notes if kills >= 3 else report.violations).append(told)


def _check_fetches(report: Report, crawl: Crawl, job: Job, visits: list[sitelog.Visit]) -> None:
    for moment, n in sitelog.over(visits, job.options.concurrency):
        told = f"{n} requests at once at {moment:.1f}, allowed are {job.options.concurrency}"
        (report.notes if sitelog.is_excused(moment, crawl.events) else report.violations).append(told)
    end = (job.completed_at or 0) / 1e6
    for visit in visits:
        if job.completed_at and visit.start > end + 0.05:
            told = f"{visit.path} fetched {visit.start - end:.1f} s after completion"
            (report.notes if sitelog.is_excused(visit.start, crawl.events) else report.violations).append(told)
    flaky = frozenset(path_of(i) for i in range(crawl.pages) if is_flaky(i))
    found = sitelog.recoveries(visits, crawl.events, flaky)
    report.numbers["recovery"] = round(found[0][0], 1) if found else None
    slow = [pair for pair in found if pair[0] > sitelog.RECOVERY]
    report.expect(not slow, f"recovery took {slow[:3]}")


def _check_redis(report: Report, redis_url: str, job: Job, rows: list[Any]) -> None:
    with connect(redis_url, decode_responses=True) as link:
        for name in ALL_QUEUES:
            report.expect(not link.llen(f"rq:queue:{name}"), f"{link.llen(f'rq:queue:{name}')} left in queue {name}")
            for registry in ("wip", "scheduled"):
                left = link.zrange(f"rq:{registry}:{name}", 0, -1)
                report.expect(not left, f"{len(left)} left in {registry} of {name}: {left[:2]}")
        for key in [*link.scan_iter("rq:execution*"), *link.scan_iter("rq:worker:*:executions")]:
            if link.ttl(key) == -1:
                report.violations.append(f"{key} is left behind for ever")
        hexes = {ids.task_uuid(job.ms, row.id).hex: row for row in rows}
        left = [h for h in hexes if _is_left(link, h)]
        told = [(h, link.hget(f"rq:job:{h}", "status"), TaskState(hexes[h].state).name) for h in left[:3]]
        report.expect(not left, f"{len(left)} job hashes left: {told}")
        report.notes += [f"finished registry holds {link.zcard('rq:finished:crawl')}"]


def _is_left(link: Any, task: str) -> bool:
    status = link.hget(f"rq:job:{task}", "status")
    return status is not None and (status not in ("finished", "failed") or link.ttl(f"rq:job:{task}") < 0)
