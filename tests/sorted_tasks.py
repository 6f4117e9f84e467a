"""Ended jobs with rows of any kind, and Python's sort of them: what lists are compared with."""

import itertools
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import insert, update

from shared import ids
from shared.clock import now_us
from shared.models import Job
from shared.states import V1_STATUS, CacheStatus, TaskKind, TaskState
from shared.store import (
    Store,
    counters,
    orders,
    task_lists,
)
from shared.store.tables import job_state
from shared.store.tables import tasks as tasks_table
from shared.store.task_lists import SORTS, TaskFilter, Window
from tests.crawls import Crawl

HIT, MISS = (CacheStatus.HIT, CacheStatus.DYNAMIC), (CacheStatus.MISS, CacheStatus.EXPIRED)
FILTERS = [
    TaskFilter(states, cache, path, code)
    for states in (None, (TaskState.COMPLETED,), (TaskState.FAILED,), (TaskState.SKIPPED, TaskState.CANCELLED))
    for cache in (None, HIT, MISS)
    for path in (None, "a")
    for code in (None, 200, 404)
]
WAYS = list(itertools.product(SORTS, (False, True)))
FINAL = st.sampled_from([TaskState.COMPLETED, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED])


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


few = maybe(st.integers(0, 3))
ROW = st.fixed_dictionaries(
    {
        "state": FINAL,
        "status_code": maybe(st.sampled_from([200, 301, 404])),
        "cache_status": maybe(st.sampled_from(list(CacheStatus))),
        "response_time": few,
        "second_response_time": few,
        "pv7": few,
        "pv28": st.none(),
        "pv180": maybe(st.integers(0, 2**31 - 1)),
        "path": st.text("aB~/é%", min_size=1, max_size=3),
    }
)


def ended_job(store: Store, rows: list[dict[str, Any]]) -> Job:
    """A completed job with these page tasks."""
    crawl = Crawl(store)
    crawl.discover()
    fill(store, crawl.job.id, rows)
    return crawl.now


def fill(store: Store, job_no: int, rows: list[dict[str, Any]]) -> None:
    tally = counters.Tally()
    fixed = {"job_id": job_no, "kind": TaskKind.CRAWL_PAGE, "source_type": 1, "created_at": now_us()}
    made = [{"url_hash": seq, **fixed, **row, "id": ids.pack(job_no, seq)} for seq, row in enumerate(rows, 2)]
    for row in made:
        is_counted = row["state"] != TaskState.CANCELLED
        names = ("status_code", "cache_status", "response_time")
        tally.add(row["state"], *(row[name] if is_counted else None for name in names), None)

    def step(conn: Any) -> None:
        if made:
            conn.execute(insert(tasks_table), made)
        counters.append(conn, [(job_no, tally)])
        conn.execute(update(job_state).where(job_state.c.job_id == job_no).values(next_seq=len(made) + 2))

    store.write(step)


def read(store: Store, job: Job, which: TaskFilter, window: Window) -> tuple[list[int], int]:
    found, total = task_lists.page(store, job, which, window)
    return [ids.seq_of(record.id) for record in found], total


def is_ready(store: Store, job: Job) -> bool:
    with store.read() as conn:
        return orders.ready(conn, job.id) is not None


def expected(rows: list[dict[str, Any]], which: TaskFilter, sort: str, descending: bool) -> list[int]:
    """Python's sort of the rows."""
    wanted = [(seq, row) for seq, row in enumerate(rows, 2) if lets_through(which, row)]
    if sort == "created_at":
        return [seq for seq, _ in wanted][:: -1 if descending else 1]
    known = [(seq, value(row, sort)) for seq, row in wanted if value(row, sort) is not None]
    known.sort(key=lambda pair: pair[1], reverse=descending)
    return [seq for seq, _ in known] + [seq for seq, row in wanted if value(row, sort) is None]


def value(row: dict[str, Any], sort: str) -> Any:
    if sort == "status":
        return V1_STATUS[row["state"]]
    if sort == "cache_status":
        return row["cache_status"] and row["cache_status"].name
    views = {"page_views_7d": "pv7", "page_views_28d": "pv28", "page_views_180d": "pv180"}
    return row[views.get(sort, sort)]


def lets_through(which: TaskFilter, row: dict[str, Any]) -> bool:
    measured = which.cache is not None or which.status_code is not None
    return (
        (which.states is None or row["state"] in which.states)
        and (which.cache is None or row["cache_status"] in which.cache)
        and (which.status_code is None or row["status_code"] == which.status_code)
        and (which.path is None or which.path.lower() in row["path"].lower())
        and not (measured and row["state"] == TaskState.CANCELLED)
    )


def varied(n: int = 41) -> list[dict[str, Any]]:
    """Rows with ties and nulls everywhere."""
    states = itertools.cycle([TaskState.COMPLETED, TaskState.FAILED, TaskState.COMPLETED, TaskState.SKIPPED])
    return [
        {
            "state": next(states),
            "status_code": (200, 404, None)[i % 3],
            "cache_status": (CacheStatus.HIT, None, CacheStatus.MISS, CacheStatus.EXPIRED)[i * 7 % 4],
            "response_time": (i * 13 % 5) or None,
            "second_response_time": None,
            "pv7": i * 3 % 7,
            "pv28": i % 2 or None,
            "pv180": None,
            "path": f"/{i * 17 % 19}",
        }
        for i in range(n)
    ]
