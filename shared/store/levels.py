"""Jobs with a `max_depth`: one level of depth after another, so that each page's depth is its shortest way.

Were deeper pages crawled while one further up still runs, a page could be found by a long way first, and what it
links to be left out: the set of pages would then depend on how fast a server answers.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from shared.stages import Finish, Found
from shared.states import TaskKind
from shared.store.tables import IS_IN_FLIGHT, IS_PENDING, tasks

_T = tasks.c
_RUNNING = select(func.min(_T.depth)).where(
    _T.job_id == bindparam("job"), IS_IN_FLIGHT, _T.kind == bindparam("kind", TaskKind.CRAWL_PAGE)
)
_RAISE = (
    update(tasks)
    .where(_T.job_id == bindparam("job"), _T.url_hash == bindparam("key"), _T.depth > bindparam("nearer"), IS_PENDING)
    .values(depth=bindparam("nearer"), priority=-bindparam("nearer", type_=_T.priority.type))
)


def claimable(conn: Connection, job_id: int, discovering: bool, pending: Sequence[Any]) -> Sequence[Any]:
    """Those of the pending rows, nearest first, whose level has begun; a level begins when all above it ended."""
    if not pending:
        return pending
    level = 0 if discovering else conn.execute(_RUNNING, {"job": job_id}).scalar()
    if level is None:
        level = pending[0].depth
    return [row for row in pending if row.depth <= level]


def raise_known(conn: Connection, job_id: int, found: Sequence[Finish | Found]) -> None:
    """Pages that are known, but by a longer way than now, move up; their level has not begun yet."""
    ways = {(link.url_hash, f.depth) for f in found for link in f.links}
    if ways:
        conn.execute(_RAISE, [{"job": job_id, "key": key, "nearer": depth} for key, depth in sorted(ways)])
