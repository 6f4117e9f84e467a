"""Writes one after the other, whatever became of the one before."""

import pytest
from sqlalchemy import Connection, func, insert, select

from shared.store import Store, engine
from shared.store.counters import _APPEND
from shared.store.hot import Hot
from shared.store.tables import deltas

_PAYLOADS = Hot(select(deltas.c.payload).order_by(deltas.c.payload))


def _count(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(deltas)).scalar_one()


def _add(conn: Connection) -> int:
    conn.execute(insert(deltas).values(job_id=1, payload="[]"))
    return _count(conn)


def _put(conn: Connection) -> None:
    """As two changes."""
    for payload in ("[1]", "[2]"):
        _APPEND.put(conn, [{"job_id": 1, "payload": payload}])


def _put_and_fail(conn: Connection) -> None:
    _put(conn)
    raise LookupError


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


def test_what_was_put_is_there_for_whoever_asks_next(store: Store) -> None:
    def by_itself(conn: Connection) -> list[str]:
        _put(conn)
        return [row.payload for row in _PAYLOADS.rows(conn, {})]

    def by_sqlalchemy(conn: Connection) -> int:
        _put(conn)
        return _count(conn)

    assert store.write(by_itself) == ["[1]", "[2]"]
    assert store.write(by_sqlalchemy) == 4


def test_what_was_put_last_is_committed(store: Store) -> None:
    store.write(_put)
    with store.read() as conn:
        assert _count(conn) == 2


def test_what_a_failed_write_had_put_is_never_sent(store: Store) -> None:
    with pytest.raises(LookupError):
        store.write(_put_and_fail)
    with store.read() as conn:
        assert _count(conn) == 0
    store.write(_put)
    with store.read() as conn:
        assert _count(conn) == 2


def test_only_the_writer_of_sqlite_has_a_small_cache(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def size(conn: Connection) -> int:
        return int(conn.exec_driver_sql("PRAGMA cache_size").scalar_one())

    with pytest.raises(LookupError):
        sqlite_store.write(_add_and_fail)
    with sqlite_store.read() as conn:
        assert sqlite_store.write(size) == -4096
        assert size(conn) == -65536
    # a large file is seen within some writes
    monkeypatch.setattr(engine, "_MANY_PAGES", 0)
    monkeypatch.setattr(engine, "_WRITES", 2)
    assert [sqlite_store.write(size) for _ in range(2)][-1] == -65536
    monkeypatch.setattr(sqlite_store, "_runs_steps", True)
    assert [sqlite_store.write(size) for _ in range(4)][-1] == -4096
