"""The columns and the table that options of scope live in."""

from alembic import command
from sqlalchemy import inspect

from shared.models import JobOptions
from shared.store import Store, jobs, migrate
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
