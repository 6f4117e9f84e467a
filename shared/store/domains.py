"""Domains: one host of an organisation."""

from typing import Any

from sqlalchemy import Connection, func, select

from shared import ids
from shared.errors import NotFound
from shared.models import Domain
from shared.store.engine import Store
from shared.store.inserts import insert_new
from shared.store.tables import domains


def domain_of_row(row: Any) -> Domain:
    """A domain from its row."""
    return Domain(row.id, row.uid, row.ms, row.organisation_id, row.host, row.created_at)


def ensure(conn: Connection, organisation_id: int, host: str, now: int) -> Domain:
    """The organisation's domain of this host[:port], made if it is new. Inside a writing transaction."""
    query = select(domains).where(domains.c.organisation_id == organisation_id, domains.c.host == host)
    while (row := conn.execute(query).first()) is None:
        # again where another domain has taken this creation time meanwhile
        insert_new(
            conn,
            domains,
            uid=str(ids.new_uuid()),
            ms=_unused_ms(conn, now // 1000),
            organisation_id=organisation_id,
            host=host,
            created_at=now,
        )
    return domain_of_row(row)


def _unused_ms(conn: Connection, ms: int) -> int:
    """A creation time that no domain has: it names the domain in the ids of its pages."""
    newest = conn.execute(select(func.max(domains.c.ms))).scalar()
    return max(ms, (newest or 0) + 1)


def lock(conn: Connection, domain: Domain) -> None:
    """Makes those who write what a domain has one of wait for each other. SQLite has one writer as it is."""
    conn.execute(select(domains.c.id).where(domains.c.id == domain.id).with_for_update())


def get(store: Store, uid: str, organisation_id: int) -> Domain:
    """A domain by its public id in either spelling. Raises NotFound."""
    parsed = ids.parse_uuid(uid)
    query = select(domains).where(domains.c.uid == str(parsed), domains.c.organisation_id == organisation_id)
    with store.read() as conn:
        row = conn.execute(query).first() if parsed else None
    if row is None:
        raise NotFound("Domain not found")
    return domain_of_row(row)
