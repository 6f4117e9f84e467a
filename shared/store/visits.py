"""Pages as the tasks that just ended found them: locked in their order, each written once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select

from shared.stages import Finish
from shared.store.among import each
from shared.store.hot import Hot, as_json
from shared.store.hot_rows import HotUpdate
from shared.store.ledger import Ledger
from shared.store.tables import pages

_P = pages.c
_KEY = ("domain_id", "url_hash")
_FACTS = ("title", "content_hash", "etag", "last_modified")
_WRITTEN = ("last_task_id", "status_code", "crawled_at", *_FACTS, "fingerprint")
_PAGES = select(*(_P[name] for name in (*_KEY, *_WRITTEN))).with_for_update()
_LOCK = Hot(partial(each, keys=[_P.domain_id, _P.url_hash], query=_PAGES))
_SAVE = HotUpdate(pages, _WRITTEN, _KEY)


@dataclass(frozen=True, slots=True)
class Visit:
    """What an ended task learnt of a page."""

    outcome: Finish
    #: as it was locked
    task: Any
    #: columns of the page, which its visits change in turn
    page: dict[str, Any]


def lock(ledger: Ledger, finished: Sequence[tuple[Finish, Any]]) -> list[Visit]:
    """The visits of pages that are still known, in the order of the pages, which stay locked."""
    told = [(o, row) for o, row in finished if o.facts is not None or o.is_unmodified or o.sighting is not None]
    if not told:
        return []
    keys = sorted({(o.work.job.domain.id, row.url_hash) for o, row in told})
    rows = _LOCK.rows(ledger.conn, {"keys": as_json([dict(zip(_KEY, key, strict=True)) for key in keys])})
    known = {(row.domain_id, row.url_hash): row._asdict() for row in rows}
    visits = [(known.get((o.work.job.domain.id, row.url_hash)), o, row) for o, row in told]
    found = [Visit(o, row, page) for page, o, row in visits if page is not None]
    return sorted(found, key=lambda v: (v.page["domain_id"], v.page["url_hash"]))


def save(ledger: Ledger, visits: Sequence[Visit]) -> None:
    """Writes what the pages are now; of one that has not been modified only when it was seen, and its fingerprint."""
    for visit in visits:
        o = visit.outcome
        if o.facts is not None or o.is_unmodified:
            visit.page.update(last_task_id=visit.task.id, status_code=o.fetched.status_code, crawled_at=ledger.now)
        if o.facts is not None:
            visit.page.update((name, getattr(o.facts, name)) for name in _FACTS)
    if visits:
        _SAVE.put(ledger.conn, list({id(visit.page): visit.page for visit in visits}.values()))
