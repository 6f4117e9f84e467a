"""Finding queue jobs by id, URL or error, the newest crawl first. Bounded in time: nothing here has an index."""

import time
from typing import Any

from sqlalchemy import Connection, or_, select

from shared import ids, urls
from shared.errors import InvalidUrl, NotFound, StoreUnavailable
from shared.store import jobs as jobs_store
from shared.store import queue_jobs, task_records, tasks
from shared.store.bounds import bounded
from shared.store.engine import Store
from shared.store.queue_jobs import QueueJobFilter
from shared.store.tables import tasks as table
from shared.store.task_lists import holds, path_holds
from shared.store.task_records import TaskRecord

SECONDS = 2.0
_TOO_LONG = "The search took too long"


def find(store: Store, which: QueueJobFilter, text: str, limit: int) -> tuple[list[TaskRecord], bool]:
    """Up to `limit` queue jobs, and whether all that there are were looked at."""
    by_id = _by_id(store, which, text)
    if by_id is not None:
        return [by_id], True
    deadline, found = time.monotonic() + SECONDS, list[TaskRecord]()
    for job_no in reversed(queue_jobs.jobs_with(store, which)):
        left = deadline - time.monotonic()
        if left <= 0 or len(found) >= limit:
            return found[:limit], False
        try:
            found += _in_job(store, job_no, which, text, limit - len(found), left)
        except StoreUnavailable as error:
            if error.message != _TOO_LONG:
                raise
            return found, False
    return found, len(found) < limit


def _by_id(store: Store, which: QueueJobFilter, text: str) -> TaskRecord | None:
    named = ids.decode(text)
    if named is None or named.kind is not ids.Kind.TASK:
        return None
    try:
        record = tasks.get(store, which.organisation_id, named.body)
    except NotFound:
        return None
    return record if record.job.ms == named.ms else None


def _in_job(
    store: Store, job_no: int, which: QueueJobFilter, text: str, limit: int, seconds: float
) -> list[TaskRecord]:
    with store.snapshot() as conn, bounded(conn, seconds, _TOO_LONG):
        query = select(table).where(*queue_jobs.scope(conn, job_no, which.states), _wanted(text))
        if which.kind is not None:
            query = query.where(table.c.kind == which.kind)
        rows: list[Any] = list(conn.execute(query.order_by(table.c.id.desc()).limit(limit)))
        return _records(conn, rows, job_no)


def _records(conn: Connection, rows: list[Any], job_no: int) -> list[TaskRecord]:
    return task_records.of_rows(conn, rows, jobs_store.load(conn, {job_no})) if rows else []


def _wanted(text: str) -> Any:
    """A whole URL by its key, anything else wherever it stands in a path or an error."""
    if text.startswith(("http://", "https://")):
        try:
            return table.c.url_hash == urls.url_key(urls.canonicalise(text))
        except InvalidUrl:
            pass
    return or_(path_holds(text), holds(table.c.error, text))
