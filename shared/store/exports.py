"""Exports: a job's tasks in parts, each its own short read, so that no snapshot is held for long."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Any

from sqlalchemy import func, or_, select

from shared.models import Job
from shared.states import TaskState
from shared.store import holders, orders, task_records
from shared.store.counters import SLOW_MS
from shared.store.engine import Store
from shared.store.tables import tasks
from shared.store.task_lists import TaskFilter, condition
from shared.store.task_records import TaskRecord

_CHUNK = 1000
#: broken links whose pages, a hundred each at most, are read at once
_HELD = 50
_PAGE_VIEWS = ("page_views_7d", "page_views_28d", "page_views_180d")


class ExportType(StrEnum):
    """Which tasks to export."""

    JOB = "job"
    BROKEN_LINKS = "broken-links"
    #: each broken link once for every page that is known to hold it
    BROKEN_LINKS_BY_PAGE = "broken-links-by-page"
    SLOW_PAGES = "slow-pages"


def rows(store: Store, job: Job, which: ExportType, limit: int | None = None) -> Iterator[TaskRecord]:
    """Tasks in the order of their ids, up to `limit`."""
    last, left = 0, limit
    while left is None or left > 0:
        size = _CHUNK if left is None else min(_CHUNK, left)
        chunk = _chunk(store, job, which, last, size)
        yield from _by_page(store, job, chunk) if which is ExportType.BROKEN_LINKS_BY_PAGE else chunk
        if len(chunk) < size:
            return
        last = chunk[-1].id
        left = None if left is None else left - size


def _by_page(store: Store, job: Job, failed: list[TaskRecord]) -> Iterator[TaskRecord]:
    """As if each had been found on every page that links to it; until the crawl has ended the first one is known."""
    for start in range(0, len(failed), _HELD):
        some = failed[start : start + _HELD]
        known = holders.of_tasks(store, job, [record.id for record in some])
        for record in some:
            held = known.get(record.id)
            yield from (replace(record, source_url=url) for url in held.urls) if held and held.urls else (record,)


def _chunk(store: Store, job: Job, which: ExportType, last: int, size: int) -> list[TaskRecord]:
    query = select(tasks).where(_condition(job, which), tasks.c.id > last).order_by(tasks.c.id).limit(size)
    with store.read() as conn:
        return task_records.of_rows(conn, list(conn.execute(query)), {job.id: job})


def _condition(job: Job, which: ExportType) -> Any:
    if which in (ExportType.BROKEN_LINKS, ExportType.BROKEN_LINKS_BY_PAGE):
        return condition(job.id, TaskFilter(states=(TaskState.FAILED,)))
    everything = condition(job.id, TaskFilter())
    if which is ExportType.JOB:
        return everything
    return everything & (func.coalesce(tasks.c.second_response_time, tasks.c.response_time) > SLOW_MS)


def has_page_views(store: Store, job: Job) -> bool:
    """Whether any task of the job has page views."""
    known = or_(*(tasks.c[orders.FIELDS[name]].is_not(None) for name in _PAGE_VIEWS))
    query = select(tasks.c.id).where(condition(job.id, TaskFilter()), known).limit(1)
    with store.snapshot() as conn:
        if order := orders.ready(conn, job.id):
            return orders.has_values(conn, order, _PAGE_VIEWS)
        return conn.execute(query).first() is not None
