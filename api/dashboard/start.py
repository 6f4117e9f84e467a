"""`/`: what runs, what ran, and a form that starts a crawl."""

from collections.abc import Mapping
from typing import cast

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from api import jobs, lookup
from api.context import Call
from api.dashboard import crawl_options, forms, trends, urls
from api.dashboard.pace import pace
from api.inputs import read_query
from api.schemas.common import Id
from api.schemas.jobs import CreateJob, JobList, JobResult, ListJobs
from shared import queue_ops
from shared.clock import SECOND, now_us
from shared.errors import Conflict, Forbidden, Invalid
from shared.models import Job
from shared.store import failures, schedules

_EMPTY = {"domain": ""} | dict(crawl_options.EMPTY)
_INCLUDE = "stats,progress"
_MOST_RUNNING = 25
_HOUR = 3600 * SECOND
_SHOWN_RUNS = 5


class Start(ListJobs):
    """Which crawls to list, and whose options the form begins with."""

    like: Id | None = None


def show(call: Call) -> ResponseReturnValue:
    """The start page, its form empty or like an earlier crawl."""
    return urls.without_empty() or _page(call, None, {}, 200)


def create(call: Call) -> ResponseReturnValue:
    """Starts a crawl and shows it, or says what is wrong with the form."""
    typed = forms.typed(request.form, _EMPTY)
    try:
        options = crawl_options.given(typed) | {"source_type": "dashboard"}
        given = forms.read(CreateJob, {"domain": typed["domain"]}, nested={"options": options})
        made = jobs.create_job(call, given).body
    except (Invalid, Conflict, Forbidden) as error:
        return _page(call, typed, crawl_options.wrong(error, "domain"), error.http_status)
    return redirect(f"/jobs/{cast(JobResult, made).id}", 303)


def _page(call: Call, typed: Mapping[str, str] | None, errors: Mapping[str, str], status: int) -> tuple[str, int]:
    which = read_query(request, Start)
    like = lookup.job_in_query(call, "like", which.like) if which.like else None
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
        form=typed or _form(like),
        errors=errors,
        like=like,
        left_out=crawl_options.unseen(like.options) if like else {},
    )
    return page, status


def _form(like: Job | None) -> dict[str, str]:
    if like is None:
        return _EMPTY
    # what cannot be shown is not copied either: a crawl says itself what it sends
    form = crawl_options.form_of(like.options) | dict.fromkeys(crawl_options.KEPT, "")
    return {"domain": like.origin or like.domain.host} | form


def _active(call: Call, status: str) -> list[JobResult]:
    which = {"status": status, "limit": _MOST_RUNNING, "include": _INCLUDE}
    return _jobs(call, ListJobs.model_validate(which)).jobs


def _jobs(call: Call, which: ListJobs) -> JobList:
    return cast(JobList, jobs.list_jobs(call, which).body)
