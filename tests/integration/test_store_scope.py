"""The columns and the table that options of scope live in."""

from alembic import command
from sqlalchemy import inspect, update

from shared.models import JobOptions
from shared.store import Store, jobs, migrate
from shared.store.tables import tasks
from tests.crawls import Crawl

PATTERN = "/a/*"


def columns(store: Store, table: str) -> set[str]:
    with store.read() as conn:
        return {column["name"] for column in inspect(conn).get_columns(table)}


def test_the_migration_goes_down_and_up_again_with_rows_in_place(store: Store) -> None:
    crawl = Crawl(store, JobOptions(include=(PATTERN,)))
    crawl.discover("/a/1")
    store.write(lambda conn: command.downgrade(migrate.config(conn), "0006"))
    assert "options" not in columns(store, "jobs")
    assert "depth" not in columns(store, "tasks")
    store.write(lambda conn: command.upgrade(migrate.config(conn), "head"))
    assert {"options", "sealed"} <= columns(store, "jobs")
    assert jobs.get(store, crawl.job.id).options.include == ()


def test_pages_that_an_older_worker_stored_without_a_depth_are_crawled(store: Store) -> None:
    crawl = Crawl(store, JobOptions(max_depth=3, concurrency=1))
    (first,) = crawl.discover("/a", "/b")
    store.write(lambda conn: conn.execute(update(tasks).values(depth=None)))
    assert crawl.crawl_all([first]) == 2
