"""Which pages link to what is broken: each page's links while its job runs, then the holders of what failed.

A page's links are 8 bytes each, in one row. They are read once, when the job has ended, and deleted with the same
transaction that notes who holds a broken one, so that none is counted twice and little stays.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from shared import ids
from shared.models import Job
from shared.packing import packed, unpacked
from shared.stages import Finish
from shared.states import JobState, TaskKind
from shared.store import task_records
from shared.store.among import among
from shared.store.attempt_tables import link_holders, page_links
from shared.store.engine import Store
from shared.store.hot_rows import HotInsert
from shared.store.tables import IS_FAILED, job_state, jobs, tasks

#: holders of one broken link that are named; all are counted
MOST = 100
#: broken links of a job that are looked for
MOST_BROKEN = 20_000
#: pages whose links are read in one transaction
_PAGES = 2_000
_CHUNK = 5_000
_ENDED = (JobState.CANCELLED, JobState.COMPLETED, JobState.FAILED)
_L, _H, _T = page_links.c, link_holders.c, tasks.c
_KEEP = HotInsert(page_links, ["task_id", "targets"])
_FOUND = select(link_holders).where(among(_H.task_id, "ids"))


@dataclass(frozen=True, slots=True)
class Holders:
    """The pages that link to a broken one."""

    n: int
    #: of the first MOST
    urls: tuple[str, ...]


def keep(conn: Connection, finished: Iterable[Finish]) -> None:
    """Keeps what ended pages link to."""
    rows = [{"task_id": o.work.id, "targets": o.targets} for o in finished if o.targets]
    if rows:
        _KEEP.put(conn, rows)


def tend(store: Store) -> int:
    """Notes the holders of what is broken in jobs that have ended; how many pages' links were read."""
    read = 0
    for job_no in _with_links(store):
        while n := store.write(lambda conn, job_no=job_no: _read(conn, job_no)):  # type: ignore[misc]
            read += n
    return read


def _with_links(store: Store) -> Iterator[int]:
    """The jobs that have links of pages, from one to the next over the index."""
    start = 0
    while True:
        with store.read() as conn:
            found = conn.execute(select(_L.task_id).where(_L.task_id >= start).order_by(_L.task_id).limit(1)).scalar()
        if found is None:
            return
        yield ids.job_of(found)
        start = ids.pack(ids.job_of(found) + 1, 0)


def _read(conn: Connection, job_no: int) -> int:
    """Reads some of an ended job's links, under the lock that a reopening takes; how many pages they were of."""
    conn.execute(select(job_state.c.job_id).where(job_state.c.job_id == job_no).with_for_update())
    if not _has_ended(conn, job_no):
        return 0
    some = conn.execute(select(page_links).where(*_of_job(_L.task_id, job_no)).order_by(_L.task_id).limit(_PAGES)).all()
    if not some:
        return 0
    found = _holders(some, _broken(conn, job_no))
    if found:
        _add(conn, found)
    conn.execute(delete(page_links).where(_L.task_id >= some[0].task_id, _L.task_id <= some[-1].task_id))
    return len(some)


def _has_ended(conn: Connection, job_no: int) -> bool:
    state = select(jobs.c.state).join(job_state, job_state.c.job_id == jobs.c.id).where(jobs.c.id == job_no)
    ended = state.where(jobs.c.state.in_(_ENDED), job_state.c.n_open == 0, job_state.c.discovering == 0)
    return conn.execute(ended).first() is not None


def _of_job(column: Any, job_no: int) -> tuple[Any, Any]:
    return column >= ids.pack(job_no, 0), column < ids.pack(job_no + 1, 0)


def _broken(conn: Connection, job_no: int) -> dict[int, int]:
    """URL hash -> task of what failed."""
    mine = (_T.job_id == job_no, IS_FAILED, *_of_job(_T.id, job_no), _T.kind == TaskKind.CRAWL_PAGE)
    query = select(_T.url_hash, _T.id).where(*mine).order_by(_T.id).limit(MOST_BROKEN)
    return {row.url_hash: row.id for row in conn.execute(query)}


def _holders(pages: Iterable[Any], broken: dict[int, int]) -> dict[int, list[int]]:
    """Broken task -> numbers of the pages that link to it."""
    found: dict[int, list[int]] = {}
    for page in pages:
        for url_hash in broken.keys() & unpacked("q", page.targets):
            found.setdefault(broken[url_hash], []).append(ids.seq_of(page.task_id))
    return found


def _add(conn: Connection, found: dict[int, list[int]]) -> None:
    known = {row.task_id: row for row in conn.execute(_FOUND, {"ids": sorted(found)})}
    rows = []
    for task_id, seqs in sorted(found.items()):
        before = known.get(task_id)
        named = [*(unpacked("I", before.holders) if before else ()), *seqs][:MOST]
        rows.append({"task_id": task_id, "n": len(seqs) + (before.n if before else 0), "holders": packed("I", named)})
    dialect: Any = sqlite if conn.dialect.name == "sqlite" else postgresql
    put = dialect.insert(link_holders)
    values = {name: put.excluded[name] for name in ("n", "holders")}
    conn.execute(put.on_conflict_do_update(index_elements=[_H.task_id], set_=values), rows)


def of_tasks(store: Store, job: Job, task_ids: Collection[int], most: int = MOST) -> dict[int, Holders]:
    """Who links to these tasks of a job, each with up to `most` URLs: known of those that failed once it has ended."""
    with store.snapshot() as conn:
        rows = conn.execute(_FOUND, {"ids": sorted(task_ids)}).all()
        named = {row.task_id: [ids.pack(job.id, seq) for seq in unpacked("I", row.holders)[:most]] for row in rows}
        urls = task_records.urls(conn, {task_id for some in named.values() for task_id in some}, {job.id: job})
    return {row.task_id: Holders(row.n, tuple(urls[i] for i in named[row.task_id] if i in urls)) for row in rows}


def named(conn: Connection, job: Job, most: int) -> dict[int, list[int]]:
    """Broken task -> up to `most` tasks whose pages link to it, of all that are known."""
    query = select(_H.task_id, _H.holders).where(*_of_job(_H.task_id, job.id))
    first = ids.pack(job.id, 0)
    return {row.task_id: [first + seq for seq in unpacked("I", row.holders)[:most]] for row in conn.execute(query)}


def is_read(conn: Connection, job: Job) -> bool:
    """Whether all links of a job's pages have been looked through: soon after its end."""
    return conn.execute(select(_L.task_id).where(*_of_job(_L.task_id, job.id)).limit(1)).first() is None


def forget_links(conn: Connection, job_no: int) -> int:
    """Deletes some of the links of a job's pages; how many."""
    return _forget(conn, page_links, job_no)


def forget_holders(conn: Connection, job_no: int) -> int:
    """Deletes some of the holders of a job's broken links; how many."""
    return _forget(conn, link_holders, job_no)


def _forget(conn: Connection, table: Table, job_no: int) -> int:
    task_id = table.c.task_id
    some = select(task_id).where(*_of_job(task_id, job_no)).order_by(task_id).limit(_CHUNK)
    return conn.execute(delete(table).where(task_id.in_(some.scalar_subquery()))).rowcount
