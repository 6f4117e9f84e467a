"""Snapshots: what a page looked like. Written with the outcome of the task that saw it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, and_, bindparam, delete, select, update

from shared.changes import Facts, Sighting, unpack
from shared.store.change_tables import snapshot_texts, snapshots
from shared.store.engine import Store
from shared.store.hot import Hot
from shared.store.hot_rows import HotInsert

_S = snapshots.c
_T = snapshot_texts.c


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest look at a page that brought something new."""

    fingerprint: str
    facts: Facts
    text_hash: bytes | None
    #: tidy visible text; None where none was ever compared
    text: bytes | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting to store."""

    domain_id: int
    url_hash: int
    task_id: int
    sighting: Sighting


_NEWEST = Hot(
    select(snapshots, _T.data)
    .outerjoin(snapshot_texts, and_(_T.domain_id == _S.domain_id, _T.hash == _S.text_hash))
    .where(_S.domain_id == bindparam("domain"), _S.url_hash == bindparam("page"))
    .order_by(_S.id.desc())
    .limit(1)
)


def newest(store: Store, domain_id: int, url_hash: int) -> Snapshot | None:
    """The newest snapshot of a page, None without any. Raises StoreUnavailable."""
    with store.read() as conn:
        found = _NEWEST.rows(conn, {"domain": domain_id, "page": url_hash})
    if not found:
        return None
    row = found[0]
    facts = Facts(
        row.status_code, row.redirect, row.title, row.description, row.canonical, tuple(orjson.loads(row.headings))
    )
    text = unpack(row.data) if row.data is not None else None
    return Snapshot(row.fingerprint, facts, row.text_hash, text, row.note)


_SUPERSEDE = Hot(
    update(snapshots)
    .where(_S.domain_id == bindparam("domain"), _S.url_hash == bindparam("page"), _S.superseded_at.is_(None))
    .values(superseded_at=bindparam("now"))
)
_ADD = HotInsert(snapshots, [c.name for c in snapshots.c if c.name not in ("id", "superseded_at")])
_OLD = snapshots.alias("old")
_PRUNE = Hot(
    delete(snapshots).where(
        _S.domain_id == bindparam("domain"),
        _S.url_hash == bindparam("page"),
        _S.id
        <= select(_OLD.c.id)
        .where(_OLD.c.domain_id == bindparam("domain"), _OLD.c.url_hash == bindparam("page"))
        .order_by(_OLD.c.id.desc())
        .limit(1)
        .offset(bindparam("keep"))
        .scalar_subquery(),
    )
)


def add(conn: Connection, seen: Sequence[Seen], now: int) -> None:
    """Stores sightings as their pages' newest snapshots; of each page only so many are kept."""
    again = [s for s in seen if s.sighting.base is not None]
    if again:
        pages = [{"domain": s.domain_id, "page": s.url_hash, "now": now} for s in again]
        _SUPERSEDE.run_each(conn, pages)
    _add_texts(conn, seen, now)
    _ADD.put(conn, [_row(s, now) for s in seen])
    if again:
        kept = [{"domain": s.domain_id, "page": s.url_hash, "keep": max(s.sighting.keep, 1)} for s in again]
        _PRUNE.run_each(conn, kept)


def _row(s: Seen, now: int) -> dict[str, Any]:
    f = s.sighting.facts
    return {
        "domain_id": s.domain_id,
        "url_hash": s.url_hash,
        "task_id": s.task_id,
        "created_at": now,
        "fingerprint": s.sighting.fingerprint,
        "status_code": f.status_code,
        "redirect": f.redirect,
        "title": f.title,
        "description": f.description,
        "canonical": f.canonical,
        "headings": orjson.dumps(f.headings).decode(),
        "text_hash": s.sighting.text_hash,
        "note": s.sighting.note,
    }


def _or_mark(put: Any) -> Any:
    return put.on_conflict_do_update(index_elements=["domain_id", "hash"], set_={"used_at": put.excluded.used_at})


_ADD_TEXTS = HotInsert(snapshot_texts, [c.name for c in snapshot_texts.c], _or_mark)


def _add_texts(conn: Connection, seen: Sequence[Seen], now: int) -> None:
    """Each text once. `used_at` keeps the cleaning from deleting one that is about to be used again."""
    texts = {(s.domain_id, s.sighting.text_hash): s.sighting for s in seen if s.sighting.text_hash and s.sighting.text}
    if not texts:
        return
    rows = [
        {"domain_id": domain, "hash": digest, "size": s.text_size, "used_at": now, "data": s.text}
        for (domain, digest), s in sorted(texts.items(), key=lambda item: item[0])
    ]
    _ADD_TEXTS.put(conn, rows)
