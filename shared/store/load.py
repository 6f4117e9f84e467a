"""How much there is to do, over all organisations: for `/metrics` and for scaling by it."""

from dataclasses import dataclass

from sqlalchemy import func, select, text

from shared.store.engine import Store
from shared.store.tables import job_state, jobs


@dataclass(frozen=True, slots=True)
class Load:
    """All crawls that go on."""

    crawls: int
    #: pages that wait in the record, not yet in a queue
    pending: int


def read(store: Store) -> Load:
    """The load at this moment. Raises StoreUnavailable."""
    waiting = func.coalesce(func.sum(job_state.c.n_open - job_state.c.n_inflight), 0)
    query = (
        select(func.count(), waiting)
        .select_from(jobs.join(job_state, job_state.c.job_id == jobs.c.id))
        # a partial index is only used for the same literals
        .where(text("jobs.state IN (3, 5)"))
    )
    with store.read() as conn:
        crawls, pending = conn.execute(query).one()
    return Load(int(crawls), int(pending))
