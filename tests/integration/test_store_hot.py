"""Statements that go past SQLAlchemy: their values, their errors."""

import pytest
from sqlalchemy import Connection, select, text

from shared.errors import StoreUnavailable
from shared.store import Store, open_store
from shared.store.attempt_tables import task_attempts
from shared.store.hot import Hot
from shared.store.hot_rows import HotInsert

_ADD = HotInsert(task_attempts, [c.name for c in task_attempts.c])
_ALL = Hot(select(task_attempts).order_by(task_attempts.c.task_id))
_HOSTILE = "'; DROP TABLE tasks; -- %s %(x)s \\ \" ${} \u2028 \U0001f600"


def _row(task_id: int, error: str | None, answer: bytes | None) -> dict[str, object]:
    empty: dict[str, object] = {str(c.name): None for c in task_attempts.c}
    known = {"run": 1, "state": 1, "started_at": -(2**62), "ended_at": 2**62, "response_time": 7}
    return {**empty, **known, "task_id": task_id, "error": error, "answer": answer}


def test_values_come_back_as_they_were(store: Store) -> None:
    rows = [_row(1, _HOSTILE, bytes(range(256))), _row(2**62, None, None), _row(2**62 + 1, "", b"")]

    def step(conn: Connection) -> list[dict[str, object]]:
        _ADD.run(conn, rows)
        return [row._asdict() for row in _ALL.rows(conn, {})]

    assert store.write(step) == rows
    with store.read() as conn:
        assert [row._asdict() for row in _ALL.rows(conn, {})] == rows


def test_a_connection_that_is_cut_is_an_outage_and_the_next_one_is_new(postgres_url: str) -> None:
    store, other = open_store(postgres_url), open_store(postgres_url)

    def cut(conn: Connection) -> None:
        _ALL.rows(conn, {})
        backend = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        other.write(lambda c: c.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend}).all())
        _ADD.run(conn, [_row(1, None, None)])

    with pytest.raises(StoreUnavailable):
        store.write(cut)
    assert store.write(lambda conn: _ALL.rows(conn, {})) == []
    store.close()
    other.close()


def test_what_fails_leaves_nothing_behind(store: Store) -> None:
    def twice(conn: Connection) -> None:
        _ADD.run(conn, [_row(1, None, None), _row(1, None, None)])

    with pytest.raises(Exception, match=r"(?i)unique"):
        store.write(twice)
    assert store.write(lambda conn: _ALL.rows(conn, {})) == []
