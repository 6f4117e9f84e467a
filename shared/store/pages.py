"""Pages: the URLs known of a domain, across crawls."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from shared import ids
from shared.errors import NotFound
from shared.models import Domain
from shared.store import jobs
from shared.store.domains import domain_of_row
from shared.store.engine import Store
from shared.store.tables import domains, pages

_P = pages.c


@dataclass(frozen=True, slots=True)
class Page:
    """One canonical URL of a domain. Times in microseconds."""

    domain: Domain
    url_hash: int
    origin: str
    path: str
    title: str | None
    status_code: int | None
    crawled_at: int | None
    created_at: int
    #: set once the page is gone from its domain
    removed_at: int | None

    @property
    def uid(self) -> str:
        """Public id."""
        return self.domain.page_uuid(self.url_hash)

    @property
    def url(self) -> str:
        """The canonical URL."""
        return self.origin + self.path


def get(store: Store, uid: str, organisation_id: int) -> Page:
    """A page by its public id in either spelling. Raises NotFound."""
    found = ids.decode(uid)
    if found is not None and found.kind is ids.Kind.PAGE:
        mine = and_(domains.c.ms == found.ms, domains.c.organisation_id == organisation_id)
        with store.read() as conn:
            domain = conn.execute(select(domains).where(mine)).first()
            row = _row(conn, domain.id, found.body) if domain else None
            if domain and row:
                return _page(row, domain_of_row(domain))
    raise NotFound("Page not found")


def is_active(store: Store, domain: Domain, url_hash: int) -> bool:
    """Whether the page has not been removed from its domain."""
    with store.read() as conn:
        row = _row(conn, domain.id, url_hash)
    return row is None or row.removed_at is None


def of_domain(store: Store, domain: Domain, limit: int, offset: int) -> tuple[list[Page], int]:
    """Pages of a domain in the fixed order of their keys, and how many there are."""
    mine = _P.domain_id == domain.id
    with store.snapshot() as conn:
        total = conn.execute(select(func.count()).select_from(pages).where(mine)).scalar_one()
        found = conn.execute(select(pages).where(mine).order_by(_P.url_hash).limit(limit).offset(offset))
        return [_page(row, domain) for row in found], total


def add(store: Store, domain: Domain, first: jobs.FirstPage, now: int) -> Page:
    """Makes a page known to its domain, again if it had been removed."""

    def step(conn: Connection) -> Page:
        jobs.add_page(conn, domain, first, now)
        this = and_(_P.domain_id == domain.id, _P.url_hash == first.url_hash, _P.removed_at.is_not(None))
        conn.execute(update(pages).where(this).values(removed_at=None))
        return _page(_row(conn, domain.id, first.url_hash), domain)

    return store.write(step)


def _row(conn: Connection, domain_id: int, url_hash: int) -> Any:
    return conn.execute(select(pages).where(_P.domain_id == domain_id, _P.url_hash == url_hash)).first()


def _page(row: Any, domain: Domain) -> Page:
    return Page(
        domain=domain,
        url_hash=row.url_hash,
        origin=row.origin,
        path=row.path,
        title=row.title,
        status_code=row.status_code,
        crawled_at=row.crawled_at,
        created_at=row.created_at,
        removed_at=row.removed_at,
    )
