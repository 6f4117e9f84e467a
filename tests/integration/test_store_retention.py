"""Deleting what is old."""

import pytest
from sqlalchemy import func, insert, select

from shared.clock import SECOND, now_us
from shared.models import JobOptions
from shared.states import JobState
from shared.store import Store, change_retention, counters, jobs, retention
from shared.store.change_tables import snapshot_texts
from shared.store.tables import idempotency, metadata
from tests.crawls import Crawl, numbered

DAY = 86_400 * SECOND


def rows(store: Store, *names: str) -> dict[str, int]:
    with store.read() as conn:
        return {n: conn.execute(select(func.count()).select_from(metadata.tables[n])).scalar_one() for n in names}


def test_an_old_job_is_deleted_with_all_that_belongs_to_it(store: Store) -> None:
    crawl = Crawl(store)
    crawl.crawl_all(crawl.discover(*numbered(30)))
    counters.fold(store)
    assert retention.apply(store, now_us() + 31 * DAY, 30) == 1
    left = rows(store, "jobs", "job_state", "tasks", "deltas", "rollup", "histogram", "pages", "domains")
    assert left == dict.fromkeys(left, 0) | {"pages": 30, "domains": 1}


def test_the_urls_of_an_old_job_are_deleted_with_it(store: Store) -> None:
    Crawl(store, JobOptions(urls=("http://site.test/a",))).discover()
    assert rows(store, "job_seeds") == {"job_seeds": 1}
    retention.apply(store, now_us() + 31 * DAY, 30)
    assert rows(store, "job_seeds") == {"job_seeds": 0}


def test_jobs_that_run_or_are_young_stay(store: Store) -> None:
    young, running = Crawl(store), Crawl(store)
    young.discover()
    assert young.now.state is JobState.COMPLETED
    assert retention.apply(store, now_us() + 29 * DAY, 30) == 0
    assert retention.apply(store, now_us() + 31 * DAY, 30) == 1
    assert jobs.get(store, running.job.id).state is JobState.CREATED


def test_zero_days_keep_everything(store: Store) -> None:
    Crawl(store).discover()
    assert retention.apply(store, now_us() + 9999 * DAY, 0) == 0


def test_idempotency_keys_go_after_a_day(store: Store) -> None:
    for key, age in (("old", 2 * DAY), ("new", 0)):
        values = {"organisation_id": 1, "key": key, "fingerprint": "f", "created_at": now_us() - age}
        store.write(lambda conn, values=values: conn.execute(insert(idempotency).values(values)))
    retention.apply(store, now_us(), 0)
    assert rows(store, "idempotency") == {"idempotency": 1}


def test_unused_texts_are_looked_for_a_few_a_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_retention, "_CHUNK", 2)
    texts = [
        {"domain_id": domain, "hash": bytes([n]), "size": 1, "used_at": (n % 3) * DAY, "data": b""}
        for domain in (1, 2)
        for n in range(9)
    ]
    store.write(lambda conn: conn.execute(insert(snapshot_texts), texts))
    # of each domain three were used within the day before
    assert change_retention.delete_texts(store, 3 * DAY) == 12
    assert rows(store, "snapshot_texts") == {"snapshot_texts": 6}
