"""Deleting old snapshots, texts that none of them has any more, and old changes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, delete, exists, select, tuple_

from shared.clock import SECOND
from shared.store.change_tables import change_settings, changes, snapshot_texts, snapshots
from shared.store.engine import Store

DAY = 86_400 * SECOND
_CHUNK = 2000
#: a text that was written or used so lately is left alone: its snapshot may be on its way
_FRESH = DAY


def apply(store: Store, now: int, snapshot_days: int, change_days: int) -> int:
    """Deletes snapshots that were replaced, and changes that were found, over so many days ago (0: none).

    Returns how many rows were deleted.
    """
    deleted = 0
    if snapshot_days:
        deleted += _delete(store, snapshots, snapshots.c.superseded_at < now - snapshot_days * DAY)
    if change_days:
        deleted += _delete(store, changes, changes.c.created_at < now - change_days * DAY)
    return deleted


def _delete(store: Store, table: Table, condition: Any) -> int:
    def step(conn: Connection) -> int:
        some = select(table.c.id).where(condition).limit(_CHUNK)
        return conn.execute(delete(table).where(table.c.id.in_(some.scalar_subquery()))).rowcount

    return _repeated(store, step)


def delete_texts(store: Store, now: int) -> int:
    """Deletes texts that no snapshot has, a day after their last use; how many. Looks at all once, a few a read."""
    before, deleted, after = now - _FRESH, 0, (0, b"")
    while looked := _texts_after(store, after, before):
        keys = [(row.domain_id, row.hash) for row in looked if row.is_unused]
        deleted += _delete_chunk(store, keys, before) if keys else 0
        after = (looked[-1].domain_id, looked[-1].hash)
    return deleted


def _texts_after(store: Store, after: tuple[int, bytes], before: int) -> Sequence[Row[Any]]:
    """The next texts in the order of their keys, and whether no snapshot has one."""
    t, s = snapshot_texts.c, snapshots.c
    used = exists().where(s.domain_id == t.domain_id, s.text_hash == t.hash)
    unused = and_(t.used_at < before, ~used).label("is_unused")
    key = tuple_(t.domain_id, t.hash)
    with store.read() as conn:
        query = select(t.domain_id, t.hash, unused).where(key > tuple_(*after)).order_by(t.domain_id, t.hash)
        return conn.execute(query.limit(_CHUNK)).all()


def _delete_chunk(store: Store, keys: list[tuple[int, bytes]], before: int) -> int:
    t = snapshot_texts.c
    # once more with their locks held: whoever needs one meanwhile has touched it
    unused = delete(snapshot_texts).where(t.used_at < before, tuple_(t.domain_id, t.hash).in_(keys))
    return store.write(lambda conn: conn.execute(unused).rowcount)


def forget_domain(conn: Connection, domain_id: int) -> int:
    """Deletes some of what is kept of a domain's pages; 0 when nothing is left."""
    for table, key in ((changes, "id"), (snapshots, "id"), (snapshot_texts, "hash"), (change_settings, "domain_id")):
        some = select(table.c[key]).where(table.c.domain_id == domain_id).limit(_CHUNK)
        mine = (table.c.domain_id == domain_id, table.c[key].in_(some.scalar_subquery()))
        deleted = conn.execute(delete(table).where(*mine)).rowcount
        if deleted:
            return deleted
    return 0


def _repeated(store: Store, step: Any) -> int:
    deleted = 0
    while n := store.write(step):
        deleted += n
    return deleted
