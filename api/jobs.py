"""`/v1/jobs`: create, list, get, cancel crawl jobs."""

from typing import Any

from api import lookup
from api.context import Answer, Call
from api.inputs import naming
from api.options import job_options
from api.schemas.common import NoBody, NoQuery
from api.schemas.jobs import (
    CreateJob,
    DomainInfo,
    JobList,
    JobResult,
    JobsPagination,
    ListJobs,
    ProgressResult,
    StatsResult,
    WarningResult,
)
from api.schemas.options import shown
from shared import jobs as cases
from shared.clock import SECOND, iso, now_us
from shared.models import Job
from shared.states import JobState
from shared.store import jobs, notes, progress
from shared.store.progress import Progress

_UNITS = {"d": 86_400 * SECOND, "h": 3_600 * SECOND}
_MINUTE = 60 * SECOND
EVERYTHING = frozenset({"progress", "stats"})


def create_job(call: Call, given: CreateJob) -> Answer:
    """Starts a crawl."""
    # first, so that a client that is told 503 knows that nothing was recorded
    call.queue.ping()
    with naming("domain"):
        options = job_options(call, given.chosen(), given.domain)
        job, _ = cases.submit_crawl(
            call.store, call.queue, call.organisation_id, given.domain, options, jobs.FirstTask(claim=call.claim)
        )
    return Answer(_one(call, job), status=201)


def list_jobs(call: Call, given: ListJobs) -> Answer:
    """Crawl jobs, newest first."""
    which = jobs.JobFilter(
        call.organisation_id,
        state=JobState[given.status.upper()] if given.status else None,
        created_from=_since(given, now_us()),
    )
    found, total = jobs.page(call.store, which, given.limit, given.skip)
    counted = given.included & EVERYTHING
    known = progress.read(call.store, [job.id for job in found]) if counted else {}
    return Answer(
        JobList(
            jobs=[job_result(job, known.get(job.id), given.included) for job in found],
            pagination=JobsPagination(
                limit=given.limit, offset=given.skip, total=total, has_next=given.skip + len(found) < total
            ),
        )
    )


def get_job(call: Call, _given: NoQuery) -> Answer:
    """One crawl job, with progress and statistics."""
    return Answer(_one(call, lookup.job(call, call.path["job_id"])))


def cancel_job(call: Call, _given: NoBody) -> Answer:
    """Cancels a crawl job and takes its tasks out of the queue."""
    job = lookup.job(call, call.path["job_id"])
    return Answer(_one(call, cases.cancel(call.store, call.queue, call.organisation_id, job.id)))


def pause_job(call: Call, _given: NoBody) -> Answer:
    """Starts nothing more of a crawl job; what runs is put back and runs again later, without an attempt."""
    job = lookup.job(call, call.path["job_id"])
    return Answer(_one(call, cases.pause(call.store, call.queue, call.organisation_id, job.id)))


def resume_job(call: Call, _given: NoBody) -> Answer:
    """Lets a paused crawl job go on."""
    job = lookup.job(call, call.path["job_id"])
    return Answer(_one(call, cases.resume(call.store, call.queue, call.organisation_id, job.id)))


def delete_job(call: Call, _given: NoQuery) -> Answer:
    """The same as cancel."""
    return cancel_job(call, NoBody())


def _one(call: Call, job: Job) -> JobResult:
    result = job_result(job, progress.read(call.store, [job.id]).get(job.id), EVERYTHING)
    return result.model_copy(update={"warnings": warnings_of(call, job)})


def warnings_of(call: Call, job: Job) -> list[WarningResult]:
    """What a crawl job is warned of, as `/v1` shows it."""
    return [
        WarningResult(kind=w.kind.name.lower(), message=w.message, count=w.n)  # type: ignore[arg-type]
        for w in notes.of_job(call.store, job.id)
    ]


def _since(given: ListJobs, now: int) -> int | None:
    """Where the range begins: hours back to the moment, days back to a midnight of the client's clock."""
    if given.span is None:
        return None
    n, unit = given.span
    start = now - n * _UNITS[unit]
    if unit == "h":
        return start
    shift = given.tz_offset * _MINUTE
    return (start - shift) // _UNITS["d"] * _UNITS["d"] + shift


def job_result(job: Job, known: Progress | None, included: frozenset[str]) -> JobResult:
    """A crawl job as `/v1` shows it, with the objects that were asked for."""
    extra: dict[str, Any] = {}
    if known is not None and "progress" in included:
        extra["progress"] = progress_result(known)
    if known is not None and "stats" in included:
        extra["stats"] = _stats(known)
    if job.paused_at is not None:
        extra["paused_at"] = iso(job.paused_at)
    if "domain" in included:
        extra["domain_info"] = _domain(job)
    return JobResult(
        id=job.uid,
        domain=job.domain.host,
        domain_id=job.domain.id,
        status=job.state.name.lower(),  # type: ignore[arg-type]
        organisation_id=job.organisation_uid,
        created_at=iso(job.created_at) or "",
        started_at=iso(job.started_at),
        completed_at=iso(job.completed_at),
        cancelled_at=iso(job.cancelled_at),
        error=job.error,
        **shown(job.options),
        **extra,
    )


def progress_result(known: Progress) -> ProgressResult:
    """How far a crawl job is, as `/v1` shows it."""
    return ProgressResult(
        total_tasks=known.total,
        completed_tasks=known.completed,
        failed_tasks=known.failed,
        skipped_tasks=known.skipped,
        percentage=known.percentage,
    )


def _stats(known: Progress) -> StatsResult:
    return StatsResult(
        avg_response_time=known.counts.avg_time,
        cache_hit_ratio=known.counts.cache_hit_ratio,
        total_bytes=known.counts.total_bytes,
    )


def _domain(job: Job) -> DomainInfo:
    domain = job.domain
    return DomainInfo(id=domain.id, uid=domain.uid, host=domain.host, created_at=iso(domain.created_at) or "")
