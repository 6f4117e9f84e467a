"""Broken links by the page that they stand on. Bounded: a crawl may have a million of them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, false, func, or_, select

from shared import ids
from shared.models import Job
from shared.states import TaskKind
from shared.store import task_records
from shared.store.engine import Store
from shared.store.tables import IS_FAILED, tasks
from shared.store.task_records import TaskRecord

_T = tasks.c
#: broken links of a job that are grouped
MOST = 20_000
#: shown of one page
MOST_LINKS = 20


@dataclass(frozen=True, slots=True)
class Holder:
    """A page that holds broken links; None for what no page held: a sitemap, or a person."""

    task_id: int | None
    url: str | None
    n: int
    #: the first MOST_LINKS
    links: list[TaskRecord]


def by_holder(store: Store, job: Job, limit: int, offset: int) -> tuple[list[Holder], int]:
    """Pages with broken links, those with the most first, and how many pages there are.

    A link is counted at the page where it was found first: the record keeps one.
    """
    some = _failed(job).subquery()
    counted = select(some.c.source_id, func.count().label("n")).group_by(some.c.source_id).subquery()
    query = select(counted).order_by(counted.c.n.desc(), counted.c.source_id).limit(limit).offset(offset)
    with store.snapshot() as conn:
        total = conn.execute(select(func.count()).select_from(counted)).scalar_one()
        found = {row.source_id: row.n for row in conn.execute(query)}
        rows: list[Any] = list(conn.execute(_links(job, found))) if found else []
        records = task_records.of_rows(conn, rows, {job.id: job})
    by_source: dict[int | None, list[TaskRecord]] = {source: [] for source in found}
    for row, record in zip(rows, records, strict=True):
        by_source[row.source_id].append(record)
    return [_holder(source, n, by_source[source]) for source, n in found.items()], total


def _holder(source: int | None, n: int, links: list[TaskRecord]) -> Holder:
    return Holder(source, links[0].source_url if links else None, n, links)


def _failed(job: Job) -> Select[Any]:
    # with a range of ids besides: by the job alone SQLite prefers the unique index, and walks through all rows
    mine = (_T.job_id == job.id, IS_FAILED, _T.id > ids.pack(job.id, 0), _T.id < ids.pack(job.id + 1, 0))
    return select(_T.id, _T.source_id).where(*mine, _T.kind == TaskKind.CRAWL_PAGE).order_by(_T.id).limit(MOST)


def _links(job: Job, sources: dict[int | None, int]) -> Select[Any]:
    some = _failed(job).subquery()
    place = func.row_number().over(partition_by=some.c.source_id, order_by=some.c.id).label("place")
    known = [source for source in sources if source is not None]
    wanted = or_(some.c.source_id.in_(known), some.c.source_id.is_(None) if None in sources else false())
    placed = select(some.c.id, place).where(wanted).subquery()
    shown = select(placed.c.id).where(placed.c.place <= MOST_LINKS)
    return select(tasks).where(_T.id.in_(shown)).order_by(_T.id)
