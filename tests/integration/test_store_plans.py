"""What the hot transaction asks of SQLite is found by an index: no statement looks through a whole table."""

from shared.stages import Fetched, Finish, PageFacts
from shared.states import TaskState
from shared.store import Store
from tests.crawls import Crawl, links, numbered, small

#: tables that hold one row for each job or domain, or are scanned by their own virtual table
_LARGE = {"tasks", "pages", "snapshots", "snapshot_texts", "task_attempts", "page_links", "page_validators"}


def _asked(store: Store, crawl: Crawl) -> list[str]:
    """The statements of a few steps, their values filled in."""
    asked: list[str] = []
    works = [crawl.admit(d.task_id) for d in crawl.discover(*numbered(8))[:4]]
    with store.read() as conn:
        raw = conn.connection.driver_connection
    assert raw is not None
    raw.set_trace_callback(asked.append)
    for n, work in enumerate(works):
        found = links(*numbered(5, f"/{n}/"))
        ended = Finish(work, TaskState.COMPLETED, Fetched(200, 10), links=found, facts=PageFacts("Title"))
        crawl.run([d.task_id for d in crawl.run(outcomes=[ended], hands=1).dispatches])
    raw.set_trace_callback(None)
    return asked


def test_no_statement_of_a_step_reads_a_whole_table(sqlite_store: Store) -> None:
    crawl = Crawl(sqlite_store, small(concurrency=6))
    asked = {sql for sql in _asked(sqlite_store, crawl) if sql.startswith(("SELECT", "UPDATE", "DELETE"))}
    assert any(sql.startswith("UPDATE tasks") for sql in asked)
    with sqlite_store.read() as conn:
        raw = conn.connection.driver_connection
        assert raw is not None
        plans = {(sql, row[3]) for sql in asked for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}")}
    scanned = [(plan, sql) for sql, plan in plans if plan.startswith("SCAN") and plan.split()[1] in _LARGE]
    assert not scanned
