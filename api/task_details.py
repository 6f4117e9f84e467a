"""`/v1/jobs/{id}/tasks/{id}`: one page of a crawl with its attempts, its redirects and who links to it."""

from api import lookup, tasks
from api.context import Answer, Call
from api.schemas.common import NoQuery
from api.schemas.task_details import (
    AttemptResult,
    HeaderResult,
    HolderResult,
    PhasesResult,
    RedirectResult,
    SecondRequestResult,
    TaskDetails,
)
from shared.answers import AnswerFacts, unpacked
from shared.clock import iso
from shared.errors import NotFound
from shared.stages import Redirect
from shared.states import TaskState
from shared.store import attempts, holders, notes
from shared.store.attempts import Attempt
from shared.store.task_records import TaskRecord

_STATES = {
    TaskState.COMPLETED: "completed",
    TaskState.DELAYED: "retried",
    TaskState.FAILED: "failed",
    TaskState.SKIPPED: "skipped",
}


def get_task_details(call: Call, _given: NoQuery) -> Answer:
    """All that is kept of one task of a job."""
    return Answer(details(call, record(call)))


def record(call: Call) -> TaskRecord:
    """The task of the job that the path names. Raises NotFound."""
    job = lookup.job(call, call.path["job_id"])
    found = lookup.task(call, call.path["task_id"])
    if found.job.id != job.id:
        raise NotFound("Task not found")
    return found


def details(call: Call, task: TaskRecord) -> TaskDetails:
    """All that is kept of a task."""
    held = holders.of_tasks(call.store, task.job, [task.id]).get(task.id)
    return TaskDetails(
        task=tasks.task_result(task),
        attempts=[_attempt(attempt) for attempt in attempts.of_task(call.store, task.id)],
        redirects=[_redirect(hop) for hop in notes.redirects_of(call.store, task.id)],
        linked_from=HolderResult(total=held.n, urls=list(held.urls)) if held else None,
    )


def _attempt(attempt: Attempt) -> AttemptResult:
    return AttemptResult(
        outcome=_STATES[attempt.state],  # type: ignore[arg-type]
        started_at=iso(attempt.started_at),
        ended_at=iso(attempt.ended_at) or "",
        status_code=attempt.status_code,
        response_time=attempt.response_time,
        error=attempt.error,
        phases=_phases(attempt.answer),
        headers=_headers(attempt.answer),
        worker=attempt.worker,
        second_request=_second(attempt),
    )


def _second(attempt: Attempt) -> SecondRequestResult | None:
    answer, code = attempt.second_answer, attempt.second_status_code
    if answer is None and code is None:
        return None
    return SecondRequestResult(status_code=code, phases=_phases(answer), headers=_headers(answer))


def _redirect(hop: Redirect) -> RedirectResult:
    said = unpacked(hop.answer) if hop.answer else None
    return RedirectResult(status_code=hop.status_code, url=hop.url, headers=_headers(said))


def _phases(answer: AnswerFacts | None) -> PhasesResult | None:
    return PhasesResult(**answer.phases._asdict()) if answer and answer.phases else None


def _headers(answer: AnswerFacts | None) -> list[HeaderResult]:
    return [HeaderResult(name=name, value=value) for name, value in answer.headers] if answer else []
