"""Writes one after the other, whatever became of the one before."""

import pytest
from sqlalchemy import Connection, func, insert, select

from shared.store import Store
from shared.store.tables import deltas


def _count(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(deltas)).scalar_one()


def _add(conn: Connection) -> int:
    conn.execute(insert(deltas).values(job_id=1, payload="[]"))
    return _count(conn)


def _add_and_fail(conn: Connection) -> None:
    _add(conn)
    raise LookupError


def test_of_a_write_that_fails_nothing_is_left_to_the_next_one(store: Store) -> None:
    assert store.write(_add) == 1
    with pytest.raises(LookupError):
        store.write(_add_and_fail)
    assert store.write(_add) == 2
    with store.read() as conn:
        assert _count(conn) == 2


def test_a_store_that_was_closed_opens_again(store: Store) -> None:
    store.write(_add)
    store.close()
    assert store.write(_add) == 2
