"""The tabs of a crawl that are no list of its tasks: who holds broken links, what changed, what differs."""

from typing import cast

from flask import redirect, request
from flask.typing import ResponseReturnValue

from api import changes, compare, lookup, queue_jobs
from api.context import Call
from api.dashboard import urls
from api.dashboard.crawls import page
from api.inputs import read_query
from api.schemas.common import Meta, Paged
from api.schemas.compare import CompareJobs, ComparisonResult
from api.schemas.queue_jobs import RetryFailed
from shared.errors import Conflict
from shared.models import Job
from shared.states import JobMode
from shared.store import broken, change_lists, jobs
from shared.store.change_lists import ChangeFilter
from shared.store.jobs import JobFilter

_MOST_RETRIED = 10_000
_MOST_EARLIER = 50


def show_holders(call: Call) -> ResponseReturnValue:
    """Broken links by the page that they stand on."""
    which = read_query(request, Paged)
    job = lookup.job(call, call.path["job_id"])
    holders, total, is_read = broken.by_holder(call.store, job, which.limit, which.skip)
    meta = Meta(total=total, page=which.page, page_size=which.limit)
    return page(call, "holders", holders=holders, meta=meta, most=broken.MOST, is_read=is_read)


def show_changes(call: Call) -> ResponseReturnValue:
    """What this crawl found changed."""
    which = read_query(request, Paged)
    job = lookup.job(call, call.path["job_id"])
    wanted = ChangeFilter(call.organisation_id, domain_id=job.domain.id, job_no=job.id)
    found, total = change_lists.page(call.store, wanted, which.limit, which.skip)
    meta = Meta(total=total, page=which.page, page_size=which.limit)
    return page(call, "changes", changes=[changes.change_result(change) for change in found], meta=meta)


def show_comparison(call: Call) -> ResponseReturnValue:
    """This crawl beside an earlier one of its domain."""
    return urls.without_empty() or _comparison(call)


def _comparison(call: Call) -> str:
    given = read_query(request, CompareJobs)
    try:
        found, reason = cast(ComparisonResult, compare.compare_jobs(call, given).body), None
    except Conflict as error:
        found, reason = None, error.message
    earlier = _earlier(call)
    partner = given.with_ and lookup.job(call, given.with_).uid
    return page(call, "compare", found=found, reason=reason, which=given, earlier=earlier, partner=partner)


def _earlier(call: Call) -> list[Job]:
    """The crawls of the domain that came before, newest first."""
    job = lookup.job(call, call.path["job_id"])
    which = JobFilter(call.organisation_id, domain_id=job.domain.id, created_until=job.created_at)
    found, _ = jobs.page(call.store, which, _MOST_EARLIER, 0)
    return [one for one in found if one.options.mode == JobMode.CRAWL]


def retry_failed(call: Call) -> ResponseReturnValue:
    """Runs the crawl's failed tasks again."""
    job = lookup.job(call, call.path["job_id"])
    queue_jobs.retry_failed(call, RetryFailed.model_validate({"jobId": job.uid, "limit": _MOST_RETRIED}))
    return redirect(f"/jobs/{job.uid}", 303)
