"""Changes: written in the transaction of the outcome that brought them, exactly once.

A sighting counts only while the page is as it was when the task began. Where two jobs crawl a page at
once, the first to commit records the change, and the other's look is of a moment that has passed.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, and_, bindparam, exists, insert, select, update

from shared import ids
from shared.changes import ChangeType, Difference, Watch
from shared.clock import iso
from shared.stages import Finish
from shared.states import JobMode, JobState
from shared.store import snapshots, validators
from shared.store.among import among
from shared.store.change_lists import change_uid
from shared.store.change_tables import change_settings, changes
from shared.store.engine import Store
from shared.store.events import PAGE_CHANGED, emit_many
from shared.store.ledger import Ledger
from shared.store.snapshots import Seen
from shared.store.tables import jobs, pages
from shared.store.validators import page_validators

_P = pages.c
_WATCHED = (
    select(_P.domain_id, _P.url_hash, _P.fingerprint, change_settings.c.settings, *validators.COLUMNS)
    .outerjoin(change_settings, change_settings.c.domain_id == _P.domain_id)
    .outerjoin(
        page_validators,
        and_(page_validators.c.domain_id == _P.domain_id, page_validators.c.url_hash == _P.url_hash),
    )
    .where(among(_P.domain_id, "domains"), among(_P.url_hash, "pages"))
)
_LOCKED = (
    select(_P.domain_id, _P.url_hash, _P.fingerprint)
    .where(among(_P.domain_id, "domains"), among(_P.url_hash, "pages"))
    .order_by(_P.domain_id, _P.url_hash)
    .with_for_update()
)
_MARK = (
    update(pages)
    .where(_P.domain_id == bindparam("domain"), _P.url_hash == bindparam("page"))
    .values(fingerprint=bindparam("mark"))
)

#: (domain number, URL key)
PageKey = tuple[int, int]


def watch(conn: Connection, keys: Sequence[PageKey]) -> dict[PageKey, Watch]:
    """What tasks about to start must know of their pages."""
    rows = conn.execute(_WATCHED, _named(keys))
    return {(r.domain_id, r.url_hash): Watch(r.fingerprint, r.settings, validators.of_row(r)) for r in rows}


def _named(keys: Sequence[PageKey]) -> dict[str, list[int]]:
    return {"domains": sorted({d for d, _ in keys}), "pages": sorted({p for _, p in keys})}


def record(ledger: Ledger, finished: Sequence[tuple[Finish, Any]]) -> set[int]:
    """Stores the sightings of ended tasks (and of rechecked ones); the tasks that changed their page."""
    changed = _changed_before(ledger.conn, [row.id for o, row in finished if o.work.first is not None])
    fresh = _still_true(ledger.conn, [(o, row) for o, row in finished if o.sighting is not None])
    if not fresh:
        return changed
    snapshots.add(ledger.conn, [seen for _, seen in fresh], ledger.now)
    marks = [{"domain": s.domain_id, "page": s.url_hash, "mark": s.sighting.fingerprint} for _, s in fresh]
    ledger.conn.execute(_MARK, marks)
    found = [(o, row) for (o, _), row in zip(fresh, _rows(ledger, fresh), strict=True) if row is not None]
    if found:
        _add(ledger.conn, found)
    return changed | {row["task_id"] for _, row in found}


_ADD = insert(changes).returning(changes.c.id, sort_by_parameter_order=True)


def _add(conn: Connection, found: Sequence[tuple[Finish, dict[str, Any]]]) -> None:
    """Stores changes and tells webhooks of them."""
    numbers = conn.execute(_ADD, [row for _, row in found]).scalars().all()
    events: dict[int, list[tuple[Finish, dict[str, Any], int]]] = defaultdict(list)
    for (o, row), number in zip(found, numbers, strict=True):
        events[row["organisation_id"]].append((o, row, number))
    for organisation_id, those in sorted(events.items()):
        emit_many(conn, organisation_id, PAGE_CHANGED, (_event(*one) for one in those))


def _event(o: Finish, row: dict[str, Any], number: int) -> dict[str, Any]:
    """What a webhook is told; the diff is fetched by the change's id."""
    words, similarity = ChangeType(row["types"]).words, row["similarity"]
    return {
        "id": change_uid(number, row["created_at"]),
        "type": words[0],
        "types": words,
        "url": o.work.url,
        "domain": o.work.job.domain.host,
        "domain_id": o.work.job.domain.id,
        "page_id": o.work.job.domain.page_uuid(row["url_hash"]),
        "job_id": o.work.job.uid,
        "task_id": str(ids.task_uuid(o.work.job.ms, o.work.id)),
        "similarity": None if similarity is None else similarity / 10_000,
        "created_at": iso(row["created_at"]),
    }


