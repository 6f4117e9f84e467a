"""Changes: written in the transaction of the outcome that brought them, exactly once.

A sighting counts only while the page is as it was when the task began. Where two jobs crawl a page at
once, the first to commit records the change, and the other's look is of a moment that has passed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import orjson
from sqlalchemy import Connection, and_, exists, insert, select

from shared import ids
from shared.changes import ChangeType, Difference, Watch
from shared.clock import iso
from shared.stages import Finish
from shared.store import snapshots, validators, visits
from shared.store.among import each
from shared.store.change_lists import change_uid
from shared.store.change_tables import change_settings, changes
from shared.store.engine import Store
from shared.store.events import PAGE_CHANGED, emit_many
from shared.store.hot import Hot, as_json
from shared.store.ledger import Ledger
from shared.store.snapshots import Seen
from shared.store.tables import pages
from shared.store.validators import page_validators
from shared.store.visits import Visit

_P = pages.c
_WATCHED = (
    select(_P.domain_id, _P.url_hash, _P.fingerprint, change_settings.c.settings, *validators.COLUMNS)
    .outerjoin(change_settings, change_settings.c.domain_id == _P.domain_id)
    .outerjoin(
        page_validators,
        and_(page_validators.c.domain_id == _P.domain_id, page_validators.c.url_hash == _P.url_hash),
    )
)
_WATCH = Hot(partial(each, keys=[_P.domain_id, _P.url_hash], query=_WATCHED))

#: (domain number, URL key)
PageKey = tuple[int, int]


def watch(conn: Connection, keys: Iterable[PageKey]) -> dict[PageKey, Watch]:
    """What tasks about to start must know of their pages."""
    rows = _WATCH.rows_beside(conn, {"keys": as_json([{"domain_id": d, "url_hash": p} for d, p in sorted(keys)])})
    return {(r.domain_id, r.url_hash): Watch(r.fingerprint, r.settings, validators.of_row(r)) for r in rows}


def record(ledger: Ledger, finished: Sequence[tuple[Finish, Any]], visited: Sequence[Visit]) -> set[int]:
    """Stores what ended tasks (and rechecked ones) learnt of their pages; the tasks that changed their page."""
    changed = _changed_before(ledger.conn, [row.id for o, row in finished if o.work.first is not None])
    fresh = _still_true(visited)
    visits.save(ledger, visited)
    if not fresh:
        return changed
    snapshots.add(ledger.conn, [seen for _, seen in fresh], ledger.now)
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


def _still_true(visited: Sequence[Visit]) -> list[tuple[Finish, Seen]]:
    """The sightings whose page is still as they found it; the pages get their fingerprints."""
    kept = []
    for visit in visited:
        page, sighting = visit.page, visit.outcome.sighting
        if sighting is not None and page["fingerprint"] == sighting.base:
            page["fingerprint"] = sighting.fingerprint
            kept.append((visit.outcome, Seen(page["domain_id"], page["url_hash"], visit.task.id, sighting)))
    return kept


def _rows(ledger: Ledger, fresh: Sequence[tuple[Finish, Seen]]) -> list[dict[str, Any] | None]:
    return [_row(ledger, o, seen, ledger.account(o.work.job.id).is_again) for o, seen in fresh]


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


def _changed_before(conn: Connection, task_ids: Sequence[int]) -> set[int]:
    """Which tasks changed their page with their first request already."""
    if not task_ids:
        return set()
    return set(conn.execute(select(changes.c.task_id).where(changes.c.task_id.in_(sorted(task_ids)))).scalars())


def is_of_task(store: Store, task_id: int) -> bool:
    """Whether a task recorded a change of its page."""
    with store.read() as conn:
        return bool(conn.execute(select(exists().where(changes.c.task_id == task_id))).scalar())
