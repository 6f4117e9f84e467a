"""What several processes make at the same moment, on both databases: it is made once, and nobody is refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TypeVar

from sqlalchemy import func, select

from shared.models import Domain
from shared.store import Store, domains, jobs, keys, pauses
from shared.store.tables import pages
from tests.crawls import Crawl

T = TypeVar("T")
AT_ONCE, NOW = 8, 1_795_393_623_105_000


def at_once(make: Callable[[int], T]) -> list[T]:
    """What each of some threads makes, all of them starting together."""
    barrier = Barrier(AT_ONCE)

    def run(no: int) -> T:
        barrier.wait(10)
        return make(no)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(run, range(AT_ONCE)))


def ensure(store: Store, organisation: int, host: str, now: int) -> Domain:
    return store.write(lambda conn: domains.ensure(conn, organisation, host, now))


def test_new_domains_of_one_millisecond_are_all_made(store: Store) -> None:
    mine = Crawl(store).job.organisation_id

    def make(no: int) -> list[int]:
        return [ensure(store, mine, f"h{no}-{k}.test", NOW).ms for k in range(5)]

    times = [ms for found in at_once(make) for ms in found]
    assert len(set(times)) == 5 * AT_ONCE


def test_one_new_domain_is_made_once(store: Store) -> None:
    mine = Crawl(store).job.organisation_id
    for host in ("a.test", "b.test", "c.test"):
        made = at_once(partial(lambda host, no: ensure(store, mine, host, NOW + no * 1000), host))
        assert len({domain.id for domain in made}) == 1


def test_one_new_page_is_made_once(store: Store) -> None:
    domain = Crawl(store).job.domain
    page = jobs.FirstPage(5, "https://example.com", "/new")
    at_once(lambda no: store.write(lambda conn: jobs.add_page(conn, domain, page, NOW + no)))
    with store.read() as conn:
        assert conn.execute(select(func.count()).where(pages.c.url_hash == 5)).scalar() == 1


def test_a_queue_is_paused_by_all_who_ask(store: Store) -> None:
    at_once(lambda no: pauses.pause_queue(store, "crawl", NOW + no))
    assert pauses.queues(store) == {"crawl"}


def test_an_operators_first_key_is_made_by_each_api_that_starts(store: Store) -> None:
    at_once(lambda _: keys.ensure_bootstrap(store, "an-operators-secret-of-32-characters"))
    assert len(keys.list_all(store)) == 1