def _still_true(conn: Connection, finished: Sequence[tuple[Finish, Any]]) -> list[tuple[Finish, Seen]]:
    """The sightings whose page is still as they found it, in the order of the pages; locks these."""
    if not finished:
        return []
    keyed = [(o, Seen(o.work.job.domain.id, row.url_hash, row.id, o.sighting)) for o, row in finished if o.sighting]
    rows = conn.execute(_LOCKED, _named([(s.domain_id, s.url_hash) for _, s in keyed]))
    current = {(r.domain_id, r.url_hash): r.fingerprint for r in rows}
    kept = []
    for o, seen in sorted(keyed, key=lambda pair: (pair[1].domain_id, pair[1].url_hash)):
        page = (seen.domain_id, seen.url_hash)
        if page in current and current[page] == seen.sighting.base:
            current[page] = seen.sighting.fingerprint
            kept.append((o, seen))
    return kept


def _rows(ledger: Ledger, fresh: Sequence[tuple[Finish, Seen]]) -> list[dict[str, Any] | None]:
    first = {o.work.job.id: o.work.job for o, s in fresh if s.sighting.base is None and s.sighting.text_hash}
    known = {job.id for job in first.values() if _was_crawled(ledger.conn, job.domain.id, job.created_at)}
    return [_row(ledger, o, seen, o.work.job.id in known) for o, seen in fresh]


def _row(ledger: Ledger, o: Finish, seen: Seen, domain_is_known: bool) -> dict[str, Any] | None:
    difference = seen.sighting.difference
    if seen.sighting.base is None and seen.sighting.text_hash and domain_is_known:
        f = seen.sighting.facts
        difference = Difference(ChangeType.NEW, after={"status_code": f.status_code, "title": f.title})
    if difference is None:
        return None
    return {
        "organisation_id": o.work.job.organisation_id,
        "domain_id": seen.domain_id,
        "url_hash": seen.url_hash,
        "task_id": seen.task_id,
        "job_ms": o.work.job.ms,
        "created_at": ledger.now,
        "types": int(difference.types),
        "similarity": None if difference.similarity is None else round(difference.similarity * 10_000),
        "before": orjson.dumps(difference.before).decode(),
        "after": orjson.dumps(difference.after).decode(),
        "diff": difference.diff,
        "truncated": int(difference.truncated),
    }


_EARLIER = (
    select(jobs.c.id)
    .where(
        jobs.c.domain_id == bindparam("domain"),
        jobs.c.mode == JobMode.CRAWL,
        jobs.c.state == JobState.COMPLETED,
        jobs.c.completed_at <= bindparam("before"),
    )
    .order_by(jobs.c.id)
    .limit(1)
)


def _was_crawled(conn: Connection, domain_id: int, before: int) -> bool:
    """Whether a crawl of the domain was complete by then: only after that a page can be new."""
    return conn.execute(_EARLIER, {"domain": domain_id, "before": before}).first() is not None


def _changed_before(conn: Connection, task_ids: Sequence[int]) -> set[int]:
    """Which tasks changed their page with their first request already."""
    if not task_ids:
        return set()
    return set(conn.execute(select(changes.c.task_id).where(changes.c.task_id.in_(sorted(task_ids)))).scalars())


def is_of_task(store: Store, task_id: int) -> bool:
    """Whether a task recorded a change of its page."""
    with store.read() as conn:
        return bool(conn.execute(select(exists().where(changes.c.task_id == task_id))).scalar())
