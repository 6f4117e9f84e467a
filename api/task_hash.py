"""`/v1/tasks/{task_hash}` and `/v1/runtasks`: the task-hash dialect."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from api import lookup
from api.context import Answer, Call
from api.schemas.common import NoQuery
from api.schemas.task_hash import Execution, Params, RunTask, RunTasks, RunTasksQuery, TaskDefinition
from shared import ids
from shared.clock import iso
from shared.errors import NotFound
from shared.states import FINAL, TaskKind, TaskState
from shared.store import executions, pages
from shared.store.task_records import TaskRecord

_STATUS = {
    TaskState.PENDING: "pending",
    TaskState.QUEUED: "pending",
    TaskState.DELAYED: "pending",
    TaskState.RUNNING: "running",
    TaskState.COMPLETED: "completed",
    TaskState.FAILED: "failed",
    TaskState.SKIPPED: "completed",
    TaskState.CANCELLED: "aborted",
}
_RUN_STATUS = _STATUS | {TaskState.FAILED: "error"}
_DONE_REASON = {
    TaskState.COMPLETED: "completed",
    TaskState.FAILED: "error",
    TaskState.SKIPPED: "skipped",
    TaskState.CANCELLED: "run_aborted",
}
_NEVER_RUN = Execution(
    status="pending",
    started_at=None,
    ended_at=None,
    is_done=False,
    total_results=0,
    total_pages=0,
    done_reason=None,
    has_errors=False,
    errors=None,
)


def get_task(call: Call, _given: NoQuery) -> Answer:
    """A task by the hash of its page (with its newest execution) or of one execution."""
    text = call.path["task_hash"]
    found = ids.decode(text)
    if found is None or found.kind is ids.Kind.JOB:
        raise NotFound("Task not found")
    return Answer(_of_page(call, text) if found.kind is ids.Kind.PAGE else _of_task(call, text))


def _of_page(call: Call, text: str) -> TaskDefinition:
    try:
        page = lookup.page(call, text)
    except NotFound:
        raise NotFound("Task not found") from None
    newest = executions.newest_of_page(call.store, page.domain, page.url_hash)
    return TaskDefinition(
        object="task",
        hash_value=_hex(page.uid),
        created_at=iso(page.created_at) or "",
        is_active=page.removed_at is None,
        params=Params(url=page.url),
        module=TaskKind.CRAWL_PAGE,
        status=_execution(newest) if newest else _NEVER_RUN,
    )


def _of_task(call: Call, text: str) -> TaskDefinition:
    record = lookup.task(call, text)
    return TaskDefinition(
        object="task",
        hash_value=_hex(record.uid),
        created_at=iso(record.created_at) or "",
        is_active=pages.is_active(call.store, record.job.domain, record.url_hash),
        params=Params(url=record.url),
        module=record.kind,
        status=_execution(record),
    )


def _execution(record: TaskRecord) -> Execution:
    return Execution(
        status=_STATUS[record.state],  # type: ignore[arg-type]
        started_at=iso(record.started_at),
        ended_at=iso(record.completed_at),
        is_done=record.state in FINAL,
        total_results=_collected(record),
        total_pages=record.documents or 0,
        done_reason=_DONE_REASON.get(record.state),  # type: ignore[arg-type]
        has_errors=record.state is TaskState.FAILED,
        errors=record.error if record.state is TaskState.FAILED else None,
    )


def _expected(record: TaskRecord) -> int:
    return 1 if record.kind is TaskKind.CRAWL_PAGE else record.links_found or 0


def _collected(record: TaskRecord) -> int:
    if record.kind is TaskKind.CRAWL_PAGE:
        return int(record.state is TaskState.COMPLETED)
    return record.links_added or 0


def list_run_tasks(call: Call, given: RunTasksQuery) -> Answer:
    """The tasks executed in a run, oldest first."""
    job = lookup.job_in_query(call, "run", given.run)
    offset = (given.page - 1) * given.limit
    found, total = executions.of_job(call.store, job, given.limit, offset)
    pages_in_all = -(-total // given.limit)
    return Answer(
        RunTasks(
            total_results=total,
            limit=given.limit,
            page=given.page,
            total_pages=pages_in_all,
            result_from=offset + 1 if found else 0,
            result_to=offset + len(found) if found else 0,
            data=[_run_task(record) for record in found],
            next=_link(call, job.uid, given, given.page + 1) if given.page < pages_in_all else None,
            previous=_link(call, job.uid, given, min(given.page - 1, pages_in_all)) if given.page > 1 else None,
        )
    )


def _link(call: Call, run: str, given: RunTasksQuery, page: int) -> str:
    query = urlencode({"run": _hex(run), "page": page, "limit": given.limit})
    return f"{call.root}v1/runtasks?{query}"


def _run_task(record: TaskRecord) -> RunTask:
    is_collected = record.state in FINAL and _collected(record) > 0
    return RunTask(
        object="runtask",
        id=_hex(record.uid),
        task=_hex(record.page_uid or record.uid),
        run=_hex(record.job.uid),
        status=_RUN_STATUS[record.state],  # type: ignore[arg-type]
        params=Params(url=record.url),
        started_at=iso(record.started_at),
        ended_at=iso(record.completed_at),
        total_results=_expected(record),
        last_result=_collected(record),
        total_pages=record.documents or 0,
        last_page=0,
        last_collection_at=iso(record.completed_at) if is_collected else None,
        done_reason=_DONE_REASON.get(record.state),  # type: ignore[arg-type]
        done_reason_desc=_why(record),
    )


def _why(record: TaskRecord) -> Any:
    return record.error if record.state in (TaskState.FAILED, TaskState.SKIPPED) else None


def _hex(uid: str) -> str:
    return UUID(uid).hex
