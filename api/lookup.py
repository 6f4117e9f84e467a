"""From an id in a path or a query to the thing that it names, if the caller owns it."""

from api.context import Call
from shared import ids
from shared.errors import Invalid, NotFound
from shared.models import Domain, Job
from shared.store import domains, jobs, pages, tasks
from shared.store.pages import Page
from shared.store.task_records import TaskRecord


def job(call: Call, text: str) -> Job:
    """The crawl job of an id. Raises NotFound."""
    found = ids.decode(text)
    if found is not None and found.kind is ids.Kind.JOB:
        job = jobs.get(call.store, found.body, call.organisation_id)
        if job.ms == found.ms:
            return job
    raise NotFound("Job not found")


def job_in_query(call: Call, field: str, text: str) -> Job:
    """The crawl job that a field names. Raises Invalid for what is no id at all, NotFound."""
    _require_id(field, text)
    return job(call, text)


def task(call: Call, text: str, what: str = "Task") -> TaskRecord:
    """The task of an id. Raises NotFound."""
    found = ids.decode(text)
    if found is not None and found.kind is ids.Kind.TASK:
        try:
            record = tasks.get(call.store, call.organisation_id, found.body)
        except NotFound:
            record = None
        if record is not None and record.job.ms == found.ms:
            return record
    raise NotFound(f"{what} not found")


def domain(call: Call, text: str) -> Domain:
    """The domain of an id. Raises NotFound."""
    return domains.get(call.store, text, call.organisation_id)


def domain_in_query(call: Call, text: str | None) -> int | None:
    """The number of the domain that a filter names. Raises Invalid for what is no id at all, NotFound."""
    if text is None:
        return None
    _require_id("domainId", text)
    return domain(call, text).id


def page(call: Call, text: str) -> Page:
    """The page of an id. Raises NotFound."""
    return pages.get(call.store, text, call.organisation_id)


def _require_id(field: str, text: str) -> None:
    if ids.parse_uuid(text) is None:
        raise Invalid(f"Not valid: {field}", [(field, "must be an id: a UUID or 32 hex digits")])
