"""Whom to ask for a domain's page views, and when: configured, claimed, begun and ended in SQL.

A refresh is claimed by whoever enqueues it, so two schedulers make one queue job; each claim and each start
takes the next run number, so a lost job, a second delivery and a changed configuration are told apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from shared.clock import SECOND
from shared.errors import NotFound
from shared.models import Analytics, Domain
from shared.states import AnalyticsState
from shared.store import domains as domains_store
from shared.store import page_views
from shared.store.analytics_tables import analytics
from shared.store.engine import Store
from shared.store.tables import domains

#: a queued refresh that nobody has begun by then was lost
_QUEUED = 300 * SECOND
#: a running one that has given no sign of life by then has died
_RUNNING = 300 * SECOND
_A = analytics.c


@dataclass(frozen=True, slots=True)
class Begun:
    """A refresh that has begun."""

    domain_id: int
    host: str
    property_id: str
    sealed: str
    #: fencing token of this start
    run: int
    #: refreshes before this one, in a row, that did not reach an answer
    failures: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a refresh ended."""

    state: AnalyticsState
    next_at: int
    error: str | None = None
    failures: int = 0
    quota: Mapping[str, tuple[int, int]] | None = None
    #: of the figures written, when there are new ones, and of how many pages they are
    version: int | None = None
    n_pages: int = field(default=0)


def put(store: Store, domain: Domain, property_id: str, client_email: str, sealed: str, now: int) -> None:
    """Configures a domain's page views. What another configuration has found is not shown any more."""
    values = {
        "property_id": property_id,
        "client_email": client_email,
        "sealed": sealed,
        "state": AnalyticsState.PENDING,
        "error": None,
        "failures": 0,
        "version": 0,
        "n_pages": 0,
        "quota": None,
        "refreshed_at": None,
        "next_at": now,
        "claimed_until": 0,
        "created_at": now,
    }

    def step(conn: Connection) -> None:
        domains_store.lock(conn, domain)
        # a run of the old configuration ends in nothing: its number is not the newest any more
        mine = update(analytics).where(_A.domain_id == domain.id).values(run=_A.run + 1, **values)
        if not conn.execute(mine).rowcount:
            conn.execute(insert(analytics).values(domain_id=domain.id, run=0, settled_job=0, **values))

    store.write(step)


def get(store: Store, domain: Domain) -> Analytics:
    """A domain's configuration and state. Raises NotFound."""
    with store.read() as conn:
        row = conn.execute(select(analytics).where(_A.domain_id == domain.id)).first()
    if row is None:
        raise NotFound("Page views are not configured for this domain")
    return Analytics(
        domain=domain,
        property_id=row.property_id,
        client_email=row.client_email,
        state=AnalyticsState(row.state),
        error=row.error,
        n_pages=row.n_pages,
        quota={name: (used, left) for name, (used, left) in orjson.loads(row.quota or "{}").items()},
        created_at=row.created_at,
        refreshed_at=row.refreshed_at,
        next_at=row.next_at,
    )


def remove(store: Store, domain_id: int) -> None:
    """Forgets a domain's configuration, key and figures; what jobs show of them stays with the jobs."""
    store.write(lambda conn: conn.execute(delete(analytics).where(_A.domain_id == domain_id)))
    page_views.purge(store, domain_id, keep=0)


def due(store: Store, now: int, limit: int = 100) -> list[int]:
    """Domains whose figures are to be refreshed and are not being."""
    query = select(_A.domain_id).where(_A.next_at <= now, _A.claimed_until <= now).order_by(_A.next_at).limit(limit)
    with store.read() as conn:
        return list(conn.execute(query).scalars())


def claim(store: Store, domain_id: int, now: int) -> int | None:
    """Takes the refresh of a domain that is due, to enqueue it; its run number, None where another has it."""
    mine = and_(_A.domain_id == domain_id, _A.next_at <= now, _A.claimed_until <= now)
    return _next_run(store, mine, {"claimed_until": now + _QUEUED})


def hasten(store: Store, domain_id: int, now: int, unless_since: int) -> bool:
    """Makes a refresh due, unless one waits for its quota, or succeeded after `unless_since`; whether it is due."""
    late = and_(
        _A.domain_id == domain_id,
        _A.state != AnalyticsState.WAITING,
        func.coalesce(_A.refreshed_at, 0) < unless_since,
    )
    change = update(analytics).where(late, _A.next_at > now).values(next_at=now)
    store.write(lambda conn: conn.execute(change))
    query = select(_A.domain_id).where(_A.domain_id == domain_id, _A.next_at <= now)
    with store.read() as conn:
        return conn.execute(query).first() is not None


def begin(store: Store, domain_id: int, run: int, now: int) -> Begun | None:
    """Starts a claimed refresh; None when it has been started, ended or superseded already."""
    mine = and_(_A.domain_id == domain_id, _A.run == run)
    values = {"claimed_until": now + _RUNNING, "state": AnalyticsState.REFRESHING, "error": None}
    started = _next_run(store, mine, values)
    if started is None:
        return None
    query = select(analytics, domains.c.host).join(domains, domains.c.id == _A.domain_id)
    with store.read() as conn:
        row = conn.execute(query.where(_A.domain_id == domain_id, _A.run == started)).first()
    return Begun(domain_id, row.host, row.property_id, row.sealed, started, row.failures) if row else None


def _next_run(store: Store, mine: Any, values: dict[str, Any]) -> int | None:
    change = update(analytics).where(mine).values(run=_A.run + 1, **values).returning(_A.run)
    return store.write(lambda conn: conn.execute(change).scalar())


def touch(store: Store, begun: Begun, now: int) -> bool:
    """A sign of life; False when the refresh has been superseded."""
    change = update(analytics).where(_is(begun)).values(claimed_until=now + _RUNNING)
    return bool(store.write(lambda conn: conn.execute(change).rowcount))


def end(store: Store, begun: Begun, ended: Ended, now: int) -> bool:
    """Records how a refresh ended; False when it was superseded. New figures are for the newest crawl too."""

    def step(conn: Connection) -> bool:
        values: dict[str, Any] = {
            "state": ended.state,
            "error": ended.error,
            "failures": ended.failures,
            "next_at": ended.next_at,
            "claimed_until": 0,
        }
        if ended.quota is not None:
            values["quota"] = orjson.dumps(ended.quota).decode()
        if ended.version is not None:
            row = conn.execute(select(_A.settled_job).where(_is(begun)).with_for_update()).first()
            settled = page_views.reopen(conn, begun.domain_id, row.settled_job) if row else 0
            values |= {"version": ended.version, "n_pages": ended.n_pages, "refreshed_at": now, "settled_job": settled}
        return bool(conn.execute(update(analytics).where(_is(begun)).values(values)).rowcount)

    return store.write(step)


def _is(begun: Begun) -> Any:
    return and_(_A.domain_id == begun.domain_id, _A.run == begun.run)
