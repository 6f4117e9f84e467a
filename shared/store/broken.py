"""Broken links by the page that they stand on. Bounded: a crawl may have a million of them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from shared import ids
from shared.models import Job
from shared.states import TaskKind
from shared.store import holders, task_records
from shared.store.engine import Store
from shared.store.tables import IS_FAILED, tasks
from shared.store.task_records import TaskRecord

_T = tasks.c
#: broken links of a job that are grouped
MOST = 20_000
#: shown of one page
MOST_LINKS = 20
#: (page, broken link) pairs that are looked at
_MOST_PAIRS = 400_000


@dataclass(frozen=True, slots=True)
class Holder:
    """A page that holds broken links; None for what no page held: a sitemap, or a person."""

    task_id: int | None
    url: str | None
    n: int
    #: the first MOST_LINKS
    links: list[TaskRecord]


def by_holder(store: Store, job: Job, limit: int, offset: int) -> tuple[list[Holder], int, bool]:
    """Pages with broken links, those with the most first; how many pages there are; whether all of them are known.

    A link is counted at each page that is known to hold it, up to `holders.MOST` of them and fewer where very many are
    broken; until the crawl has ended only the page is known where each was found first.
    """
    with store.snapshot() as conn:
        held, is_read = _held(conn, job), holders.is_read(conn, job)
        ranked = sorted(held, key=lambda page: (-len(held[page]), page is None, page or 0))
        shown = {page: held[page] for page in ranked[offset : offset + limit]}
        links = _records(conn, job, {task for some in shown.values() for task in some[:MOST_LINKS]})
        urls = task_records.urls(conn, {page for page in shown if page is not None}, {job.id: job})
    return (
        [
            Holder(page, urls.get(page or 0), len(some), [links[task] for task in some[:MOST_LINKS] if task in links])
            for page, some in shown.items()
        ],
        len(held),
        is_read,
    )


def _held(conn: Connection, job: Job) -> dict[int | None, list[int]]:
    """Page -> the broken links on it, in the order in which they were found."""
    failed = conn.execute(_failed(job)).all()
    most = min(holders.MOST, _MOST_PAIRS // max(1, len(failed)))
    named = holders.named(conn, job, most)
    found = defaultdict[int | None, list[int]](list)
    for row in failed:
        for page in named.get(row.id) or (row.source_id,):
            found[page].append(row.id)
    return found


def _records(conn: Connection, job: Job, task_ids: Iterable[int]) -> dict[int, TaskRecord]:
    rows: list[Any] = list(conn.execute(select(tasks).where(_T.id.in_(sorted(task_ids))).order_by(_T.id)))
    return {record.id: record for record in task_records.of_rows(conn, rows, {job.id: job})}


def _failed(job: Job) -> Select[Any]:
    # with a range of ids besides: by the job alone SQLite prefers the unique index, and walks through all rows
    mine = (_T.job_id == job.id, IS_FAILED, _T.id > ids.pack(job.id, 0), _T.id < ids.pack(job.id + 1, 0))
    return select(_T.id, _T.source_id).where(*mine, _T.kind == TaskKind.CRAWL_PAGE).order_by(_T.id).limit(MOST)
