"""Two crawls of a domain side by side, page by page. No task is loaded that is not shown.

A page is in a crawl where it was crawled there, completed or failed. It is removed where the later crawl
has no task of it, not even a skipped one; of those it has changed where a change says so: it redirects now.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from shared import ids
from shared.errors import Conflict
from shared.models import Job
from shared.states import JobMode, JobState, TaskState
from shared.store import differences, looks, orders
from shared.store import jobs as jobs_store
from shared.store.change_tables import changes
from shared.store.differences import Differences, Kind
from shared.store.engine import Store
from shared.store.looks import Looks
from shared.store.orders import Order
from shared.store.tables import jobs, tasks

_CRAWLED = (TaskState.COMPLETED, TaskState.FAILED)
#: comparisons kept for the next page of the same one: 9 bytes a page that differs
_KEPT = 8
#: one with a crawl that still changes is kept for so many seconds, where it is large: it takes 0.2 s at 100,000 pages
_FRESH, _LARGE = 10.0, 20_000
#: with the moment (monotonic) until which each is true enough
_kept: OrderedDict[tuple[Any, ...], tuple[Differences, float]] = OrderedDict()
_lock = threading.Lock()


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
        found = _differences(conn, before, after)
        shown = found.page(kind, limit, offset)
        rows = _tasks(conn, [i for now, was, _ in shown for i in (_id(after, now), _id(before, was)) if i])
    counts = found.counts
    pages = [
        _compared(kinds, rows.get(_id(after, now)), rows.get(_id(before, was)), before, after)
        for now, was, kinds in shown
    ]
    return Comparison(counts, found.unchanged, pages, counts[kind] if kind else len(found.kinds))


def _id(job: Job, seq: int | None) -> int:
    """The task with this number; 0: none."""
    return 0 if seq is None else ids.pack(job.id, seq)


def _differences(conn: Connection, before: Job, after: Job) -> Differences:
    """Those of two ended jobs are kept: their orders never change, and new changes are seen."""
    was, now = orders.ready(conn, before.id), orders.ready(conn, after.id)
    key: tuple[Any, ...] = (str(conn.engine.url), before.id, after.id)
    if was is not None and now is not None:
        key += (was.id, was.made_at, now.id, now.made_at, _newest_change(conn, after))
    kept = _recall(key)
    if kept is not None:
        return kept
    looks_then, looks_now = _looks(conn, before, was), _looks(conn, after, now)
    found = differences.between(looks_then, looks_now, _changed(conn, before, after))
    if was is not None and now is not None:
        _keep(key, found, math.inf)
    elif max(len(looks_then.hashes), len(looks_now.hashes)) >= _LARGE:
        _keep(key, found, time.monotonic() + _FRESH)
    return found


def _recall(key: tuple[Any, ...]) -> Differences | None:
    with _lock:
        found, until = _kept.get(key, (None, 0.0))
        if found is not None and time.monotonic() < until:
            _kept.move_to_end(key)
            return found
    return None


def _keep(key: tuple[Any, ...], found: Differences, until: float) -> None:
    with _lock:
        _kept[key] = found, until
        _kept.move_to_end(key)
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)


def _looks(conn: Connection, job: Job, order: Order | None) -> Looks:
    return (order and looks.of_order(conn, order)) or looks.of_rows(conn, job.id)


def _changed(conn: Connection, before: Job, after: Job) -> set[int]:
    """Pages with a change recorded after the one crawl began and up to the other, whichever came first."""
    low, high = sorted((before.id, after.id))
    c = changes.c
    query = select(c.url_hash).where(
        c.domain_id == after.domain.id, c.task_id >= ids.pack(low + 1, 0), c.task_id < ids.pack(high + 1, 0)
    )
    return set(conn.execute(query).scalars())


def _newest_change(conn: Connection, job: Job) -> tuple[int | None, ...]:
    """What says that the changes of a domain are those that they were."""
    ends = select(func.min(changes.c.id), func.max(changes.c.id)).where(changes.c.domain_id == job.domain.id)
    return tuple(conn.execute(ends).one())


def _tasks(conn: Connection, task_ids: list[int]) -> dict[int, Any]:
    return {row.id: row for row in conn.execute(select(tasks).where(tasks.c.id.in_(task_ids)))}


def _compared(kinds: Kind, now: Any, was: Any, before: Job, after: Job) -> Compared:
    shown, job = (now, after) if now is not None else (was, before)
    return Compared(
        kinds,
        job.domain.page_uuid(shown.url_hash),
        (shown.origin or job.origin or "") + shown.path,
        _side(was, before),
        _side(now, after, (*_CRAWLED, TaskState.SKIPPED) if kinds & Kind.CHANGED else _CRAWLED),
    )


def _side(row: Any, job: Job, shown: Collection[TaskState] = _CRAWLED) -> Side | None:
    if row is None or row.state not in shown:
        return None
    return Side(str(ids.task_uuid(job.ms, row.id)), TaskState(row.state), row.status_code, row.response_time)
