"""What the hot transaction asks of the databases is found by an index: no statement looks through a whole table."""

import pytest
from sqlalchemy import text

from shared.stages import Fetched, Finish, Hands, PageFacts, Work
from shared.states import TaskState
from shared.store import Store, open_store
from tests.bench.frontier import Frontier
from tests.crawls import Crawl, links, numbered, small

#: tables that hold many rows of each job or domain
_LARGE = {"tasks", "pages", "snapshots", "snapshot_texts", "task_attempts", "page_links", "page_validators"}
_PAGES = 200
_READ = text(
    "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
    " UNION ALL SELECT relname || ' by index', sum(idx_tup_read) FROM pg_stat_user_indexes GROUP BY relname"
)


def _asked(store: Store, crawl: Crawl) -> list[str]:
    """The statements of a few steps, their values filled in."""
    asked: list[str] = []
    works = [crawl.admit(d.task_id) for d in crawl.discover(*numbered(8))[:4]]
    raw = store.write(lambda conn: conn.connection.driver_connection)
    assert raw is not None
    raw.set_trace_callback(asked.append)
    followed: dict[int, Work] = {}
    for n, work in enumerate(works):
        found = links(*numbered(5, f"/{n}/"))
        ended = Finish(work, TaskState.COMPLETED, Fetched(200, 10), links=found, facts=PageFacts("Title"))
        hands = Hands(1, True, {}, {crawl.job.id: 2}, followed)
        result = crawl.run(outcomes=[ended], hands=hands, worker="w1")
        followed = dict(zip((w.id for w in works[n + 1 :]), result.promised, strict=False))
        crawl.run([d.task_id for d in result.dispatches])
    raw.set_trace_callback(None)
    return asked


def test_no_statement_of_a_step_reads_a_whole_table_of_sqlite(sqlite_store: Store) -> None:
    crawl = Crawl(sqlite_store, small(concurrency=6))
    asked = {sql for sql in _asked(sqlite_store, crawl) if sql.startswith(("SELECT", "UPDATE", "DELETE"))}
    assert any(sql.startswith("UPDATE tasks") for sql in asked)
    assert any("NOT tasks.id IN" in sql for sql in asked)
    with sqlite_store.read() as conn:
        raw = conn.connection.driver_connection
        assert raw is not None
        plans = {(sql, row[3]) for sql in asked for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}")}
    scanned = [(plan, sql) for sql, plan in plans if plan.startswith("SCAN") and plan.split()[1] in _LARGE]
    assert not scanned


def _rows_read(url: str) -> dict[str, int]:
    """By table, since the server began: told once the connections that read them are closed."""
    store = open_store(url)
    with store.read() as conn:
        found = {name: int(n) for name, n in conn.execute(_READ)}
    store.close()
    return found


@pytest.mark.parametrize("ahead", [0, 20])
def test_a_young_crawl_on_postgresql_reads_few_rows_a_page(postgres_url: str, ahead: int) -> None:
    store = open_store(postgres_url, by_index=True)
    crawl = Frontier(store, 10_000, group=5, ahead=ahead)
    crawl.stretch(_PAGES)
    store.close()
    before = _rows_read(postgres_url)
    crawl.stretch(_PAGES)
    store.close()
    read = {name: (n - before[name]) / _PAGES for name, n in _rows_read(postgres_url).items() if name in before}
    assert read["tasks by index"] > 1
    assert {name: n for name, n in read.items() if n > 50 and not name.startswith("pg_")} == {}
