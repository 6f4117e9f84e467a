"""Two crawls of a domain side by side, page by page. No task is loaded that is not shown.

A page is in a crawl where it was crawled there, completed or failed; skipped and cancelled ones are not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from sqlalchemy import Connection, Integer, Select, and_, case, func, literal, select

from shared import ids
from shared.errors import Conflict
from shared.models import Job
from shared.states import JobMode, JobState, TaskKind, TaskState
from shared.store import jobs as jobs_store
from shared.store.change_tables import changes
from shared.store.engine import Store
from shared.store.tables import jobs, tasks

#: a page is slower that took at least this much longer: so many times, and so many milliseconds
SLOWER_FACTOR, SLOWER_MS = 1.5, 200
_CRAWLED = (TaskState.COMPLETED, TaskState.FAILED)


class Kind(IntFlag):
    """How a page differs between two crawls."""

    ADDED = 1
    REMOVED = 2
    CHANGED = 4
    NEWLY_BROKEN = 8
    FIXED = 16
    SLOWER = 32

    @property
    def words(self) -> list[str]:
        """Their names."""
        return [kind.name.lower() for kind in Kind if kind in self and kind.name]


@dataclass(frozen=True, slots=True)
class Side:
    """A page in one crawl."""

    task_uid: str
    state: TaskState
    status_code: int | None
    #: milliseconds
    response_time: int | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A page that differs."""

    kinds: Kind
    page_uid: str
    url: str
    before: Side | None
    after: Side | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs: how many pages of each kind, and some of those asked for."""

    counts: dict[Kind, int]
    #: pages in both crawls that do not differ
    unchanged: int
    pages: list[Compared]
    #: pages of the kind asked for, or that differ at all
    total: int


def previous(store: Store, job: Job) -> Job:
    """The crawl of the domain that was completed last before this one was created. Raises Conflict without any."""
    earlier = select(jobs.c.id).where(
        jobs.c.domain_id == job.domain.id,
        jobs.c.id < job.id,
        jobs.c.mode == JobMode.CRAWL,
        jobs.c.state == JobState.COMPLETED,
    )
    with store.read() as conn:
        found = conn.execute(earlier.order_by(jobs.c.id.desc()).limit(1)).scalar()
    if found is None:
        raise Conflict("There is no earlier completed crawl of this domain to compare with")
    return jobs_store.get(store, found, job.organisation_id)


def compare(store: Store, before: Job, after: Job, kind: Kind | None, limit: int, offset: int) -> Comparison:
    """Compares two crawls of one domain; pages in the order in which `after` found them, removed ones last."""
    with store.snapshot() as conn:
        n, unchanged = _counted(conn, before, after)
        gone = conn.execute(select(func.count()).select_from(_removed(before, after).subquery())).scalar_one()
        counts = {k: gone if k is Kind.REMOVED else n.get(k, 0) for k in Kind}
        here = 0 if kind is Kind.REMOVED else sum(n[k] for k in (kind,)) if kind else n[Kind(0)]
        rows: list[Any] = []
        if offset < here:
            rows += conn.execute(_differing(before, after, kind).limit(limit).offset(offset)).all()
        there = gone if kind in (None, Kind.REMOVED) else 0
        if len(rows) < limit and there:
            query = _removed(before, after).order_by(tasks.c.id)
            rows += conn.execute(query.limit(limit - len(rows)).offset(max(0, offset - here))).all()
    return Comparison(counts, unchanged, [_compared(row, before, after) for row in rows], here + there)


_B = tasks.alias("b")
_A = tasks
_BOTH = ("id", "state", "status_code", "response_time", "origin", "path", "url_hash")


def _in(table: Any, job: Job) -> tuple[Any, ...]:
    """By the range of ids: PostgreSQL has no statistics of a fresh job."""
    return (
        table.c.id >= ids.pack(job.id, 1),
        table.c.id < ids.pack(job.id + 1, 0),
        table.c.kind == TaskKind.CRAWL_PAGE,
        table.c.state.in_(_CRAWLED),
    )


def _changed_between(before: Job, after: Job) -> Any:
    """Pages with a change recorded after the one crawl began and up to the other, whichever came first."""
    low, high = sorted((before.id, after.id))
    c = changes.c
    found = (
        select(c.url_hash)
        .where(c.domain_id == after.domain.id, c.task_id >= ids.pack(low + 1, 0), c.task_id < ids.pack(high + 1, 0))
        .distinct()
    )
    return found.subquery("changed")


def _kinds(changed: Any) -> Any:
    """The kinds of a page of the later crawl, as a number."""
    is_there = _B.c.id.is_not(None)
    was, now = _B.c.response_time, _A.c.response_time
    broke = and_(_A.c.state == TaskState.FAILED, _B.c.state == TaskState.COMPLETED)
    mended = and_(_A.c.state == TaskState.COMPLETED, _B.c.state == TaskState.FAILED)
    worked = and_(_A.c.state == TaskState.COMPLETED, _B.c.state == TaskState.COMPLETED)
    slower = and_(worked, now >= was * SLOWER_FACTOR, now - was >= SLOWER_MS)
    return (
        case((_B.c.id.is_(None), int(Kind.ADDED)), else_=0)
        + case((and_(is_there, changed.c.url_hash.is_not(None)), int(Kind.CHANGED)), else_=0)
        + case((broke, int(Kind.NEWLY_BROKEN)), (mended, int(Kind.FIXED)), else_=0)
        + case((slower, int(Kind.SLOWER)), else_=0)
    )


def _matched(before: Job, after: Job) -> Select[Any]:
    """The pages of the later crawl beside what they were in the earlier one, with their kinds."""
    changed = _changed_between(before, after)
    was = and_(_B.c.url_hash == _A.c.url_hash, *_in(_B, before), _B.c.job_id == before.id)
    columns = [_A.c[name] for name in _BOTH] + [_B.c[name].label(f"was_{name}") for name in _BOTH[:4]]
    return (
        select(*columns, _kinds(changed).label("kinds"))
        .outerjoin(_B, was)
        .outerjoin(changed, changed.c.url_hash == _A.c.url_hash)
        .where(*_in(_A, after))
    )


def _differing(before: Job, after: Job, kind: Kind | None) -> Select[Any]:
    found = _matched(before, after).subquery()
    wanted = found.c.kinds.bitwise_and(int(kind)) != 0 if kind else found.c.kinds != 0
    return select(found).where(wanted).order_by(found.c.id)


def _removed(before: Job, after: Job) -> Select[Any]:
    """Pages that the later crawl has no task of."""
    still = select(_B.c.id).where(_B.c.job_id == after.id, _B.c.url_hash == _A.c.url_hash).exists()
    columns = [_A.c[name] for name in _BOTH]
    kinds = literal(int(Kind.REMOVED), Integer).label("kinds")
    return select(*columns, kinds).where(*_in(_A, before), ~still)


def _counted(conn: Connection, before: Job, after: Job) -> tuple[dict[Kind, int], int]:
    """How many pages of the later crawl are of each kind (Kind(0): of any), and how many of none."""
    found = _matched(before, after).subquery()
    query = select(found.c.kinds, func.count()).group_by(found.c.kinds)
    groups = [(Kind(kinds), n) for kinds, n in conn.execute(query)]
    return _summed(groups), sum(n for kinds, n in groups if not kinds)


def _summed(groups: Iterable[tuple[Kind, int]]) -> dict[Kind, int]:
    counts = dict.fromkeys([Kind(0), *Kind], 0)
    for kinds, n in groups:
        if kinds:
            counts[Kind(0)] += n
        for kind in Kind:
            counts[kind] += n if kind in kinds else 0
    return counts


def _compared(row: Any, before: Job, after: Job) -> Compared:
    kinds = Kind(row.kinds)
    is_gone = kinds is Kind.REMOVED
    job = before if is_gone else after
    shown = Side(str(ids.task_uuid(job.ms, row.id)), TaskState(row.state), row.status_code, row.response_time)
    was = None
    if not is_gone and row.was_id is not None:
        uid = str(ids.task_uuid(before.ms, row.was_id))
        was = Side(uid, TaskState(row.was_state), row.was_status_code, row.was_response_time)
    url = (row.origin or job.origin or "") + row.path
    return Compared(
        kinds, job.domain.page_uuid(row.url_hash), url, shown if is_gone else was, None if is_gone else shown
    )
