"""Two crawls of a domain side by side, page by page. No task is loaded that is not shown.

A page is in a crawl where it was crawled there, completed or failed. It is removed where the later crawl
has no task of it, not even a skipped one.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from sqlalchemy import Connection, Integer, Select, and_, case, cast, func, literal, null, or_, select, union_all

from shared import ids
from shared.errors import Conflict
from shared.models import Job
from shared.states import JobMode, JobState, TaskKind, TaskState
from shared.store import jobs as jobs_store
from shared.store.change_tables import changes
from shared.store.engine import Store
from shared.store.tables import Big, jobs, tasks

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
    judged = _judged(before, after)
    with store.snapshot() as conn:
        query = select(judged.c.kinds, func.count()).group_by(judged.c.kinds)
        groups = [(Kind(kinds), n) for kinds, n in conn.execute(query)]
        wanted = judged.c.kinds.bitwise_and(int(kind)) != 0 if kind else judged.c.kinds != 0
        ordered = select(judged).where(wanted).order_by(judged.c.now_id.is_(None), judged.c.now_id, judged.c.was_id)
        rows = conn.execute(ordered.limit(limit).offset(offset)).all()
        tasks_of = _tasks(conn, [i for row in rows for i in (row.now_id, row.was_id) if i is not None])
    counts = {k: sum(n for kinds, n in groups if k in kinds) for k in Kind}
    differing = sum(n for kinds, n in groups if kinds)
    pages = [_compared(row, tasks_of, before, after) for row in rows]
    unchanged = sum(n for kinds, n in groups if not kinds)
    return Comparison(counts, unchanged, pages, counts[kind] if kind else differing)


def _looks(job: Job, side: str) -> Select[Any]:
    """The pages of a job, the other side's columns empty. By the range of ids: planners know nothing of a fresh job."""
    t = tasks.c
    crawled = t.state.in_(_CRAWLED)
    mine = [t.id, case((crawled, t.state)), case((t.state == TaskState.COMPLETED, t.response_time))]
    other = [null(), null(), null()]
    columns = [*mine, *other] if side == "now" else [*other, *mine]
    return select(t.url_hash, *_typed(columns), literal(0, Integer).label("changed")).where(
        t.id >= ids.pack(job.id, 1), t.id < ids.pack(job.id + 1, 0), t.kind == TaskKind.CRAWL_PAGE
    )


_NAMES = ("now_id", "now_state", "now_time", "was_id", "was_state", "was_time")


def _typed(columns: list[Any]) -> list[Any]:
    return [cast(column, Big).label(name) for column, name in zip(columns, _NAMES, strict=True)]


def _changes(before: Job, after: Job) -> Select[Any]:
    """Pages with a change recorded after the one crawl began and up to the other, whichever came first."""
    low, high = sorted((before.id, after.id))
    c = changes.c
    return select(c.url_hash, *_typed([null()] * len(_NAMES)), literal(1, Integer).label("changed")).where(
        c.domain_id == after.domain.id, c.task_id >= ids.pack(low + 1, 0), c.task_id < ids.pack(high + 1, 0)
    )


def _judged(before: Job, after: Job) -> Any:
    """Each page of either crawl with its kinds: one pass over both, whatever a planner thinks of their sizes."""
    looks = union_all(_looks(after, "now"), _looks(before, "was"), _changes(before, after)).subquery()
    found = [func.max(looks.c[name]).label(name) for name in (*_NAMES, "changed")]
    pages = select(looks.c.url_hash, *found).group_by(looks.c.url_hash).subquery()
    p = pages.c
    in_either = or_(p.now_state.is_not(None), and_(p.was_state.is_not(None), p.now_id.is_(None)))
    return select(pages, _kinds(p).label("kinds")).where(in_either).subquery()


def _kinds(p: Any) -> Any:
    """The kinds of a page, as a number."""
    both = and_(p.now_state.is_not(None), p.was_state.is_not(None))
    broke = and_(p.now_state == TaskState.FAILED, p.was_state == TaskState.COMPLETED)
    mended = and_(p.now_state == TaskState.COMPLETED, p.was_state == TaskState.FAILED)
    slower = and_(p.now_time >= p.was_time * SLOWER_FACTOR, p.now_time - p.was_time >= SLOWER_MS)
    return (
        case((p.now_id.is_(None), int(Kind.REMOVED)), (p.was_state.is_(None), int(Kind.ADDED)), else_=0)
        + case((and_(both, p.changed == 1), int(Kind.CHANGED)), else_=0)
        + case((broke, int(Kind.NEWLY_BROKEN)), (mended, int(Kind.FIXED)), else_=0)
        + case((slower, int(Kind.SLOWER)), else_=0)
    )


def _tasks(conn: Connection, task_ids: list[int]) -> dict[int, Any]:
    return {row.id: row for row in conn.execute(select(tasks).where(tasks.c.id.in_(task_ids)))}


def _compared(row: Any, tasks_of: dict[int, Any], before: Job, after: Job) -> Compared:
    now, was = tasks_of.get(row.now_id), tasks_of.get(row.was_id)
    shown, job = (now, after) if now is not None else (tasks_of[row.was_id], before)
    return Compared(
        Kind(row.kinds),
        job.domain.page_uuid(row.url_hash),
        (shown.origin or job.origin or "") + shown.path,
        _side(was, before),
        _side(now, after),
    )


def _side(row: Any, job: Job) -> Side | None:
    if row is None or row.state not in _CRAWLED:
        return None
    return Side(str(ids.task_uuid(job.ms, row.id)), TaskState(row.state), row.status_code, row.response_time)
