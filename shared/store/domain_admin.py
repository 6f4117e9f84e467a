"""Domains as their owner manages them: list, find by host, delete with all that belongs to them."""

from typing import Any

from sqlalchemy import Connection, delete, func, select

from shared.errors import Conflict
from shared.models import Domain
from shared.states import ACTIVE_JOB
from shared.store import analytics, change_retention, retention, schedules, validators
from shared.store.domains import domain_of_row
from shared.store.engine import Store
from shared.store.tables import domains, jobs, pages

#: rows a transaction: no writer waits for longer than a moment (STORE.md, "Deleting")
_CHUNK = 5000


def page(store: Store, organisation_id: int, limit: int, offset: int) -> tuple[list[Domain], int]:
    """Domains, newest first, and how many there are."""
    mine = domains.c.organisation_id == organisation_id
    with store.snapshot() as conn:
        total = conn.execute(select(func.count()).select_from(domains).where(mine)).scalar_one()
        found = conn.execute(select(domains).where(mine).order_by(domains.c.id.desc()).limit(limit).offset(offset))
        return [domain_of_row(row) for row in found], total


def exists(store: Store, organisation_id: int, host: str) -> bool:
    """Whether the organisation has a domain of this host[:port]."""
    mine = (domains.c.organisation_id == organisation_id) & (domains.c.host == host)
    with store.read() as conn:
        return conn.execute(select(domains.c.id).where(mine)).first() is not None


def remove(store: Store, domain: Domain) -> None:
    """Deletes a domain, its pages, its jobs and their tasks. Raises Conflict while a job of it is active.

    In short transactions: a process that dies in between leaves a domain that can be deleted again.
    """
    _require_idle(store, domain)
    store.write(lambda conn: schedules.remove_of_domain(conn, domain.id))
    with store.read() as conn:
        job_nos = list(conn.execute(select(jobs.c.id).where(jobs.c.domain_id == domain.id)).scalars())
    for job_no in job_nos:
        retention.delete_job(store, job_no)
    while store.write(lambda conn: _delete_pages(conn, domain)):
        pass
    while store.write(lambda conn: change_retention.forget_domain(conn, domain.id)):
        pass
    while store.write(lambda conn: validators.forget_domain(conn, domain.id)):
        pass
    analytics.remove(store, domain.id)
    store.write(lambda conn: _delete_domain(conn, domain))


def _require_idle(store: Store, domain: Domain) -> None:
    active = select(jobs.c.id).where(jobs.c.domain_id == domain.id, jobs.c.state.in_(ACTIVE_JOB)).limit(1)
    with store.read() as conn:
        if conn.execute(active).first():
            raise Conflict("The domain has an active job: cancel it first")


def _delete_pages(conn: Connection, domain: Domain) -> int:
    mine: Any = pages.c.domain_id == domain.id
    some = select(pages.c.url_hash).where(mine).limit(_CHUNK)
    return conn.execute(delete(pages).where(mine, pages.c.url_hash.in_(some.scalar_subquery()))).rowcount


def _delete_domain(conn: Connection, domain: Domain) -> None:
    if conn.execute(select(jobs.c.id).where(jobs.c.domain_id == domain.id).limit(1)).first():
        raise Conflict("A job of the domain was started meanwhile")
    schedules.remove_of_domain(conn, domain.id)
    conn.execute(delete(domains).where(domains.c.id == domain.id))
