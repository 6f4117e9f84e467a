"""`/jobs/{id}`: a crawl, its tasks, broken links and slow pages."""

from collections.abc import Callable
from itertools import islice
from typing import Any, cast

from flask import Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from api import export as exporting
from api import job_events, jobs, lookup, tasks
from api.context import Call, Stream
from api.dashboard import charts, urls
from api.dashboard.pace import pace
from api.inputs import read_query
from api.schemas.common import NoBody, NoQuery
from api.schemas.tasks import ExportQuery, ListTasks, Summary, TaskList, TaskResult
from shared import ids
from shared.errors import Invalid
from shared.store import exports, holders, progress
from shared.store.counters import SLOW_MS
from shared.store.exports import ExportType

#: slow pages that are shown; the export has all
MOST_SLOW = 500
#: pages shown that link to a broken one; its own page has more
MOST_HOLDERS = 10


def show_tasks(call: Call) -> ResponseReturnValue:
    """All tasks, with the API's filters, sorts and pages."""
    return urls.without_empty() or _list(call, "tasks", {})


def show_broken(call: Call) -> ResponseReturnValue:
    """Failed tasks, with the page that led to each."""
    return urls.without_empty() or _list(call, "broken", {"status": "failed"}, _held)


def _held(call: Call, found: TaskList) -> dict[str, Any]:
    """By task, who links to it; known once the crawl has ended."""
    job = lookup.job(call, call.path["job_id"])
    numbers = {body.body: task.id for task in found.tasks if (body := ids.decode(task.id)) is not None}
    known = holders.of_tasks(call.store, job, list(numbers), MOST_HOLDERS)
    return {"held": {numbers[number]: held for number, held in known.items()}}


def _list(
    call: Call, tab: str, fixed: dict[str, Any], more: Callable[[Call, TaskList], dict[str, Any]] = lambda *_: {}
) -> tuple[str, int]:
    which, errors = _which()
    found = cast(TaskList, tasks.list_tasks(call, which.model_copy(update=fixed)).body)
    values = _sorting(which) | more(call, found)
    page = _page(call, tab, found.summary, found=found, which=which, errors=errors, **values)
    return page, 400 if errors else 200


def _which() -> tuple[ListTasks, dict[str, str]]:
    """The filters of the URL; none of them where one is wrong, and what is wrong."""
    try:
        return read_query(request, ListTasks), {}
    except Invalid as error:
        return ListTasks.model_validate({}), dict(error.details)


def _sorting(which: ListTasks) -> dict[str, Any]:
    return {
        "next_sort": lambda field: urls.next_sort(which.sort, field),
        "direction": lambda field: urls.direction(which.sort, field),
    }


def show_slow(call: Call) -> ResponseReturnValue:
    """Pages over three seconds, slowest first."""
    read_query(request, NoQuery)
    job = lookup.job(call, call.path["job_id"])
    rows = islice(exports.rows(call.store, job, ExportType.SLOW_PAGES, limit=MOST_SLOW), MOST_SLOW)
    slow = sorted((tasks.task_result(record) for record in rows), key=_slowness, reverse=True)
    return page(call, "slow", slow=slow, slow_ms=SLOW_MS, most=MOST_SLOW)


def page(call: Call, tab: str, **values: Any) -> str:
    """The page of the crawl that the path names, with one of its tabs."""
    summary = cast(TaskList, tasks.list_tasks(call, ListTasks.model_validate({"limit": 1})).body).summary
    return _page(call, tab, summary, **values)


def _slowness(task: TaskResult) -> int:
    return task.response_time or 0 if task.second_response_time is None else task.second_response_time


def _page(call: Call, tab: str, summary: Summary, **values: Any) -> str:
    job = lookup.job(call, call.path["job_id"])
    known = progress.read(call.store, [job.id])[job.id]
    shown = jobs.job_result(job, known, jobs.EVERYTHING)
    return render_template(
        f"crawl_{tab}.html",
        tab=tab,
        job=shown,
        pace=pace(shown),
        warnings=jobs.warnings_of(call, job),
        summary=summary,
        arcs=charts.donut(summary.by_status),
        bars=charts.histogram(known.counts.tally.times, SLOW_MS),
        **values,
    )


def export(call: Call) -> ResponseReturnValue:
    """The API's export, as a file."""
    given = read_query(request, ExportQuery)
    answer = exporting.export_tasks(call, given)
    if isinstance(answer, Stream):
        response, name = Response(answer.parts, content_type=answer.content_type), answer.filename
    else:
        name = f"{given.type}-{call.path['job_id']}.json"
        response = Response(answer.payload(), content_type=answer.content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def watch(call: Call) -> ResponseReturnValue:
    """The API's stream of events, for the page's own script: a session's cookie is all that an EventSource sends."""
    answer = job_events.watch_job(call, NoQuery())
    if isinstance(answer, Stream):
        return Response(answer.parts, content_type=answer.content_type)
    return Response(status=answer.status)


def cancel(call: Call) -> ResponseReturnValue:
    """Cancels the crawl."""
    jobs.cancel_job(call, NoBody())
    return redirect(f"/jobs/{call.path['job_id']}", 303)


def pause(call: Call) -> ResponseReturnValue:
    """Starts nothing more of the crawl."""
    jobs.pause_job(call, NoBody())
    return redirect(f"/jobs/{call.path['job_id']}", 303)


def resume(call: Call) -> ResponseReturnValue:
    """Lets the crawl go on."""
    jobs.resume_job(call, NoBody())
    return redirect(f"/jobs/{call.path['job_id']}", 303)
