"""`/v1/jobs/{id}/compare`: two crawls of a domain side by side."""

from api import lookup
from api.context import Answer, Call
from api.schemas.compare import (
    ComparedJob,
    ComparedPage,
    ComparedSide,
    CompareJobs,
    ComparePagination,
    ComparisonResult,
    ComparisonSummary,
)
from shared.clock import iso
from shared.errors import Invalid
from shared.models import Job
from shared.states import V1_STATUS
from shared.store import comparisons
from shared.store.comparisons import Compared, Comparison, Side
from shared.store.differences import Kind


def compare_jobs(call: Call, given: CompareJobs) -> Answer:
    """What differs between a crawl and an earlier one of its domain."""
    after = lookup.job(call, call.path["job_id"])
    before = _before(call, after, given.with_)
    kind = Kind[given.kind.upper()] if given.kind else None
    found = comparisons.compare(call.store, before, after, kind, given.limit, given.offset)
    shown = given.offset + len(found.pages)
    return Answer(
        ComparisonResult(
            before=_job(before),
            after=_job(after),
            summary=_summary(found),
            pages=[_page(page) for page in found.pages],
            pagination=ComparePagination(
                limit=given.limit,
                offset=given.offset,
                total=found.total,
                has_next=bool(found.pages) and shown < found.total,
                has_prev=given.offset > 0,
            ),
        )
    )


def _before(call: Call, after: Job, uid: str | None) -> Job:
    if uid is None:
        return comparisons.previous(call.store, after)
    before = lookup.job(call, uid)
    if before.domain.id != after.domain.id:
        raise Invalid("Not valid: with", [("with", "must be a crawl of the same domain")])
    if before.id == after.id:
        raise Invalid("Not valid: with", [("with", "must be another crawl")])
    return before


def _job(job: Job) -> ComparedJob:
    return ComparedJob(
        id=job.uid,
        status=job.state.name.lower(),
        created_at=iso(job.created_at) or "",
        completed_at=iso(job.completed_at),
    )


def _summary(found: Comparison) -> ComparisonSummary:
    counts = {kind.words[0]: n for kind, n in found.counts.items()}
    return ComparisonSummary(**counts, unchanged=found.unchanged)


def _page(page: Compared) -> ComparedPage:
    return ComparedPage(
        page_id=page.page_uid,
        url=page.url,
        kinds=page.kinds.words,  # type: ignore[arg-type]
        before=_side(page.before),
        after=_side(page.after),
    )


def _side(side: Side | None) -> ComparedSide | None:
    if side is None:
        return None
    return ComparedSide(
        task_id=side.task_uid,
        status=V1_STATUS[side.state],  # type: ignore[arg-type]
        status_code=side.status_code,
        response_time=side.response_time,
    )
