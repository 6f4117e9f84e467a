"""`/`: what runs, what ran, and a form that starts a crawl."""

from collections.abc import Mapping
from typing import cast

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from api import jobs
from api.context import Call
from api.dashboard import forms, trends, urls
from api.dashboard.pace import pace
from api.inputs import read_query
from api.schemas.jobs import CreateJob, JobList, JobResult, ListJobs
from shared import queue_ops
from shared.clock import SECOND, now_us
from shared.errors import Invalid
from shared.store import failures, schedules

_NUMBERS = frozenset({"max_pages", "concurrency", "max_depth"})
_LISTS = frozenset({"include", "exclude"})
_DEFAULTS = {"domain": "", "max_pages": "", "concurrency": "20", "include": "", "exclude": "", "max_depth": ""}
_INCLUDE = "stats,progress"
_MOST_RUNNING = 25
_HOUR = 3600 * SECOND
_SHOWN_RUNS = 5


def show(call: Call) -> ResponseReturnValue:
    """The start page."""
    return urls.without_empty() or _page(call, _DEFAULTS, {}, 200)


def create(call: Call) -> ResponseReturnValue:
    """Starts a crawl and shows it, or says what is wrong with the form."""
    typed = {name: request.form.get(name, "") for name in _DEFAULTS}
    try:
        given = forms.read(CreateJob, typed | {"source_type": "dashboard"}, _NUMBERS, _LISTS)
        made = jobs.create_job(call, given).body
    except Invalid as error:
        shown = {name: value[:300] for name, value in typed.items()}
        return _page(call, shown, dict(error.details) or {"domain": error.message}, 400)
    return redirect(f"/jobs/{cast(JobResult, made).id}", 303)


def _page(call: Call, form: Mapping[str, str], errors: Mapping[str, str], status: int) -> tuple[str, int]:
    which = read_query(request, ListJobs)
    recent = _jobs(call, which.model_copy(update={"include": _INCLUDE}))
    running = [job for status in ("running", "created") for job in _active(call, status)]
    page = render_template(
        "start.html",
        counts=call.queue.counts(),
        workers=len(queue_ops.workers(call.queue)),
        trends=trends.trends(call),
        failures=failures.by_kind(call.store, call.organisation_id, now_us() - _HOUR),
        upcoming=schedules.upcoming(call.store, call.organisation_id, _SHOWN_RUNS),
        running=[(job, pace(job)) for job in running],
        recent=[(job, pace(job)) for job in recent.jobs],
        pagination=recent.pagination,
        which=which,
        form=form,
        errors=errors,
    )
    return page, status


def _active(call: Call, status: str) -> list[JobResult]:
    which = {"status": status, "limit": _MOST_RUNNING, "include": _INCLUDE}
    return _jobs(call, ListJobs.model_validate(which)).jobs


def _jobs(call: Call, which: ListJobs) -> JobList:
    return cast(JobList, jobs.list_jobs(call, which).body)
