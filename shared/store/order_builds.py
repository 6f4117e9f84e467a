"""Which jobs get an order snapshot and which lose theirs (shared/store/orders.py)."""

from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, exists, insert, not_, select, update

from shared.clock import SECOND, now_us
from shared.states import JobState
from shared.store.engine import Store
from shared.store.order_rows import GivenUp
from shared.store.order_writer import Build
from shared.store.orders import FIRST_SEQ, OrderState
from shared.store.tables import job_state, jobs, order_lists, order_parts, task_orders

#: smaller jobs are sorted by each read: 50,000 tasks take 6-11 ms
MIN_TASKS = 20_000
_PARTS_PER_DELETE = 16
#: a build without a sign of life for so long has died
_DEAD = 300 * SECOND
_ENDED = (JobState.CANCELLED, JobState.COMPLETED, JobState.FAILED)
_O = task_orders.c


def tend(store: Store) -> int:
    """Deletes stale orders and builds missing ones until there is nothing to do; how many were built."""
    _give_up_dead(store)
    while stale := _first(store, select(_O.id).where(_O.state == OrderState.STALE)):
        _delete(store, stale.id)
    built = 0
    while job := _first(store, _MISSING.where(job_state.c.next_seq >= MIN_TASKS + FIRST_SEQ)):
        built += _build(store, job.job_id)
    return built


def _first(store: Store, query: Select[Any]) -> Row[Any] | None:
    with store.read() as conn:
        return conn.execute(query.limit(1)).first()


_HAS_ENDED = and_(jobs.c.state.in_(_ENDED), job_state.c.n_open == 0, job_state.c.discovering == 0)
_MISSING = (
    select(job_state.c.job_id)
    .join(jobs, jobs.c.id == job_state.c.job_id)
    .where(_HAS_ENDED, not_(exists().where(_O.job_id == job_state.c.job_id, _O.state != OrderState.STALE)))
    .order_by(job_state.c.job_id.desc())
)


def _give_up_dead(store: Store) -> None:
    dead = and_(_O.state == OrderState.BUILDING, _O.touched_at < now_us() - _DEAD)
    if _first(store, select(_O.id).where(dead)):
        store.write(lambda conn: conn.execute(update(task_orders).where(dead).values(state=OrderState.STALE)))


def _delete(store: Store, order_id: int) -> None:
    """Deletes an order, a few parts at a time; itself last, so that its number names nothing else meanwhile."""
    query = select(order_parts.c.list, order_parts.c.no).where(order_parts.c.order_id == order_id)
    while found := _first(store, query):
        part = and_(order_parts.c.order_id == order_id, order_parts.c.list == found.list)
        gone = delete(order_parts).where(part, order_parts.c.no.between(found.no, found.no + _PARTS_PER_DELETE))
        store.write(lambda conn, gone=gone: conn.execute(gone))  # type: ignore[misc]

    def rest(conn: Connection) -> None:
        conn.execute(delete(order_lists).where(order_lists.c.order_id == order_id))
        conn.execute(delete(task_orders).where(_O.id == order_id))

    store.write(rest)


def _build(store: Store, job_no: int) -> bool:
    """Builds the order of one job; whether it is ready."""
    begun = store.write(lambda conn: _begin(conn, job_no))
    if begun is None:
        return False
    build = Build(store, job_no, *begun)
    try:
        build.run()
    except GivenUp:
        return False
    return True


def _begin(conn: Connection, job_no: int) -> tuple[int, int] | None:
    """Notes that an order is being built, under the lock that a reopening takes; its id and the job's size."""
    locked = select(job_state.c.next_seq).where(job_state.c.job_id == job_no).with_for_update()
    conn.execute(locked)
    if conn.execute(_MISSING.where(job_state.c.job_id == job_no)).first() is None:
        return None
    n = conn.execute(locked).scalar_one() - FIRST_SEQ
    values = {"job_id": job_no, "state": OrderState.BUILDING, "touched_at": now_us()}
    made = conn.execute(insert(task_orders).values(values).returning(_O.id))
    return made.scalar_one(), n
