"""Validators of pages and their links, beside the pages: written with the outcome that brought them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Index, LargeBinary, Table, Text, delete, select, tuple_

from shared.clock import SECOND
from shared.stages import Finish
from shared.store.engine import Store
from shared.store.hot_rows import HotInsert
from shared.store.tables import Big, metadata
from shared.validators import Validators

#: a page is fetched in full once in so many days, whatever its server says of changes
DAYS = 35
_CHUNK = 2000

page_validators = Table(
    "page_validators",
    metadata,
    Column("domain_id", Big, primary_key=True, autoincrement=False),
    Column("url_hash", Big, primary_key=True, autoincrement=False),
    Column("key", Big, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("content_type", Text),
    #: of the page when it was last fetched in full (shared/validators.py)
    Column("links", LargeBinary, nullable=False),
    Column("kept_at", Big, nullable=False),
    Index("page_validators_age", "kept_at"),
)
_V = page_validators.c

#: what `of_row` reads
COLUMNS = (_V.key, _V.etag, _V.last_modified, _V.content_type.label("kept_type"), _V.kept_at, _V.links)


def of_row(row: Any) -> Validators | None:
    """Those in a row with COLUMNS."""
    if row.key is None:
        return None
    return Validators(row.key, row.etag, row.last_modified, row.kept_type, row.kept_at, row.links)


def keep(conn: Connection, finished: Sequence[tuple[Finish, Any]], now: int) -> None:
    """Keeps what ended tasks learnt, in the order of the pages; the newest counts."""
    rows = {(o.work.job.domain.id, row.url_hash): _values(o, row, now) for o, row in finished if o.kept is not None}
    if not rows:
        return
    _PUT.put(conn, [rows[page] for page in sorted(rows)])


def _or_replace(put: Any) -> Any:
    fresh = {c.name: put.excluded[c.name] for c in page_validators.columns if not c.primary_key}
    return put.on_conflict_do_update(index_elements=["domain_id", "url_hash"], set_=fresh)


_PUT = HotInsert(page_validators, [c.name for c in page_validators.c], _or_replace)


def _values(o: Finish, row: Any, now: int) -> dict[str, Any]:
    assert o.kept is not None
    v = o.kept.validators
    return {
        "domain_id": o.work.job.domain.id,
        "url_hash": row.url_hash,
        "key": v.key,
        "etag": v.etag,
        "last_modified": v.last_modified,
        "content_type": v.content_type,
        "links": o.kept.links,
        "kept_at": now,
    }


def purge(store: Store, now: int) -> int:
    """Deletes what is too old to be used; how many."""
    deleted = 0
    while n := store.write(lambda conn: _delete(conn, _V.kept_at < now - DAYS * 86_400 * SECOND)):
        deleted += n
    return deleted


def forget_domain(conn: Connection, domain_id: int) -> int:
    """Deletes some of what is kept of a domain; 0 when nothing is left."""
    return _delete(conn, _V.domain_id == domain_id)


def _delete(conn: Connection, condition: Any) -> int:
    some = select(_V.domain_id, _V.url_hash).where(condition).limit(_CHUNK)
    return conn.execute(delete(page_validators).where(tuple_(_V.domain_id, _V.url_hash).in_(some))).rowcount
