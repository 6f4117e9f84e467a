"""The data of `views`: two crawls of one domain that have ended, and a third that still runs, all of one size."""

import dataclasses
import json
from array import array
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, insert

from shared.changes import ChangeType
from shared.ids import new_uuid, pack
from shared.packing import packed
from shared.states import JobMode, JobState, TaskState
from shared.store import Store, counters, keys, open_store
from shared.store.attempt_tables import link_holders
from shared.store.change_tables import changes
from shared.store.tables import domains, job_state, jobs, pages
from tests.bench.dataset import Plan, Write
from tests.bench.rows import COLUMNS, START, Maker, Row

HOST = "www.example.com"
ORGANISATION = "bench"
#: the numbers of the crawls; the first one is there to compare the second with
FIRST, ENDED, RUNNING = 1, 2, 3
_IN_FLIGHT, _CHANGES = 20, 2_000
_STATE, _ID, _HASH, _PATH = (COLUMNS.index(name) for name in ("state", "id", "url_hash", "path"))
#: what only an ended task has
_MEASURED = (
    "started_at completed_at status_code cache_status second_cache_status response_time second_response_time bytes "
    "links_found links_added documents pv7 pv28 pv180 content_type error"
).split()


def plan() -> Plan:
    """For `dataset`."""
    return Plan("views_1", ENDED, _fill)


def _fill(url: str, n: int, write: Write) -> None:
    store = open_store(url)
    owner = keys.create(store, ORGANISATION, "bench")[0].organisation_id
    store.write(lambda conn: _add_jobs(conn, owner, n))
    for job_no in (FIRST, ENDED, RUNNING):
        maker = Maker(job_no, FIRST)
        ended = n if job_no != RUNNING else n - n // 10
        for batch in maker.batches(ended):
            write(batch)
            _add_beside(store, job_no, owner, batch)
        # what is not ended is not counted
        tally = dataclasses.replace(maker.tally, cells=dict(maker.tally.cells), times=maker.tally.times.copy())
        for batch in maker.batches(n - ended):
            write(
                [
                    _open(row, at < _IN_FLIGHT and batch[0][_ID] == pack(RUNNING, ended + 2))
                    for at, row in enumerate(batch)
                ]
            )
        store.write(lambda conn, job=job_no, tally=tally: counters.append(conn, [(job, tally)]))  # type: ignore[misc]
    while counters.fold(store):
        pass
    store.close()


def _open(row: Row, is_running: bool) -> Row:
    """The task before it has ended."""
    state = TaskState.RUNNING if is_running else TaskState.PENDING
    started = {"started_at": START, "claimed_until": 2 * START} if is_running else {}
    values = dict(zip(COLUMNS, row, strict=True)) | dict.fromkeys(_MEASURED) | {"attempts": 0} | started
    return tuple((values | {"state": state.value}).values())


def _add_beside(store: Store, job_no: int, owner: int, batch: list[Row]) -> None:
    """The pages of the first crawl, what the second found changed, and who links to what both found broken."""
    if job_no == FIRST:
        store.write(lambda conn: conn.execute(insert(pages), [_page(row) for row in batch]))
    if job_no == ENDED:
        changed = [_change(row, owner) for row in batch[:: max(1, len(batch) * 50 // _CHANGES)]]
        store.write(lambda conn: conn.execute(insert(changes), changed))
    held = [_held(row) for row in batch if row[_STATE] == TaskState.FAILED]
    if job_no != RUNNING and held:
        store.write(lambda conn: conn.execute(insert(link_holders), held))


def _page(row: Row) -> dict[str, Any]:
    known = {"url_hash": row[_HASH], "path": row[_PATH], "last_task_id": row[_ID], "status_code": 200}
    return {"domain_id": 1, "origin": f"https://{HOST}", "created_at": START, "crawled_at": START} | known


def _change(row: Row, owner: int) -> dict[str, Any]:
    facts = json.dumps({"title": "A page"})
    what = {"types": ChangeType.CONTENT.value, "similarity": 9_000, "before": facts, "after": facts, "truncated": 0}
    where = {"organisation_id": owner, "domain_id": 1, "url_hash": row[_HASH], "task_id": row[_ID]}
    return where | what | {"job_ms": START // 1000, "created_at": START}


def _held(row: Row) -> dict[str, Any]:
    """By up to a hundred pages."""
    n = row[_ID] % 100 + 1
    return {"task_id": row[_ID], "n": n, "holders": packed("I", array("I", range(2, 2 + n)))}


def _add_jobs(conn: Connection, owner: int, n: int) -> None:
    mine = {"organisation_id": owner, "created_at": START}
    conn.execute(insert(domains).values(id=1, uid=str(new_uuid()), ms=START // 1000, host=HOST, **mine))
    conn.execute(insert(jobs), list(_jobs(mine)))
    conn.execute(insert(job_state), [_state(job_no, n) for job_no in (FIRST, ENDED, RUNNING)])


def _jobs(mine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    shown = {"origin": f"https://{HOST}", "source_type": "api", "source_detail": "create_job"}
    options = {"mode": JobMode.CRAWL, "use_sitemap": 1, "find_links": 1, "cross_subdomain": 1}
    limits = {"respect_robots": 1, "max_pages": 0, "concurrency": _IN_FLIGHT, "started_at": START}
    for job_no in (FIRST, ENDED, RUNNING):
        is_running = job_no == RUNNING
        state = JobState.RUNNING if is_running else JobState.COMPLETED
        ended = {"state": state, "completed_at": None if is_running else START + 10**12}
        yield {"id": job_no, "domain_id": 1, **mine, **shown, **options, **limits, **ended}


def _state(job_no: int, n: int) -> dict[str, Any]:
    is_running = job_no == RUNNING
    left = {"n_open": n // 10 if is_running else 0, "n_inflight": _IN_FLIGHT if is_running else 0}
    return {"job_id": job_no, "next_seq": n + 2, "n_pages": n, "window": _IN_FLIGHT, "discovering": 0, **left}
