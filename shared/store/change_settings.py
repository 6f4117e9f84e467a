"""What counts as a change, per domain."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from shared.change_settings import ChangeSettings, from_json
from shared.models import Domain
from shared.store import domains
from shared.store.change_tables import change_settings, snapshots
from shared.store.engine import Store
from shared.store.tables import pages

_S = change_settings.c
_MOST = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """A page that could not be compared as configured."""

    page_uid: str
    url: str
    note: str
    #: microseconds
    at: int


def get(store: Store, domain: Domain) -> ChangeSettings:
    """A domain's settings; the defaults where none were set."""
    with store.read() as conn:
        return from_json(conn.execute(select(_S.settings).where(_S.domain_id == domain.id)).scalar())


def put(store: Store, domain: Domain, settings: ChangeSettings, now: int) -> None:
    """Replaces a domain's settings. Tasks that run already still go by the old ones."""
    values: dict[str, Any] = {"settings": settings.to_json(), "updated_at": now}

    def step(conn: Connection) -> None:
        domains.lock(conn, domain)
        if conn.execute(update(change_settings).where(_S.domain_id == domain.id).values(values)).rowcount == 0:
            conn.execute(insert(change_settings).values(domain_id=domain.id, **values))

    store.write(step)


def problems(store: Store, domain: Domain) -> list[Problem]:
    """The pages whose newest look could not be compared as configured: at most ten, newest first."""
    s, p = snapshots.c, pages.c
    query = (
        select(s.url_hash, s.note, s.created_at, p.origin, p.path)
        .join(pages, (p.domain_id == s.domain_id) & (p.url_hash == s.url_hash))
        .where(s.domain_id == domain.id, s.note.is_not(None), s.superseded_at.is_(None))
        .order_by(s.id.desc())
        .limit(_MOST)
    )
    with store.read() as conn:
        rows = conn.execute(query).all()
    return [Problem(domain.page_uuid(r.url_hash), r.origin + r.path, r.note, r.created_at) for r in rows]
