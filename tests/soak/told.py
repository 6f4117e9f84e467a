"""What was told outside: one event a job's end, one change an edited page, one event a change, each delivered."""

from collections import Counter
from typing import Any

import orjson
from sqlalchemy import select

from shared import ids
from shared.states import DeliveryState
from shared.store import Store
from shared.store.change_tables import changes
from shared.store.webhook_tables import webhook_deliveries
from tests.soak.report import Crawl, Report
from tests.soak.site import is_edited, path_of


def check(report: Report, store: Store, crawl: Crawl) -> None:
    """Compares the outbox, the changes and what arrived. Raises StoreUnavailable."""
    low, high = ids.pack(crawl.number, 0), ids.pack(crawl.number + 1, 0)
    with store.read() as conn:
        deliveries = list(conn.execute(select(webhook_deliveries)))
        changed = list(conn.execute(select(changes).where(changes.c.task_id >= low, changes.c.task_id < high)))
        n_changes = len(conn.execute(select(changes.c.id)).all())
    mine = [d for d in deliveries if d.event_type == "job.completed" and _job_of(d) == crawl.uid]
    report.expect(len(mine) == 1, f"{len(mine)} events job.completed")
    events = sum(d.event_type == "page.changed" for d in deliveries)
    report.expect(events == n_changes, f"{events} events page.changed for {n_changes} changes")
    _check_changes(report, crawl, changed)
    _check_arrivals(report, crawl, deliveries)


def _job_of(delivery: Any) -> Any:
    return orjson.loads(delivery.payload)["data"]["id"]


def _check_changes(report: Report, crawl: Crawl, changed: list[Any]) -> None:
    twice = [page for page, n in Counter(row.url_hash for row in changed).items() if n > 1]
    report.expect(not twice, f"{len(twice)} pages changed twice in one crawl")
    edited = {path_of(i) for i in range(crawl.pages) if is_edited(i)}
    known = crawl.witnesses.known
    # after the first crawl a page that no other has seen is news: that one may have had a max_pages
    new = report.completed - known if known else frozenset[str]()
    wanted = len(edited & known & report.completed) + len(new)
    report.expect(len(changed) == wanted, f"{len(changed)} changes, not {wanted}: {len(new)} pages are new")


def _check_arrivals(report: Report, crawl: Crawl, deliveries: list[Any]) -> None:
    waiting = [d for d in deliveries if d.state != DeliveryState.DELIVERED]
    report.expect(not waiting, f"{len(waiting)} deliveries are not made")
    arrived = Counter(request.headers["webhook-id"] for request in crawl.witnesses.receiver.received)
    sent = {d.message_id for d in deliveries}
    report.expect(sent <= arrived.keys(), f"{len(sent - arrived.keys())} deliveries never arrived")
    report.expect(arrived.keys() <= sent, f"{len(arrived.keys() - sent)} unknown deliveries arrived")
    again = sum(n - 1 for n in arrived.values())
    if again:
        report.notes.append(f"{again} of {len(arrived)} deliveries came again, under their own ids")
