"""The outbox: who is told of an event, and that each end of a job is told once."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, select

from shared.clock import now_us
from shared.stages import Fetched, Finish
from shared.states import DeliveryState, TaskState
from shared.store import Store, events, jobs, open_store, tasks
from shared.store.webhook_tables import webhook_deliveries, webhooks
from tests.crawls import Crawl


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


def listen(store: Store, organisation_id: int, *types: str, is_active: int = 1) -> None:
    values: dict[str, Any] = {
        "uid": events.new_message_id()[4:],
        "organisation_id": organisation_id,
        "type": "http",
        "url": "https://example.com/hook",
        "description": "",
        "events": f" {' '.join(types)} ",
        "is_active": is_active,
        "created_at": 1,
        "updated_at": 1,
    }
    store.write(lambda conn: conn.execute(insert(webhooks).values(values)))


def told(store: Store) -> list[Any]:
    with store.read() as conn:
        return list(conn.execute(select(webhook_deliveries).order_by(webhook_deliveries.c.id)))


def bodies(store: Store) -> list[Any]:
    return [orjson.loads(row.payload) for row in told(store)]


def test_an_event_is_told_to_those_who_want_it(store: Store) -> None:
    listen(store, 1, "page.changed", "job.failed")
    listen(store, 1, "page.changed")
    listen(store, 1, "job.failed")
    listen(store, 1, "page.changed", is_active=0)
    listen(store, 2, "page.changed")
    store.write(lambda conn: events.emit(conn, 1, "page.changed", {"url": "https://example.com/"}))
    rows = told(store)
    assert [(row.webhook_id, row.state) for row in rows] == [(1, DeliveryState.PENDING), (2, DeliveryState.PENDING)]
    assert len({row.message_id for row in rows}) == 1
    assert [(b["type"], b["data"]) for b in bodies(store)] == [("page.changed", {"url": "https://example.com/"})] * 2


def test_several_events_are_told_each(store: Store) -> None:
    listen(store, 1, "page.changed")
    store.write(lambda conn: events.emit_many(conn, 1, "page.changed", [{"n": 1}, {"n": 2}]))
    assert [b["data"]["n"] for b in bodies(store)] == [1, 2]
    assert len({row.message_id for row in told(store)}) == 2


def test_where_nobody_listens_events_are_not_even_put_into_words(store: Store) -> None:
    listen(store, 1, "job.failed")
    listen(store, 2, "page.changed")
    asked: list[int] = []
    store.write(lambda conn: events.emit_many(conn, 1, "page.changed", ({"n": asked.append(1)} for _ in "x")))
    assert (asked, told(store)) == ([], [])


def test_an_event_whose_transaction_fails_is_told_to_nobody(store: Store) -> None:
    listen(store, 1, "job.failed")

    def step(conn: Any) -> None:
        events.emit(conn, 1, "job.failed", {})
        raise KeyError

    with pytest.raises(KeyError):
        store.write(step)
    assert told(store) == []


def test_an_unknown_type_is_a_mistake_of_the_caller(store: Store) -> None:
    with pytest.raises(ValueError, match="no type of event"):
        store.write(lambda conn: events.emit(conn, 1, "job.exploded", {}))


def crawl_that_is_heard(store: Store) -> Crawl:
    crawl = Crawl(store)
    listen(store, crawl.organisation_id, *events.TYPES)
    return crawl


def test_a_completed_job_is_told_once_with_its_counts(store: Store) -> None:
    crawl = crawl_that_is_heard(store)
    good, bad = crawl.discover("/a", "/b")
    crawl.complete(crawl.admit(good.task_id))
    work = crawl.admit(bad.task_id)
    assert told(store) == []
    crawl.fail(work)
    crawl.fail(work)  # a late repetition
    (event,) = bodies(store)
    assert event["type"] == "job.completed"
    assert event["data"]["id"] == crawl.job.uid
    assert event["data"]["status"] == "completed"
    names = ("total_tasks", "completed_tasks", "failed_tasks", "skipped_tasks")
    assert [event["data"][name] for name in names] == [2, 1, 1, 0]


def test_a_job_that_goes_on_is_told_again_when_it_ends_again(store: Store) -> None:
    crawl = crawl_that_is_heard(store)
    (page,) = crawl.discover("/a")
    crawl.fail(crawl.admit(page.task_id))
    tasks.reopen(store, crawl.organisation_id, page.task_id, now_us())
    crawl.complete(crawl.admit(page.task_id))
    assert [(b["type"], b["data"]["completed_tasks"]) for b in bodies(store)] == [
        ("job.completed", 0),
        ("job.completed", 1),
    ]


def test_a_failed_discovery_is_told_as_a_failed_job(store: Store) -> None:
    crawl = crawl_that_is_heard(store)
    work = crawl.admit(crawl.discovery)
    crawl.record(Finish(work, TaskState.FAILED, Fetched(), error="no such host", job_error="no such host"))
    (event,) = bodies(store)
    assert (event["type"], event["data"]["error"]) == ("job.failed", "no such host")


def test_a_cancelled_job_is_told_once(store: Store) -> None:
    crawl = crawl_that_is_heard(store)
    crawl.discover("/a", "/b")
    jobs.cancel(store, crawl.job.id, now_us())
    jobs.cancel(store, crawl.job.id, now_us())
    (event,) = bodies(store)
    assert (event["type"], event["data"]["skipped_tasks"]) == ("job.cancelled", 2)
