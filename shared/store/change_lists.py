"""Changes as readers see them."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Select, and_, func, select

from shared import ids
from shared.changes import ChangeType, unpack
from shared.errors import NotFound
from shared.store.bounds import bounded
from shared.store.change_tables import changes
from shared.store.engine import Store
from shared.store.tables import domains, pages

_C = changes.c
#: a count may take so long
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two crawls of a page. Times in microseconds."""

    uid: str
    types: ChangeType
    domain_uid: str
    page_uid: str
    url: str
    #: public ids of the task and of the crawl that found it
    task_uid: str
    job_uid: str
    created_at: int
    #: of the texts, 0 to 1; None where the content did not change
    similarity: float | None
    before: dict[str, Any]
    after: dict[str, Any]
    truncated: bool
    #: only of a single change
    diff: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes of an organisation; None: any."""

    organisation_id: int
    domain_id: int | None = None
    #: with `domain_id`
    url_hash: int | None = None
    #: microseconds
    since: int | None = None
    type: ChangeType | None = None
    #: what this crawl has found
    job_no: int | None = None


_LISTED = [column for column in _C if column.name != "diff"]
_SHOWN = (domains.c.uid.label("domain_uid"), domains.c.ms, pages.c.origin, pages.c.path)


def _joined(columns: list[Any]) -> Select[Any]:
    here = and_(pages.c.domain_id == _C.domain_id, pages.c.url_hash == _C.url_hash)
    query = select(*columns, *_SHOWN).join(domains, domains.c.id == _C.domain_id)
    return query.outerjoin(pages, here)


def page(store: Store, which: ChangeFilter, limit: int, offset: int) -> tuple[list[Change], int]:
    """Changes, newest first, and how many there are. Raises StoreUnavailable when it takes too long to count them."""
    wanted = _condition(which)
    query = _joined(_LISTED).where(wanted).order_by(_C.id.desc()).limit(limit).offset(offset)
    with store.snapshot() as conn, bounded(conn, _SECONDS, "There are too many changes to count: ask for fewer"):
        found = [_change(row) for row in conn.execute(query)]
        if len(found) < limit and (found or not offset):
            # the end of the list says how many there are
            return found, offset + len(found)
        return found, _count(conn, wanted)


def _count(conn: Connection, wanted: Any) -> int:
    return int(conn.execute(select(func.count()).select_from(changes).where(wanted)).scalar_one())


def get(store: Store, organisation_id: int, uid: str) -> Change:
    """A change with its diff, by its public id in either spelling. Raises NotFound."""
    found = ids.decode(uid)
    if found is not None and found.kind is ids.Kind.CHANGE:
        mine = (_C.id == found.body, _C.organisation_id == organisation_id)
        with store.read() as conn:
            row = conn.execute(_joined(list(_C)).where(*mine)).first()
        if row is not None and row.created_at // 1000 == found.ms:
            return _change(row, row.diff)
    raise NotFound("Change not found")


def _condition(which: ChangeFilter) -> Any:
    wanted = [_C.organisation_id == which.organisation_id]
    if which.domain_id is not None:
        wanted.append(_C.domain_id == which.domain_id)
    if which.url_hash is not None:
        wanted.append(_C.url_hash == which.url_hash)
    if which.since is not None:
        wanted.append(_C.created_at >= which.since)
    if which.type is not None:
        wanted.append(_C.types.bitwise_and(int(which.type)) != 0)
    if which.job_no is not None:
        wanted += [_C.task_id >= ids.pack(which.job_no, 0), _C.task_id < ids.pack(which.job_no + 1, 0)]
    return and_(*wanted)


def _change(row: Any, diff: bytes | None = None) -> Change:
    return Change(
        uid=change_uid(row.id, row.created_at),
        types=ChangeType(row.types),
        domain_uid=row.domain_uid,
        page_uid=str(ids.encode(ids.Kind.PAGE, row.ms, row.url_hash)),
        url=(row.origin or "") + (row.path or ""),
        task_uid=str(ids.task_uuid(row.job_ms, row.task_id)),
        job_uid=str(ids.encode(ids.Kind.JOB, row.job_ms, ids.job_of(row.task_id))),
        created_at=row.created_at,
        similarity=None if row.similarity is None else row.similarity / 10_000,
        before=orjson.loads(row.before),
        after=orjson.loads(row.after),
        truncated=bool(row.truncated),
        diff=unpack(diff).decode() if diff is not None else None,
    )


def change_uid(number: int, created_at: int) -> str:
    """Public id of a change."""
    return str(ids.encode(ids.Kind.CHANGE, created_at // 1000, number))
