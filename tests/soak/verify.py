"""The count at the end of a crawl: what the record, the queue, the API, the receiver and the site say must agree."""

from collections import Counter
from typing import Any

from sqlalchemy import func, select

from shared.models import Job
from shared.states import FINAL, IN_FLIGHT, JobState, TaskKind, TaskState
from shared.store import Store, counters, jobs
from shared.store.tables import deltas, job_state, tasks
from tests.soak import doors, leftovers, sitelog, told
from tests.soak.report import Crawl, Report
from tests.soak.site import is_flaky, is_missing, path_of


def verify(store: Store, crawl: Crawl) -> Report:
    """All checks of one crawl. Raises StoreUnavailable."""
    report = Report()
    job = jobs.get(store, crawl.number)
    with store.read() as conn:
        rows = list(conn.execute(select(tasks).where(tasks.c.job_id == job.id)))
        state = conn.execute(select(job_state).where(job_state.c.job_id == job.id)).one()
        unfolded = conn.execute(select(func.count()).select_from(deltas).where(deltas.c.job_id == job.id)).scalar_one()
        counted = counters.read(conn, job.id)
    report.expect(job.state is JobState.COMPLETED, f"job {job.id} is {job.state.name}: {job.error}")
    report.expect(state.n_open == state.n_inflight == 0, f"open {state.n_open}, in flight {state.n_inflight}")
    report.expect(not unfolded, f"{unfolded} counts are not folded")
    pages = [row for row in rows if row.kind == TaskKind.CRAWL_PAGE]
    recount = Counter(TaskState(row.state) for row in pages)
    for s in FINAL:
        report.expect(counted.ended(s) == recount[s], f"{s.name}: {counted.ended(s)}, {recount[s]} rows")
    report.completed = {row.path for row in pages if row.state == TaskState.COMPLETED}
    visits = sitelog.read(crawl.witnesses.log)
    _check_pages(report, crawl, pages)
    _check_poison(report, crawl, pages, visits)
    _check_fetches(report, crawl, job, visits)
    doors.check(report, crawl, pages)
    told.check(report, store, crawl)
    leftovers.check(report, crawl.witnesses.redis_url, job, rows)
    report.numbers |= {"pages": len(pages), "visits": len(visits), "crashes": sum(row.crashes for row in rows)}
    return report


def _check_pages(report: Report, crawl: Crawl, pages: list[Any]) -> None:
    site = {path_of(i): i for i in range(crawl.pages)}
    paths = Counter(row.path for row in pages)
    twice = [path for path, n in paths.items() if n > 1]
    report.expect(not twice, f"rows twice: {twice[:5]}")
    report.expect(not paths.keys() - site.keys(), f"unknown: {sorted(paths.keys() - site.keys())[:5]}")
    limit = crawl.told["max_pages"]
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
            said = f"{row.path} is poison after {row.crashes} crashes, in flight at {kills} faults"
            (report.notes if kills >= 3 else report.violations).append(said)


def _check_fetches(report: Report, crawl: Crawl, job: Job, visits: list[sitelog.Visit]) -> None:
    limit = job.options.concurrency
    for moment, running in sitelog.over(visits, limit):
        owned = sum(not sitelog.is_unavoidable(visit, moment, crawl.events) for visit in running)
        said = (
            f"{len(running)} requests at once at {moment:.1f}, allowed are {limit}; {owned} by workers that held them"
        )
        (report.violations if owned > limit else report.notes).append(said)
    end = (job.completed_at or 0) / 1e6
    for visit in visits:
        if job.completed_at and visit.start > end + 0.05:
            said = f"{visit.path} fetched {visit.start - end:.1f} s after completion"
            is_excused = sitelog.is_unavoidable(visit, visit.start, crawl.events)
            (report.notes if is_excused else report.violations).append(said)
    flaky = frozenset(path_of(i) for i in range(crawl.pages) if is_flaky(i))
    found = sitelog.recoveries(visits, crawl.events, flaky)
    report.numbers["recovery"] = f"{found[0][0]:.1f} s" if found else "–"
    slow = [pair for pair in found if pair[0] > sitelog.RECOVERY]
    report.expect(not slow, f"recovery took {slow[:3]}")
